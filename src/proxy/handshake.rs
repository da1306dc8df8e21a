//! The opening handshake with a member, on a connection of its own. hyper comes in only where the answer is
//! another than a 101 of the usual size.

use std::io::{self, Write as _};

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::pool::dial::Stream;

/// Bytes that most answers have room in.
const FEW: usize = 1024;
/// Bytes and headers that a 101 may have; one with more is hyper's to read.
const MOST: (usize, usize) = (16 * 1024, 64);
/// With what a 101 begins.
const SWITCHING: &[u8] = b"HTTP/1.1 101 ";

/// What a member makes of it.
pub(super) enum Answer {
    /// It switches protocols; the bytes are the first of the new one.
    Switched(Response<()>, Stream, Bytes),
    /// It says something else.
    Other(Stream),
}

/// Asks for an upgrade. `request` has no body.
///
/// # Errors
/// The connection broke, or was closed before the answer was whole.
pub(super) async fn ask<B>(mut stream: Stream, request: &Request<B>) -> io::Result<Answer> {
    // A member may refuse a long request before it has taken all of it.
    let sent = send(&mut stream, &head(request)).await;
    let mut read = BytesMut::with_capacity(FEW);
    loop {
        match stream.read_buf(&mut read).await {
            Ok(0) => return Err(sent.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) => return Err(sent.err().unwrap_or(error)),
        }
        match switched(&read) {
            Read::Part => {}
            Read::Whole(response, length) => {
                sent?;
                let first = read.split_off(length).freeze();
                return Ok(Answer::Switched(response, stream, first));
            }
            Read::Other => return Ok(Answer::Other(Stream::asked(stream, read.freeze()))),
        }
    }
}

async fn send(stream: &mut Stream, head: &[u8]) -> io::Result<()> {
    stream.write_all(head).await?;
    stream.flush().await
}

/// The request as it is sent.
fn head<B>(request: &Request<B>) -> Vec<u8> {
    let mut head = Vec::with_capacity(FEW);
    // A vector takes everything.
    let _ = write!(head, "{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        write_name(name.as_str(), &mut head);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Writes a name in the usual case, and those of RFC 6455 as it has them: there are backends that look for that.
fn write_name(name: &str, head: &mut Vec<u8>) {
    let rest = name.strip_prefix("sec-websocket-");
    if rest.is_some() {
        head.extend_from_slice(b"Sec-WebSocket-");
    }
    let mut first = true;
    head.extend(rest.unwrap_or(name).bytes().map(|byte| {
        let written = if first { byte.to_ascii_uppercase() } else { byte };
        first = byte == b'-';
        written
    }));
}

/// What has been read of an answer.
enum Read {
    Part,
    /// A 101, and its length.
    Whole(Response<()>, usize),
    Other,
}

fn switched(read: &[u8]) -> Read {
    if !read.starts_with(&SWITCHING[..read.len().min(SWITCHING.len())]) {
        return Read::Other;
    }
    let mut lines = [httparse::EMPTY_HEADER; MOST.1];
    let mut parsed = httparse::Response::new(&mut lines);
    let length = match parsed.parse(read) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if read.len() < MOST.0 => return Read::Part,
        _ => return Read::Other,
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for line in parsed.headers {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(line.name.as_bytes()), HeaderValue::from_bytes(line.value))
        else {
            return Read::Other;
        };
        response.headers_mut().append(name, value);
    }
    Read::Whole(response, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_hyper_would_but_for_the_names_of_the_rfc() {
        let request = Request::get("/chat?x=1")
            .header("host", "a.example")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("x-forwarded-for", "192.0.2.1")
            .header("x-forwarded-for", "192.0.2.2")
            .body(())
            .expect("valid");
        let expected = "GET /chat?x=1 HTTP/1.1\r\nHost: a.example\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n";
        assert_eq!(String::from_utf8(head(&request)).expect("text"), expected);
    }

    #[test]
    fn a_101_is_read_when_it_is_whole_and_nothing_else_is() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A: 1\r\nx-a: 2\r\n\r\n";
        for length in 0..answer.len() {
            assert!(matches!(switched(&answer[..length]), Read::Part), "{length}");
        }
        let Read::Whole(response, length) = switched(&[&answer[..], b"first"].concat()) else { panic!("whole") };
        assert_eq!(length, answer.len());
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
        let long = format!("HTTP/1.1 101 Switching Protocols\r\nX-Long: {}", "x".repeat(MOST.0));
        let many = format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n", "X-A: 1\r\n".repeat(MOST.1 + 1));
        for other in
            ["HTTP/1.1 200 OK\r\n", "HTTP/1.0 101 X\r\n\r\n", "HTTP/1.1 101 X\r\nA B: 1\r\n\r\n", "junk", &long, &many]
        {
            assert!(matches!(switched(other.as_bytes()), Read::Other), "{other}");
        }
    }
}
