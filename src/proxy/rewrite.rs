//! What the backend is asked for: the path and the host that it sees.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;

use super::request::Asked;
use crate::model::{HostHeader, PathRewrite, Transport};
use crate::pool::Member;

/// The request target for the backend. A path that is rewritten, or that has `.` or `..` elements, goes out in the form
/// that was matched, so that the backend can't read it otherwise; any other goes out as it came.
pub(super) fn target(uri: &Uri, asked: &Asked, rewrite: Option<&PathRewrite>) -> Option<Uri> {
    let dots = uri.path().split('/').any(|element| {
        let decoded = element.replace("%2e", ".").replace("%2E", ".");
        matches!(decoded.as_str(), "." | "..")
    });
    let path = match rewrite {
        Some(rewrite) if asked.path != "*" => Cow::Owned(rewritten(&asked.path, rewrite)),
        _ if dots || asked.path == "*" => Cow::Borrowed(asked.path.as_str()),
        _ => Cow::Borrowed(uri.path()),
    };
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    PathAndQuery::try_from(text).ok().map(Uri::from)
}

fn rewritten(path: &str, PathRewrite { strip, prepend }: &PathRewrite) -> String {
    let starts = path.get(..strip.len()).is_some_and(|start| start.eq_ignore_ascii_case(strip));
    let rest = if starts { &path[strip.len()..] } else { path };
    format!("{}/{}", prepend.trim_end_matches('/'), rest.trim_start_matches('/'))
}

/// `Host` for the backend.
pub(super) fn host(header: &HostHeader, asked: &Asked, member: &Member) -> String {
    match header {
        HostHeader::Preserve if !asked.authority.is_empty() => asked.authority.clone(),
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::normalise_path;

    fn sent(uri: &str, rewrite: Option<(&str, &str)>) -> String {
        let uri: Uri = uri.parse().expect("a target");
        let path = normalise_path(uri.path()).into_owned();
        let asked = Asked { authority: "a".into(), host: "a".into(), path };
        let rewrite = rewrite.map(|(strip, prepend)| PathRewrite { strip: strip.into(), prepend: prepend.into() });
        target(&uri, &asked, rewrite.as_ref()).expect("a target").to_string()
    }

    #[test]
    fn the_backend_sees_what_was_matched() {
        assert_eq!(sent("/a//b/%7Ex?q=../1", None), "/a//b/%7Ex?q=../1");
        assert_eq!(sent("/public/../admin?x", None), "/admin?x");
        assert_eq!(sent("/public/%2e%2E/admin", None), "/admin");
    }

    #[test]
    fn the_start_of_a_path_is_replaced_as_arm_does() {
        assert_eq!(sent("/home/", Some(("", "/override/"))), "/override/home/");
        assert_eq!(sent("/pathrule/home/?a", Some(("/pathrule", "/override/"))), "/override/home/?a");
        assert_eq!(sent("/PathRule", Some(("/pathrule", "/override"))), "/override/");
        assert_eq!(sent("//%70athrule/home", Some(("/pathrule", "/override"))), "/override/home");
    }
}
