//! WebSocket over HTTP/2 (RFC 8441): an extended CONNECT goes on as a handshake of HTTP/1.1, and its stream becomes the
//! client's side of the session.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{self, HeaderValue};
use http::{Method, StatusCode, request, response};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::websocket::{Handshake, RequestFault};

/// The `:protocol` of an extended CONNECT. `None`: it is none.
pub(super) fn protocol(parts: &request::Parts) -> Option<&str> {
    parts.extensions.get::<Protocol>().map(Protocol::as_str)
}

/// Makes a handshake of HTTP/1.1 of an extended CONNECT; marking it as an upgrade is left to the caller.
///
/// # Errors
/// It is no valid handshake.
pub(super) fn request(parts: &mut request::Parts) -> Result<Handshake, RequestFault> {
    let (handshake, key) = Handshake::extended(&parts.headers)?;
    parts.extensions.remove::<Protocol>();
    parts.method = Method::GET;
    // It has no body, whatever it says of one.
    for name in [header::CONTENT_LENGTH, header::EXPECT] {
        parts.headers.remove(name);
    }
    let key = HeaderValue::from_str(&key).expect("base64");
    parts.headers.insert(header::SEC_WEBSOCKET_KEY, key);
    Ok(handshake)
}

/// Makes a backend's 101, without what is about its connection alone, the answer that opens the client's stream.
pub(super) fn grant(parts: &mut response::Parts) {
    parts.status = StatusCode::OK;
    for name in [header::SEC_WEBSOCKET_ACCEPT, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
}

/// The client's side of a session over HTTP/2.
pub(super) struct ClientStream {
    stream: TokioIo<Upgraded>,
    /// Whether its end has been seen, and the half that sends has had time to find out why.
    ended: bool,
}

impl ClientStream {
    pub(super) fn new(stream: Upgraded) -> Self {
        Self { stream: TokioIo::new(stream), ended: false }
    }
}

impl AsyncRead for ClientStream {
    /// hyper gives the same end to a stream that its client has ended and to one that it has cancelled. Of the latter the
    /// half that sends knows: its task is woken together with this one, so it has run when this one comes again.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let reset = |error| io::Error::new(io::ErrorKind::ConnectionReset, error);
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf)).map_err(reset)?;
        if buf.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        if !self.ended {
            self.ended = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(reset(error))),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
