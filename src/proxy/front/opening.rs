//! The first bytes of a connection, before TLS and HTTP: what they are, and the header of the PROXY protocol.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::http1;
use crate::proxy::client::last_bytes::send_last;
use crate::proxy::client::proxy_header::{self, Parsed, ProxyHeader};
use crate::proxy::limits::MAX_PROXY_HEADER_BYTES;
use crate::proxy::request::refusal::Refusal;

/// Time between two looks at what a client has sent, until it shows what it is.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);
/// The preface of HTTP/2 (RFC 9113 section 3.4), as far as it is unlike any request of HTTP/1.1.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A header of the PROXY protocol.
    ProxyHeader,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// Anything else: TLS, HTTP/1.1, or nothing.
    Other,
}

/// Why no header of the PROXY protocol could be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    /// The connection begins with something else.
    #[error("there is no header of the PROXY protocol, which --proxy-protocol asks for at this port")]
    Missing,
    /// The header can't be read.
    #[error("the header of the PROXY protocol is malformed: {0}")]
    Malformed(&'static str),
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] io::Error),
}

impl Opening {
    /// Looks at the first bytes; nothing is taken from the stream.
    pub(super) async fn look(stream: &TcpStream) -> Self {
        let mut seen = [0; HTTP2_PREFACE.len()];
        loop {
            let count = stream.peek(&mut seen).await.unwrap_or(0);
            match Self::of(&seen[..count]) {
                Some(opening) => return opening,
                None if count == 0 => return Self::Other,
                None => tokio::time::sleep(CHECK_INTERVAL).await,
            }
        }
    }

    /// What bytes are the beginning of; `None` as long as that is open.
    fn of(bytes: &[u8]) -> Option<Self> {
        let starts = proxy_header::STARTS.map(|start| (start, Self::ProxyHeader));
        let mut starts = starts.into_iter().chain([(HTTP2_PREFACE, Self::Http2)]);
        if let Some((_, opening)) = starts.clone().find(|(start, _)| bytes.starts_with(start)) {
            return Some(opening);
        }
        (!starts.any(|(start, _)| start.starts_with(bytes))).then_some(Self::Other)
    }
}

/// Takes the header of the PROXY protocol off a stream.
///
/// # Errors
/// There is none, or it can't be read.
pub(super) async fn take_proxy_header(stream: &mut TcpStream) -> Result<ProxyHeader, ProxyHeaderError> {
    let mut seen = vec![0; MAX_PROXY_HEADER_BYTES];
    loop {
        let count = stream.peek(&mut seen).await?;
        match proxy_header::parse(&seen[..count]) {
            Parsed::Header(header, length) => {
                stream.read_exact(&mut seen[..length]).await?;
                return Ok(header);
            }
            Parsed::Incomplete if count == 0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Parsed::Incomplete => tokio::time::sleep(CHECK_INTERVAL).await,
            Parsed::Absent => return Err(ProxyHeaderError::Missing),
            Parsed::Malformed(fault) => return Err(ProxyHeaderError::Malformed(fault)),
        }
    }
}

/// Answers a client in clear text whose connection is not served, and closes it.
pub(super) async fn refuse(stream: TcpStream, refusal: Refusal) {
    send_last(stream, &http1::encoded(&refusal.into_response(false))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_known_by_its_first_bytes() {
        for (bytes, opening) in [
            (&b"GET / HTTP/1.1"[..], Some(Opening::Other)),
            (b"\x16\x03\x01", Some(Opening::Other)),
            (b"POST /", Some(Opening::Other)),
            (b"PROXY / HTTP/1", Some(Opening::Other)),
            (b"\r\nGET / HTTP/1", Some(Opening::Other)),
            (b"PR", None),
            (b"PROXY ", None),
            (b"\r\n", None),
            (b"PROXY TCP4 192", Some(Opening::ProxyHeader)),
            (b"PROXY UNKNOWN\r", Some(Opening::ProxyHeader)),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", Some(Opening::ProxyHeader)),
            (b"PRI * HTTP/2.0", Some(Opening::Http2)),
        ] {
            assert_eq!(Opening::of(bytes), opening, "{bytes:?}");
        }
    }
}
