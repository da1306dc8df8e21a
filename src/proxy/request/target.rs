//! The target of a request: its host and path, made unambiguous before anything is decided on them (RFC 9112 sections 3.2
//! and 6, RFC 9113 section 8.3).

use std::borrow::Cow;

use bytes::Bytes;
use h2::ext::Protocol;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Uri, Version, request};

use super::authority::Authority;
use super::headers::ClientFacts;
use super::refusal::{Refusal, RefusalReason};
use crate::model::{decode_slashes, has_dots, has_encoded_slashes, normalise_host, normalise_path};
use crate::proxy::limits::MAX_HOST_BYTES;

/// The path and query of a request as its client wrote them, where they have bytes that should have been escaped and that a `Uri` can't
/// have, such as `<` or Latin-1: the request's URI has them escaped. An extension of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct RawTarget(pub(in crate::proxy) Bytes);

/// The target of a request. Cheap to clone. Nearly always its texts are those that the client wrote, and share their memory.
#[derive(Clone)]
pub(in crate::proxy) struct RequestTarget {
    /// Host and port as the client wrote them. Empty in HTTP/1.0 without `Host`.
    pub(in crate::proxy) authority: HeaderValue,
    /// The host alone, in lower case.
    pub(in crate::proxy) host: HeaderValue,
    /// The URI as the client wrote it, but for the escapes in place of what `raw` has.
    pub(in crate::proxy) uri: Uri,
    /// Path and query as the client wrote them, where the URI does not have them so.
    pub(in crate::proxy) raw: Option<RawTarget>,
    /// Whether the request is an extended CONNECT to WebSocket (RFC 8441).
    pub(in crate::proxy) is_extended_connect: bool,
    /// The path in its normal form, where it did not come in that.
    normalised: Option<String>,
    /// Whether elements that are `.` or `..` have come to light in it by decoding slashes.
    revealed_dots: bool,
}

impl RequestTarget {
    /// Reads host and path of a request.
    ///
    /// # Errors
    /// The request could be read in more than one way, or in none.
    pub(in crate::proxy) fn read(parts: &request::Parts) -> Result<Self, Refusal> {
        let protocol = parts.extensions.get::<Protocol>().map(Protocol::as_str);
        let is_extended_connect = protocol.is_some();
        if protocol.is_some_and(|protocol| !protocol.eq_ignore_ascii_case("websocket")) {
            return Err(Refusal::protocol());
        }
        if matches!(parts.method, Method::CONNECT | Method::TRACE) && !is_extended_connect {
            return Err(Refusal::new(RefusalReason::MethodNotAllowed, "this method is not forwarded"));
        }
        if is_extended_connect && parts.uri.authority().is_none() {
            return Err(Refusal::malformed("an extended CONNECT has an :authority"));
        }
        if parts.version == Version::HTTP_2 && parts.headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
            return Err(Refusal::malformed("Content-Length is given more than once"));
        }
        let authority = authority(&parts.uri, &parts.headers, parts.version)?;
        let host = host(&authority)?;
        let normalised = match parts.uri.path() {
            path if path.starts_with('/') => match normalise_path(path) {
                Cow::Borrowed(_) => None,
                Cow::Owned(path) => Some(path),
            },
            "*" | "" if parts.method == Method::OPTIONS => Some("*".to_owned()),
            _ => return Err(Refusal::malformed("the request target is not a path")),
        };
        let (uri, raw) = (parts.uri.clone(), parts.extensions.get().cloned());
        Ok(Self { authority, host, uri, raw, is_extended_connect, normalised, revealed_dots: false })
    }

    /// Whether the path has something that some backends take for a separator.
    pub(in crate::proxy) fn has_encoded_slashes(&self) -> bool {
        has_encoded_slashes(self.uri.path())
    }

    /// Decodes the slashes in the path's normal form.
    pub(in crate::proxy) fn decode_slashes(&mut self) {
        let (path, revealed_dots) = decode_slashes(self.path());
        (self.normalised, self.revealed_dots) = (Some(path), revealed_dots);
    }

    /// The target as a policy has it: with another path, in its normal form, which decides on the route from now on.
    pub(in crate::proxy) fn with_path(&self, path: &str) -> Self {
        Self { normalised: Some(path.to_owned()), ..self.clone() }
    }

    /// Whether the path has `.` or `..` elements, or may have them for a backend: it goes out in its normal form.
    pub(in crate::proxy) fn has_dots(&self) -> bool {
        self.revealed_dots || has_dots(self.uri.path())
    }

    /// Host and port as the client wrote them.
    pub(in crate::proxy) fn authority(&self) -> &str {
        self.authority.to_str().unwrap_or_default()
    }

    /// The host alone, in lower case.
    pub(in crate::proxy) fn host(&self) -> &str {
        self.host.to_str().unwrap_or_default()
    }

    /// The host that the client asked for, in lower case, and the port that it wrote: by the word of a trusted peer, else by the
    /// request.
    pub(in crate::proxy) fn client_host(&self, client: &ClientFacts) -> (Cow<'_, str>, Option<u16>) {
        let told = client.authority.as_ref().and_then(|authority| Authority::parse(authority.to_str().ok()?).ok());
        match told {
            Some(Authority { host, port }) => (normalise_host(host).into(), port),
            None => (self.host().into(), Authority::parse(self.authority()).ok().and_then(|authority| authority.port)),
        }
    }

    /// The path in its normal form, in which paths are compared.
    pub(in crate::proxy) fn path(&self) -> &str {
        self.normalised.as_deref().unwrap_or(self.uri.path())
    }
}

/// The host of an authority. It is empty only where no Host was given, in HTTP/1.0.
fn host(authority: &HeaderValue) -> Result<HeaderValue, Refusal> {
    let text = authority.to_str().map_err(|_| no_host())?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if text.len() <= MAX_HOST_BYTES && text.bytes().all(plain) && !text.ends_with('.') {
        return Ok(authority.clone());
    }
    let Authority { host, port: _ } = Authority::parse(text).map_err(Refusal::malformed)?;
    HeaderValue::from_str(&normalise_host(host)).map_err(|_| no_host())
}

fn no_host() -> Refusal {
    Refusal::malformed("the Host header is not a host and port")
}

/// Host and port of a request, from its target or from `Host`.
fn authority(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<HeaderValue, Refusal> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| no_host());
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::malformed("more than one Host is given"));
    }
    let host = named.map(|host| host.to_str().map(str::trim)).transpose().map_err(|_| no_host())?;
    if !matches!(uri.scheme_str(), None | Some("http" | "https" | "ws" | "wss")) {
        return Err(Refusal::malformed("the request target is no URI of http, https, ws or wss"));
    }
    match (uri.authority(), named, host) {
        (_, _, Some("")) => Err(Refusal::malformed("the Host is empty")),
        (Some(target), _, Some(host)) if !target.as_str().eq_ignore_ascii_case(host) => {
            Err(Refusal::malformed("the request target and the Host header name different hosts"))
        }
        (Some(target), _, Some(_)) => value(target.as_str()),
        // The target names the host, but HTTP/1.1 asks for the header all the same (RFC 9112 section 3.2).
        (Some(target), _, None) if version != Version::HTTP_11 => value(target.as_str()),
        (None, Some(named), Some(host)) if named.len() == host.len() => Ok(named.clone()),
        (None, _, Some(host)) => value(host),
        (None, _, None) if version == Version::HTTP_10 => Ok(HeaderValue::from_static("")),
        (_, _, None) => Err(Refusal::malformed("no Host is given")),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn parts(build: request::Builder) -> request::Parts {
        build.body(()).expect("a request").into_parts().0
    }

    fn host_and_path(build: request::Builder) -> Result<(String, String), StatusCode> {
        RequestTarget::read(&parts(build))
            .map(|target| (target.host().to_owned(), target.path().to_owned()))
            .map_err(|refusal| refusal.status())
    }

    #[test]
    fn host_and_path_are_read_in_one_form() {
        let get = |uri: &str, host: &str| host_and_path(http::Request::get(uri).header("host", host));
        let expected = Ok(("a.example".to_owned(), "/x".to_owned()));
        assert_eq!(get("/x", "A.Example."), expected);
        assert_eq!(get("/y/../x", "a.example:8080"), expected);
        assert_eq!(get("http://a.example/x", "a.example"), expected);
        assert_eq!(get("/x", "[::1]:80").map(|(host, _)| host), Ok("[::1]".to_owned()));
        let http2 = http::Request::get("https://A.example:443/x").version(Version::HTTP_2);
        assert_eq!(host_and_path(http2), expected);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let bad = Err(StatusCode::BAD_REQUEST);
        assert_eq!(host_and_path(http::Request::get("/")), bad);
        assert_eq!(host_and_path(http::Request::get("/").header("host", "a").header("host", "b")), bad);
        assert_eq!(host_and_path(http::Request::get("http://a/").header("host", "b")), bad);
        assert_eq!(host_and_path(http::Request::get("http://a/")), bad);
        assert_eq!(host_and_path(http::Request::get("ftp://a/").header("host", "a")), bad);
        assert_eq!(host_and_path(http::Request::get("http://a:b/").header("host", "a:b")), bad);
        assert_eq!(host_and_path(http::Request::get("https://a:99999/").version(Version::HTTP_2)), bad);
        assert_eq!(host_and_path(http::Request::get("/").header("host", "")), bad);
        assert_eq!(host_and_path(http::Request::get("/").header("host", "a:-1")), bad);
        assert_eq!(host_and_path(http::Request::get("/").header("host", "a".repeat(MAX_HOST_BYTES + 1))), bad);
        assert_eq!(host_and_path(http::Request::get("/").header("host", "u@a")), bad);
        assert_eq!(host_and_path(http::Request::get("/").header("host", "a b")), bad);
        let post = http::Request::post("https://a/").version(Version::HTTP_2);
        assert_eq!(host_and_path(post.header("content-length", "1").header("content-length", "1")), bad);
        assert!(host_and_path(http::Request::get("/").version(Version::HTTP_10)).is_ok());
    }
}
