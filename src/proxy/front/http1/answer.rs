//! The head of an answer to a client (RFC 9112 sections 4, 6 and 9): how its body ends, and whether the connection does.

use bytes::{BufMut as _, BytesMut};
use http::header::{self, HeaderValue};
use http::{StatusCode, Version, response};
use hyper::ext::ReasonPhrase;

use crate::proxy::http1::message_writer::WriteFraming;
use crate::proxy::http1::{date, fields};

/// Capacity that is enough for most heads.
const HEAD_CAPACITY: usize = 512;

/// What an answer's head depends on besides the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerFacts {
    /// The version of the request.
    pub(super) version: Version,
    pub(super) to_head: bool,
    pub(super) takes_trailers: bool,
    /// Whether the connection can go on after the answer.
    pub(super) keep_alive: bool,
}

/// How a message goes on behind its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AfterHead {
    pub(super) framing: WriteFraming,
    /// Whether the connection goes on after the body.
    pub(super) keep_alive: bool,
}

/// Writes the head of an answer. `has_body`: whether anything of the body is to come.
pub(super) fn write(parts: &response::Parts, has_body: bool, facts: AnswerFacts, out: &mut BytesMut) -> AfterHead {
    let http11 = facts.version == Version::HTTP_11;
    out.reserve(HEAD_CAPACITY);
    status_line(parts, out);
    fields::write(&parts.headers, out);
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        out.put_slice(b"\r\n");
        return AfterHead { framing: WriteFraming::Over, keep_alive: false };
    }
    if !parts.headers.contains_key(header::DATE) {
        line(b"Date: ", &date::now(), out);
    }

    // How the body ends.
    let bodiless = facts.to_head || matches!(parts.status.as_u16(), 204 | 304);
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let framing = match length {
        _ if bodiless => WriteFraming::Over,
        Some(0) if !has_body => WriteFraming::Over,
        Some(length) => WriteFraming::Length(length),
        None if !has_body => {
            out.put_slice(b"Content-Length: 0\r\n");
            WriteFraming::Over
        }
        None if http11 => {
            out.put_slice(b"Transfer-Encoding: chunked\r\n");
            WriteFraming::Chunked { trailers: facts.takes_trailers }
        }
        None => WriteFraming::UntilEnd,
    };

    // Whether the connection ends.
    let closes = parts.headers.get_all(header::CONNECTION).iter().any(|value| fields::has_option(value, "close"));
    let keep_alive = facts.keep_alive && !closes && framing != WriteFraming::UntilEnd;
    match (keep_alive, http11) {
        (false, _) if !closes => out.put_slice(b"Connection: close\r\n"),
        (true, false) => out.put_slice(b"Connection: keep-alive\r\n"),
        _ => {}
    }
    out.put_slice(b"\r\n");
    AfterHead { framing, keep_alive }
}

/// Writes an interim answer (RFC 9110 section 15.2).
pub(super) fn write_interim(parts: &response::Parts, out: &mut BytesMut) {
    status_line(parts, out);
    fields::write(&parts.headers, out);
    out.put_slice(b"\r\n");
}

fn status_line(parts: &response::Parts, out: &mut BytesMut) {
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(parts.status.as_str().as_bytes());
    out.put_slice(b" ");
    match parts.extensions.get::<ReasonPhrase>() {
        Some(reason) => out.put_slice(reason.as_bytes()),
        None => out.put_slice(parts.status.canonical_reason().unwrap_or_default().as_bytes()),
    }
    out.put_slice(b"\r\n");
}

fn line(name: &[u8], value: &HeaderValue, out: &mut BytesMut) {
    out.put_slice(name);
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    const FACTS: AnswerFacts =
        AnswerFacts { version: Version::HTTP_11, to_head: false, takes_trailers: false, keep_alive: true };

    /// The lines but for the first and the date, and how the message goes on.
    fn written(response: response::Builder, has_body: bool, facts: AnswerFacts) -> (String, AfterHead) {
        let parts = response.header("date", "now").body(()).expect("valid").into_parts().0;
        let mut out = BytesMut::new();
        let after = write(&parts, has_body, facts, &mut out);
        let text = String::from_utf8(out.to_vec()).expect("text");
        let (_, lines) = text.split_once("\r\n").expect("a status line");
        (lines.replacen("Date: now\r\n", "", 1).trim_end().to_owned(), after)
    }

    #[test]
    fn an_answer_ends_as_its_receiver_can_tell() {
        let ok = || Response::builder().status(200);
        let http10 = AnswerFacts { version: Version::HTTP_10, ..FACTS };
        let over = |keep_alive| AfterHead { framing: WriteFraming::Over, keep_alive };
        let (chunked, length) = (WriteFraming::Chunked { trailers: false }, WriteFraming::Length(5));
        for (response, has_body, facts, lines, after) in [
            (
                ok().header("content-length", "5"),
                true,
                FACTS,
                "Content-Length: 5",
                AfterHead { framing: length, keep_alive: true },
            ),
            (ok(), true, FACTS, "Transfer-Encoding: chunked", AfterHead { framing: chunked, keep_alive: true }),
            (ok(), false, FACTS, "Content-Length: 0", over(true)),
            (ok(), true, http10, "Connection: close", AfterHead { framing: WriteFraming::UntilEnd, keep_alive: false }),
            (ok(), false, http10, "Content-Length: 0\r\nConnection: keep-alive", over(true)),
            (
                ok(),
                false,
                AnswerFacts { keep_alive: false, ..FACTS },
                "Content-Length: 0\r\nConnection: close",
                over(false),
            ),
            (ok().header("connection", "close"), false, FACTS, "Connection: close\r\nContent-Length: 0", over(false)),
            (
                ok().header("content-length", "5"),
                true,
                AnswerFacts { to_head: true, ..FACTS },
                "Content-Length: 5",
                over(true),
            ),
            (
                Response::builder().status(304).header("content-length", "5"),
                false,
                FACTS,
                "Content-Length: 5",
                over(true),
            ),
            (Response::builder().status(204), false, FACTS, "", over(true)),
        ] {
            let (written, then) = written(response, has_body, facts);
            let written = written.split("\r\n").collect::<std::collections::BTreeSet<_>>();
            let expected = lines.split("\r\n").collect::<std::collections::BTreeSet<_>>();
            assert_eq!((written, then), (expected, after), "{lines}");
        }
    }

    #[test]
    fn a_head_says_when_it_was_written_and_why() {
        let parts = Response::builder().status(200).body(()).expect("valid").into_parts().0;
        let mut out = BytesMut::new();
        write(&parts, false, FACTS, &mut out);
        let text = String::from_utf8(out.to_vec()).expect("text");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nDate: ") && text.contains(" GMT\r\n"), "{text}");
        let parts = Response::builder().status(101).header("upgrade", "x").body(()).expect("valid").into_parts().0;
        out.clear();
        write(&parts, false, FACTS, &mut out);
        assert_eq!(&out[..], b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    }
}
