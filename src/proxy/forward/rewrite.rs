//! The path and the host that the backend gets.

use std::borrow::Cow;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};

use crate::model::{HostHeader, PathRewrite, Transport};
use crate::pool::Member;
use crate::proxy::request::edits::RequestEdits;
use crate::proxy::request::target::{RawTarget, RequestTarget};

/// The request target that a backend gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutgoingTarget {
    pub(super) uri: Uri,
    /// The target of HTTP/1.1, where a `Uri` can't have it.
    pub(super) raw: Option<RawTarget>,
}

/// The request target that the backend gets. A path that is rewritten, or that has `.` or `..` elements, goes out in the form
/// that was matched, so that the backend can't read it in another way. Any other path goes out as it came. What the route's settings do
/// with paths, they do with the path that a policy has written.
pub(super) fn target(
    target: &RequestTarget,
    edits: Option<&RequestEdits>,
    rewrite: Option<&PathRewrite>,
) -> Option<OutgoingTarget> {
    let uri = &target.uri;
    let (new_path, new_query) = edits.map(|edits| (edits.path.as_deref(), edits.query.as_deref())).unwrap_or_default();
    let path = new_path.unwrap_or(target.path());
    let normal = new_path.is_some() || target.has_dots() || path == "*";
    if rewrite.is_none() && !normal && new_query.is_none() && uri.scheme().is_none() {
        return Some(OutgoingTarget { uri: uri.clone(), raw: target.raw.clone() });
    }
    let new_path = match rewrite {
        Some(rewrite) if path != "*" => Some(Cow::Owned(rewritten(path, rewrite))),
        _ if normal => Some(Cow::Borrowed(path)),
        _ => None,
    };
    let query = new_query.or(uri.query()).filter(|query| new_query.is_none() || !query.is_empty());
    let text = joined(new_path.as_deref().unwrap_or(uri.path()).as_bytes(), query.map(str::as_bytes));
    // What is not rewritten of a target goes out as it came.
    let raw = target.raw.as_ref().map(|RawTarget(raw)| {
        let (raw_path, raw_query) = match raw.iter().position(|byte| *byte == b'?') {
            Some(at) => (&raw[..at], Some(&raw[at + 1..])),
            None => (&raw[..], None),
        };
        let path = new_path.as_deref().map_or(raw_path, str::as_bytes);
        let query = if new_query.is_some() { query.map(str::as_bytes) } else { raw_query };
        RawTarget(joined(path, query))
    });
    let uri = Uri::from(PathAndQuery::from_maybe_shared(text).ok()?);
    Some(OutgoingTarget { uri, raw })
}

/// A request target of a path and a query.
fn joined(path: &[u8], query: Option<&[u8]>) -> Bytes {
    match query {
        Some(query) => [path, query].join(&b'?').into(),
        None => Bytes::copy_from_slice(path),
    }
}

/// The path with its start replaced.
fn rewritten(path: &str, PathRewrite { strip, prepend }: &PathRewrite) -> String {
    let starts = path.get(..strip.len()).is_some_and(|start| start.eq_ignore_ascii_case(strip));
    let rest = if starts { &path[strip.len()..] } else { path };
    format!("{}/{}", prepend.trim_end_matches('/'), rest.trim_start_matches('/'))
}

/// The `Host` that the backend gets. `None`: the configured text can't be a header.
pub(super) fn host(header: &HostHeader, target: &RequestTarget, member: &Member) -> Option<HeaderValue> {
    let host = match header {
        HostHeader::Preserve if !target.authority.is_empty() => return Some(target.authority.clone()),
        HostHeader::Set(host) => host.clone(),
        HostHeader::Preserve | HostHeader::Member => {
            let address = member.key.address;
            let default = match *member.key.transport {
                Transport::Http => 80,
                Transport::Https(_) => 443,
            };
            match &member.key.name {
                Some(name) if address.port() == default => name.clone(),
                Some(name) => format!("{name}:{}", address.port()),
                None => address.to_string(),
            }
        }
    };
    HeaderValue::from_maybe_shared(bytes::Bytes::from(host)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(uri: &str, rewrite: Option<(&str, &str)>) -> String {
        let request = http::Request::get(uri).header("host", "a").body(()).expect("a request");
        let Ok(asked) = RequestTarget::read(&request.into_parts().0) else { panic!("refused") };
        let rewrite = rewrite.map(|(strip, prepend)| PathRewrite { strip: strip.into(), prepend: prepend.into() });
        target(&asked, None, rewrite.as_ref()).expect("a target").uri.to_string()
    }

    #[test]
    fn the_backend_sees_what_was_matched() {
        assert_eq!(sent("/a//b/%7Ex?q=../1", None), "/a//b/%7Ex?q=../1");
        assert_eq!(sent("/public/../admin?x", None), "/admin?x");
        assert_eq!(sent("/public/%2e%2E/admin", None), "/admin");
    }

    #[test]
    fn a_path_that_a_policy_has_written_goes_out_and_the_rest_stays() {
        let request = http::Request::get("/a//b?x=1").header("host", "a").body(()).expect("a request");
        let Ok(asked) = RequestTarget::read(&request.into_parts().0) else { panic!("refused") };
        let sent = |path: Option<&str>, query: Option<&str>| {
            let mut edits = RequestEdits::default();
            (edits.path, edits.query) = (path.map(Into::into), query.map(Into::into));
            target(&asked, Some(&edits), None).expect("a target").uri.to_string()
        };
        assert_eq!(sent(None, None), "/a//b?x=1");
        assert_eq!(sent(Some("/new"), None), "/new?x=1");
        assert_eq!(sent(None, Some("y=2")), "/a//b?y=2");
        assert_eq!(sent(Some("/new"), Some("")), "/new");
        let mut edits = RequestEdits::default();
        edits.path = Some("/rule/home".into());
        let settings = PathRewrite { strip: "/rule".into(), prepend: "/override/".into() };
        let sent = target(&asked, Some(&edits), Some(&settings)).expect("a target");
        assert_eq!(sent.uri.to_string(), "/override/home?x=1");
    }

    #[test]
    fn what_is_not_rewritten_goes_out_as_it_came() {
        let raw = RawTarget(Bytes::from_static(b"/caf\xe9/x?q=<b>"));
        let request = http::Request::get("/caf%E9/x?q=%3Cb%3E").header("host", "a").extension(raw.clone()).body(());
        let Ok(asked) = RequestTarget::read(&request.expect("a request").into_parts().0) else { panic!("refused") };
        let sent = |path: Option<&str>, query: Option<&str>| {
            let mut edits = RequestEdits::default();
            (edits.path, edits.query) = (path.map(Into::into), query.map(Into::into));
            target(&asked, Some(&edits), None).expect("a target").raw.expect("not a URI").0
        };
        assert_eq!(sent(None, None), raw.0);
        assert_eq!(sent(Some("/new"), None), b"/new?q=<b>"[..]);
        assert_eq!(sent(None, Some("y=2")), b"/caf\xe9/x?y=2"[..]);
        assert_eq!(sent(None, Some("")), b"/caf\xe9/x"[..]);
    }

    #[test]
    fn the_start_of_a_path_is_replaced_as_arm_does() {
        assert_eq!(sent("/home/", Some(("", "/override/"))), "/override/home/");
        assert_eq!(sent("/pathrule/home/?a", Some(("/pathrule", "/override/"))), "/override/home/?a");
        assert_eq!(sent("/PathRule", Some(("/pathrule", "/override"))), "/override/");
        assert_eq!(sent("//%70athrule/home", Some(("/pathrule", "/override"))), "/override/home");
    }
}
