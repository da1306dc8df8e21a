//! The size of a request's header: counted alike in every version of HTTP, so that what passes in one passes in the other.

use http::{header, request};

use super::refusal::Refusal;
use crate::proxy::limits::{MAX_HEADER_BYTES, MAX_HEADER_FIELDS};

/// Bytes of a request line besides method and target: two spaces, the version, the end of the line.
const REQUEST_LINE_BYTES: usize = " HTTP/1.1\r\n".len() + 1;
/// Bytes of a field besides its name and value: the colon, a space, the end of the line.
const FIELD_BYTES: usize = ": \r\n".len();
/// The name of the field that a target's authority stands for.
const HOST: &str = "host";

/// A header, counted as it stands in HTTP/1.1.
#[derive(Debug, PartialEq, Eq)]
struct HeaderSize {
    bytes: usize,
    fields: usize,
}

/// Refuses a header that is beyond the limits. Gives its bytes.
///
/// # Errors
/// It is: the answer is 431.
pub(in crate::proxy) fn check(parts: &request::Parts) -> Result<usize, Refusal> {
    let HeaderSize { bytes, fields } = HeaderSize::of(parts);
    if fields > MAX_HEADER_FIELDS {
        return Err(Refusal::header_too_large(format!(
            "the request has {fields} header fields, of which no more than {MAX_HEADER_FIELDS} are taken"
        )));
    }
    if bytes > MAX_HEADER_BYTES {
        return Err(Refusal::header_too_large(format!(
            "the request's header has {bytes} bytes, of which no more than {MAX_HEADER_BYTES} are taken"
        )));
    }
    Ok(bytes)
}

impl HeaderSize {
    /// The size that the header has in HTTP/1.1, or would have. The crumbs into which HTTP/2 may split a cookie are one field there
    /// (RFC 9113 section 8.2.3).
    fn of(parts: &request::Parts) -> Self {
        let uri = &parts.uri;
        let mut size = Self { bytes: parts.method.as_str().len() + REQUEST_LINE_BYTES + "\r\n".len(), fields: 0 };
        size.bytes += uri.path_and_query().map_or(0, |path| path.as_str().len());
        let authority = uri.authority().filter(|_| !parts.headers.contains_key(header::HOST));
        if let Some(authority) = authority {
            size.add(HOST, authority.as_str().len());
        }
        let mut cookies = 0;
        for (name, value) in &parts.headers {
            if *name == header::COOKIE {
                cookies += 1;
            }
            if *name == header::COOKIE && cookies > 1 {
                size.bytes += "; ".len() + value.len();
            } else {
                size.add(name.as_str(), value.len());
            }
        }
        size
    }

    fn add(&mut self, name: &str, value_bytes: usize) {
        self.fields += 1;
        self.bytes += name.len() + value_bytes + FIELD_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn size(request: http::request::Builder) -> HeaderSize {
        HeaderSize::of(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn a_header_counts_what_it_has_in_http1() {
        let text = "GET /path?query HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\n\r\n";
        let http1 = Request::get("/path?query").header("host", "a.example").header("accept", "*/*");
        let expected = HeaderSize { bytes: text.len(), fields: 2 };
        assert_eq!(size(http1), expected);
        assert_eq!(size(Request::get("https://a.example/path?query").header("accept", "*/*")), expected);
    }

    #[test]
    fn the_crumbs_of_a_cookie_are_one_field() {
        let whole = size(Request::get("/").header("cookie", "a=1; b=2; c=3"));
        let crumbs = size(Request::get("/").header("cookie", "a=1").header("cookie", "b=2").header("cookie", "c=3"));
        assert_eq!(whole, crumbs);
        assert_eq!(whole.fields, 1);
    }
}
