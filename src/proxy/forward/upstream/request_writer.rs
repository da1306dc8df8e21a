//! Writes a request to a member, and knows what has become of it.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::{header, request};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::head;
use crate::proxy::forward::request_body::RequestBody;
use crate::proxy::http1::message_writer::{MessageWriter, WriteError, WriteFraming};
use crate::proxy::limits::MAX_KEPT_WRITE_BUFFER_BYTES;

/// Capacity that is enough for most heads.
const HEAD_CAPACITY: usize = 1024;

/// The part of a request that has not been sent.
pub(super) struct RequestWriter {
    message: MessageWriter<RequestBody>,
    /// Whether the buffer is used again: not one that has had to hold a large head.
    reuse_buffer: bool,
    body_failed: bool,
}

/// What has become of a request that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy::forward) enum RequestFate {
    /// No byte of it has been sent.
    Unsent,
    /// Some or all of it has been sent.
    Begun,
    /// The client's body broke off.
    BodyFailed,
}

impl RequestWriter {
    /// A request of which nothing has been sent. `buffer` is a buffer to use.
    ///
    /// # Errors
    /// The head does not say how the body ends.
    pub(super) fn new(request: &request::Parts, body: RequestBody, mut buffer: BytesMut) -> io::Result<Self> {
        let headers = &request.headers;
        let length = headers.get(header::CONTENT_LENGTH).and_then(head::length);
        let framing = match length {
            // The head counts, whatever the body says.
            _ if headers.contains_key(header::TRANSFER_ENCODING) => WriteFraming::Chunked { trailers: true },
            Some(length) if length > 0 || !body.is_end_stream() => WriteFraming::Length(length),
            None if !body.is_end_stream() => return Err(io::Error::other("the request has a body of unknown length")),
            _ => WriteFraming::Over,
        };
        buffer.reserve(HEAD_CAPACITY);
        head::write(request, &mut buffer);
        let reuse_buffer = buffer.len() <= MAX_KEPT_WRITE_BUFFER_BYTES;
        Ok(Self { message: MessageWriter::new(buffer, body, framing), reuse_buffer, body_failed: false })
    }

    /// What would have become of the request if the connection broke off now.
    pub(super) fn fate(&self) -> RequestFate {
        match self.message.sent() {
            _ if self.body_failed => RequestFate::BodyFailed,
            0 => RequestFate::Unsent,
            1.. => RequestFate::Begun,
        }
    }

    /// Releases the body, which the member has asked for (100 Continue).
    pub(super) fn release_body(&mut self) {
        self.message.body().release();
    }

    /// Whether the body waits until the member asks for it.
    pub(super) fn is_held(&mut self) -> bool {
        self.message.body().is_held()
    }

    /// The buffer, for the next request.
    pub(super) fn into_buffer(self) -> BytesMut {
        if self.reuse_buffer { self.message.into_buffer() } else { BytesMut::new() }
    }

    /// Sends what there is. Ready once all of the request has been sent.
    ///
    /// # Errors
    /// The connection, or the client's body, broke off.
    pub(super) fn poll<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<()>> {
        Poll::Ready(match ready!(self.message.poll(cx, to)) {
            Ok(()) => Ok(()),
            Err(WriteError::Connection(error)) => Err(error),
            Err(WriteError::Body(error)) => {
                self.body_failed = true;
                Err(error)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http::Request;
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn a_head_goes_out_through_a_narrow_connection() {
        let (mut near, mut far) = duplex(16);
        let request = Request::get("/a").header("x-long", "x".repeat(100)).body(()).expect("valid");
        let mut writer =
            RequestWriter::new(&request.into_parts().0, RequestBody::empty(), BytesMut::new()).expect("valid");
        let sent = tokio::spawn(async move {
            std::future::poll_fn(|cx| writer.poll(cx, &mut near)).await.expect("sent");
            assert_eq!(writer.fate(), RequestFate::Begun);
            assert!(writer.into_buffer().is_empty());
        });
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.expect("text");
        sent.await.expect("no panic");
        assert_eq!(heard, format!("GET /a HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(100)));
    }

    #[test]
    fn nothing_has_begun_before_a_byte_has_gone() {
        let (mut near, _far) = duplex(1);
        let request = Request::get("/a").body(()).expect("valid");
        let mut writer =
            RequestWriter::new(&request.into_parts().0, RequestBody::empty(), BytesMut::new()).expect("valid");
        assert_eq!(writer.fate(), RequestFate::Unsent);
        assert!(writer.poll(&mut Context::from_waker(Waker::noop()), &mut near).is_pending());
        assert_eq!(writer.fate(), RequestFate::Begun);
    }
    #[test]
    fn a_buffer_that_held_a_large_head_is_not_kept() {
        let capacity_after = |length: usize| {
            let request = Request::get("/").header("x", "x".repeat(length)).body(()).expect("valid").into_parts().0;
            let writer = RequestWriter::new(&request, RequestBody::empty(), BytesMut::new()).expect("valid");
            writer.into_buffer().capacity()
        };
        let rest = "GET / HTTP/1.1\r\nX: \r\n\r\n".len();
        assert!(capacity_after(MAX_KEPT_WRITE_BUFFER_BYTES - rest) > 0);
        assert_eq!(capacity_after(MAX_KEPT_WRITE_BUFFER_BYTES - rest + 1), 0);
    }
}
