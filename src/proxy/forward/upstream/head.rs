//! Heads of HTTP/1.1 messages (RFC 9112 sections 2 to 6): a request's head is written, an answer's head is read.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, request};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use crate::proxy::http1::fields::{self, FieldRanges, MalformedField};
use crate::proxy::http1::framing::BodyFraming;
use crate::proxy::limits::{MAX_ANSWER_HEADER_BYTES, MAX_ANSWER_HEADER_FIELDS};
use crate::proxy::request::target::RawTarget;

/// What a member sent is not HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its answer has {0}")]
pub(in crate::proxy::forward) struct MalformedAnswer(&'static str);

impl From<MalformedAnswer> for io::Error {
    fn from(malformed: MalformedAnswer) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

impl From<MalformedField> for MalformedAnswer {
    fn from(_: MalformedField) -> Self {
        Self("a bad header")
    }
}

impl MalformedAnswer {
    pub(super) const TOO_MANY_INTERIM: Self = Self("too many interim answers");
}

/// Writes a request's head.
pub(super) fn write(request: &request::Parts, out: &mut BytesMut) {
    let target = match request.extensions.get() {
        Some(RawTarget(raw)) => raw,
        None => request.uri.path_and_query().map_or(&b"/"[..], |target| target.as_str().as_bytes()),
    };
    for part in [request.method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n"] {
        out.put_slice(part);
    }
    fields::write(&request.headers, out);
    out.put_slice(b"\r\n");
}

/// An answer's head.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub(super) response: Response<()>,
    /// How the body's end is told.
    pub(super) framing: BodyFraming,
    /// Whether the connection may be used again after this answer.
    pub(super) keep: bool,
    /// Time for which it may wait for the next request, where the answer says so.
    pub(super) idle_limit: Option<Duration>,
}

/// Whether a head may be complete, if the first `before` bytes were not.
pub(super) fn may_be_complete(read: &[u8], before: usize) -> bool {
    fields::may_be_complete(read, before, MAX_ANSWER_HEADER_BYTES)
}

/// Takes the head of an answer from what has been read. `method` is that of the request. `None`: the head is not complete yet.
///
/// # Errors
/// What has been read is no head.
pub(super) fn take(read: &mut BytesMut, method: &Method) -> Result<Option<AnswerHead>, MalformedAnswer> {
    if read.is_empty() {
        return Ok(None);
    }
    let mut lines = [const { MaybeUninit::uninit() }; MAX_ANSWER_HEADER_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let length = match ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, read, &mut lines) {
        Ok(Status::Complete(length)) if length <= MAX_ANSWER_HEADER_BYTES => length,
        Ok(Status::Partial) if read.len() <= MAX_ANSWER_HEADER_BYTES => return Ok(None),
        Ok(_) => return Err(MalformedAnswer("a header that is too long")),
        Err(httparse::Error::TooManyHeaders) => return Err(MalformedAnswer("too many headers")),
        Err(_) => return Err(MalformedAnswer("a header that is not HTTP/1.1")),
    };
    let status =
        StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| MalformedAnswer("no valid status"))?;
    let (reason, version) = (parsed.reason.unwrap_or_default(), parsed.version);
    // The reason is kept only where it is not the usual one of the status.
    let usual = status.canonical_reason().is_some_and(|usual| usual == reason || reason.is_empty());
    let reason = (!usual).then(|| reason.to_owned());
    let ranges = FieldRanges::of(read, parsed.headers);
    let head = fields::split_head(read, length);
    let mut framing = FramingHeaders::default();
    // With room for `Server`.
    let mut headers = ranges.read(&head, 1, |name, value| framing.note(name, value))?;
    if let Some(length) = framing.length.filter(|_| framing.repeated) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    let idle_limit = framing.idle_limit;
    let (framing, keep) = framing.evaluate(method, status, version == Some(1));
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(reason.into_bytes()).ok()) {
        response.extensions_mut().insert(reason);
    }
    Ok(Some(AnswerHead { response, framing, keep, idle_limit }))
}

/// The headers of an answer that say where it ends, and whether the connection ends with it.
#[derive(Debug, Default)]
struct FramingHeaders {
    /// `Content-Length`.
    length: Option<u64>,
    /// Whether the length is given more than once.
    repeated: bool,
    /// Whether there is a `Transfer-Encoding`.
    coded: bool,
    /// Whether its outermost coding is chunked.
    chunked: bool,
    /// `Connection: close`.
    close: bool,
    /// `Keep-Alive: timeout=…`, less what it takes to be sooner than the member.
    idle_limit: Option<Duration>,
}

impl FramingHeaders {
    /// Takes note of a header, if it is one of these.
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), MalformedAnswer> {
        if *name == header::CONTENT_LENGTH {
            let length = length(value).ok_or(MalformedAnswer("a Content-Length that is no number"))?;
            if self.length.is_some_and(|before| before != length) {
                return Err(MalformedAnswer("two Content-Lengths that differ"));
            }
            self.repeated |= self.length.is_some() || value.as_bytes().contains(&b',');
            self.length = Some(length);
        } else if *name == header::TRANSFER_ENCODING {
            // The last coding of the last line is the outermost.
            let last = value.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
            self.coded = true;
            self.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        } else if *name == header::CONNECTION {
            self.close |= fields::has_option(value, "close");
        } else if name == "keep-alive" {
            self.idle_limit = idle_limit(value).or(self.idle_limit);
        }
        Ok(())
    }

    /// The framing (RFC 9112 section 6.3), and whether the connection may be used again.
    fn evaluate(&self, method: &Method, status: StatusCode, http11: bool) -> (BodyFraming, bool) {
        // With both of them, somebody on the way may have ended the message by the other.
        let keep = http11 && !self.close && !(self.coded && self.length.is_some());
        let bodiless = status.is_informational() || matches!(status.as_u16(), 204 | 304);
        let framing = match self.length {
            _ if bodiless || *method == Method::HEAD => BodyFraming::Length(0),
            _ if self.chunked => BodyFraming::CHUNKED,
            Some(length) if !self.coded => BodyFraming::Length(length),
            _ => return (BodyFraming::UntilEnd, false),
        };
        (framing, keep)
    }
}

/// How long a connection may wait for a request by a `Keep-Alive: timeout=N` of the member (RFC 2068 section 19.7.1.1): a second
/// less than N, or half of a short N, because a request may be under way when the member closes it.
fn idle_limit(value: &HeaderValue) -> Option<Duration> {
    let timeout = value.to_str().ok()?.split(',').find_map(|parameter| {
        let (name, seconds) = parameter.split_once('=')?;
        let seconds = seconds.trim().trim_matches('"').parse::<u32>().ok()?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| Duration::from_secs(seconds.into()))
    })?;
    Some(timeout - Duration::from_secs(1).min(timeout / 2))
}

/// The value of a `Content-Length`: digits alone. A list of equal numbers is taken as one (RFC 9110 section 8.6).
pub(super) fn length(value: &HeaderValue) -> Option<u64> {
    let mut lengths = value.to_str().ok()?.split(',').map(|length| {
        let length = length.trim_matches([' ', '\t']);
        if length.starts_with('+') { None } else { length.parse().ok() }
    });
    let first = lengths.next()?;
    if lengths.all(|length| length == first) { first } else { None }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8], method: &Method) -> Result<Option<AnswerHead>, MalformedAnswer> {
        take(&mut BytesMut::from(text), method)
    }

    #[test]
    fn a_request_has_the_usual_names_and_those_of_the_rfc() {
        let request = Request::get("/chat?x=1")
            .header("host", "a.example")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("x-forwarded-for", "192.0.2.1")
            .header("x-forwarded-for", "192.0.2.2")
            .body(())
            .expect("valid");
        let mut out = BytesMut::new();
        write(&request.into_parts().0, &mut out);
        let expected = "GET /chat?x=1 HTTP/1.1\r\nHost: a.example\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n";
        assert_eq!(std::str::from_utf8(&out).expect("text"), expected);
    }

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A: 1\r\nx-a: 2\r\n\r\n";
        for length in 0..answer.len() {
            assert!(read(&answer[..length], &Method::GET).expect("good so far").is_none(), "{length}");
            assert!(length == 0 || !may_be_complete(&answer[..length], length - 1) || length == 1, "{length}");
        }
        assert!((1..answer.len()).all(|before| may_be_complete(answer, before)));
        let mut buffer = BytesMut::from(&[&answer[..], b"first"].concat()[..]);
        let head = take(&mut buffer, &Method::GET).expect("good").expect("whole");
        assert_eq!(&buffer[..], b"first");
        assert_eq!(head.response.headers()["upgrade"], "websocket");
        assert_eq!(head.response.headers().get_all("x-a").iter().count(), 2);
        assert!(head.response.extensions().get::<ReasonPhrase>().is_none());
        let head = read(b"HTTP/1.1 200 Fine\r\n\r\n", &Method::GET).expect("good").expect("whole");
        assert_eq!(head.response.extensions().get::<ReasonPhrase>().map(ReasonPhrase::as_bytes), Some(&b"Fine"[..]));
        let head = read(b"HTTP/1.1 520 \r\nContent-Length: 3, 3\r\n\r\n", &Method::GET).expect("good").expect("whole");
        assert_eq!(head.response.extensions().get::<ReasonPhrase>().map(ReasonPhrase::as_bytes), Some(&b""[..]));
        assert_eq!(head.response.headers()["content-length"], "3");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            start in prop::sample::select(&["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nA:"][..]),
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = read(&[start.as_bytes(), &bytes, b"\r\n\r\n"].concat(), &Method::GET);
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}", "x".repeat(MAX_ANSWER_HEADER_BYTES));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: 1\r\n".repeat(MAX_ANSWER_HEADER_FIELDS + 1));
        for other in [
            "junk",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 99 Low\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA B: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            &long,
            &many,
        ] {
            assert!(read(other.as_bytes(), &Method::GET).is_err(), "{}", &other[..other.len().min(80)]);
        }
    }

    #[test]
    fn a_head_has_no_more_than_its_limits() {
        let start = "HTTP/1.1 200 OK\r\nX-Long: ";
        let long = |length: usize| format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4));
        assert!(read(long(MAX_ANSWER_HEADER_BYTES).as_bytes(), &Method::GET).expect("short enough").is_some());
        assert!(read(long(MAX_ANSWER_HEADER_BYTES + 1).as_bytes(), &Method::GET).is_err());
        let many = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: 1\r\n".repeat(count));
        assert!(read(many(MAX_ANSWER_HEADER_FIELDS).as_bytes(), &Method::GET).expect("few enough").is_some());
        assert!(read(many(MAX_ANSWER_HEADER_FIELDS + 1).as_bytes(), &Method::GET).is_err());
    }

    #[test]
    fn a_connection_is_kept_for_less_than_the_member_keeps_it() {
        for (line, expected) in [
            ("Keep-Alive: timeout=5\r\n", Some(4_000)),
            ("Keep-Alive: max=100, Timeout = \"20\"\r\n", Some(19_000)),
            ("Keep-Alive: timeout=1\r\n", Some(500)),
            ("Keep-Alive: timeout=0\r\n", Some(0)),
            ("Keep-Alive: 300\r\n", None),
            ("Keep-Alive: timeout=-1\r\n", None),
            ("", None),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{line}\r\n");
            let head = read(text.as_bytes(), &Method::GET).expect("good").expect("whole");
            assert_eq!(head.idle_limit, expected.map(Duration::from_millis), "{line}");
        }
    }

    #[test]
    fn the_end_of_a_body_is_told_as_the_rfc_has_it() {
        let (get, head) = (Method::GET, Method::HEAD);
        for (method, text, expected, kept) in [
            (&get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BodyFraming::Length(5), true),
            (
                &get,
                "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n",
                BodyFraming::Length(5),
                true,
            ),
            (&head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BodyFraming::Length(0), true),
            (&get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", BodyFraming::Length(0), true),
            (&get, "HTTP/1.1 204 No Content\r\n\r\n", BodyFraming::Length(0), true),
            (&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", BodyFraming::CHUNKED, true),
            (&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", BodyFraming::CHUNKED, true),
            (
                &get,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
                BodyFraming::CHUNKED,
                false,
            ),
            (&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", BodyFraming::UntilEnd, false),
            (&get, "HTTP/1.1 200 OK\r\n\r\n", BodyFraming::UntilEnd, false),
            (
                &get,
                "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\n",
                BodyFraming::Length(5),
                false,
            ),
            (&get, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", BodyFraming::Length(5), false),
        ] {
            let head = read(text.as_bytes(), method).expect("good").expect("whole");
            assert_eq!((head.framing, head.keep), (expected, kept), "{method} {text}");
        }
    }
}
