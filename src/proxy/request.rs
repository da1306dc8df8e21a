//! What a request asks for, made unambiguous before anything is decided on it (RFC 9112 sections 3.2 and 6,
//! RFC 9113 section 8.3).

use std::borrow::Cow;

use http::header::{self, HeaderMap};
use http::uri::Authority;
use http::{Method, StatusCode, Uri, Version, request};

use super::extended;
use super::refusal::Refusal;
use crate::model::normalise_path;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Host and port as the client wrote them; empty in HTTP/1.0 without `Host`.
    pub(super) authority: String,
    /// Host alone, in lower case.
    pub(super) host: String,
    /// Path in the form in which it is compared.
    pub(super) path: String,
}

/// Reads a request's host and path.
///
/// # Errors
/// It could be read in more than one way, or in none.
pub(super) fn read(parts: &request::Parts) -> Result<Asked, Refusal> {
    let extended = extended::protocol(parts);
    if extended.is_some_and(|protocol| !protocol.eq_ignore_ascii_case("websocket")) {
        return Err(Refusal::protocol());
    }
    if matches!(parts.method, Method::CONNECT | Method::TRACE) && extended.is_none() {
        let message = "this method is not forwarded";
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message));
    }
    if extended.is_some() && parts.uri.authority().is_none() {
        return Err(Refusal::malformed("an extended CONNECT has an :authority"));
    }
    check_framing(&parts.headers, parts.version)?;
    let authority = authority(&parts.uri, &parts.headers, parts.version)?;
    let host = match authority.as_str() {
        "" => String::new(),
        text => {
            let authority: Authority =
                text.parse().map_err(|_| Refusal::malformed("the Host header is not a host and port"))?;
            if text.contains('@') || authority.host().is_empty() {
                return Err(Refusal::malformed("the Host header is not a host and port"));
            }
            normalise_host(authority.host())
        }
    };
    let path = match parts.uri.path() {
        path if path.starts_with('/') => normalise_path(path).into_owned(),
        "*" | "" if parts.method == Method::OPTIONS => "*".to_owned(),
        _ => return Err(Refusal::malformed("the request target is not a path")),
    };
    Ok(Asked { authority, host, path })
}

/// A host as it is compared: lower case, without the dot that may end a name.
pub fn normalise_host(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// One way to tell where the body ends, or none at all.
fn check_framing(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if lengths > 1 {
        return Err(Refusal::malformed("Content-Length is given more than once"));
    }
    let Some(coding) = codings.next() else { return Ok(()) };
    if lengths > 0 {
        return Err(Refusal::malformed("both Content-Length and Transfer-Encoding are given"));
    }
    if version == Version::HTTP_10 {
        return Err(Refusal::malformed("Transfer-Encoding is not part of HTTP/1.0"));
    }
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(Refusal::malformed("the only Transfer-Encoding taken is chunked"));
    }
    Ok(())
}

fn authority(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<String, Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let named: Option<Cow<'_, str>> = match hosts.next() {
        Some(host) => {
            let host = host.to_str().map_err(|_| Refusal::malformed("the Host header is not a host and port"))?;
            Some(Cow::Borrowed(host.trim()))
        }
        None => None,
    };
    if hosts.next().is_some() {
        return Err(Refusal::malformed("more than one Host is given"));
    }
    match (uri.authority(), named) {
        (Some(target), Some(host)) if !target.as_str().eq_ignore_ascii_case(&host) => {
            Err(Refusal::malformed("the request target and the Host header name different hosts"))
        }
        (Some(target), _) => Ok(target.as_str().to_owned()),
        (None, Some(host)) => Ok(host.into_owned()),
        (None, None) if version == Version::HTTP_10 => Ok(String::new()),
        (None, None) => Err(Refusal::malformed("no Host is given")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(build: request::Builder) -> request::Parts {
        build.body(()).expect("a request").into_parts().0
    }

    fn asked(build: request::Builder) -> Result<(String, String), StatusCode> {
        read(&parts(build)).map(|asked| (asked.host, asked.path)).map_err(|refusal| refusal.status)
    }

    #[test]
    fn host_and_path_are_read_in_one_form() {
        let get = |uri: &str, host: &str| asked(http::Request::get(uri).header("host", host));
        let expected = Ok(("a.example".to_owned(), "/x".to_owned()));
        assert_eq!(get("/x", "A.Example."), expected);
        assert_eq!(get("/y/../x", "a.example:8080"), expected);
        assert_eq!(get("http://a.example/x", "a.example"), expected);
        assert_eq!(get("/x", "[::1]:80").map(|(host, _)| host), Ok("[::1]".to_owned()));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let bad = Err(StatusCode::BAD_REQUEST);
        assert_eq!(asked(http::Request::get("/")), bad);
        assert_eq!(asked(http::Request::get("/").header("host", "a").header("host", "b")), bad);
        assert_eq!(asked(http::Request::get("http://a/").header("host", "b")), bad);
        assert_eq!(asked(http::Request::get("/").header("host", "u@a")), bad);
        assert_eq!(asked(http::Request::get("/").header("host", "a b")), bad);
        let post = || http::Request::post("/").header("host", "a");
        assert_eq!(asked(post().header("content-length", "1").header("transfer-encoding", "chunked")), bad);
        assert_eq!(asked(post().header("content-length", "1").header("content-length", "1")), bad);
        assert_eq!(asked(post().header("transfer-encoding", "gzip, chunked")), bad);
        assert_eq!(asked(post().version(Version::HTTP_10).header("transfer-encoding", "chunked")), bad);
        assert!(asked(http::Request::get("/").version(Version::HTTP_10)).is_ok());
    }
}
