//! Writes a request to a member: its head, and its body in the framing that the head announces.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{header, request};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::head;
use crate::proxy::forward::request_body::RequestBody;
use crate::proxy::limits::MAX_KEPT_WRITE_BUFFER_BYTES;

/// Capacity that is enough for most heads.
const HEAD_CAPACITY: usize = 1024;

/// The part of a request that has not been sent.
pub(super) struct RequestWriter {
    /// Sent first: the head, or the size of a chunk.
    before: BytesMut,
    /// Sent next: a part of the body.
    part: Bytes,
    /// Sent after that part: the end of a chunk.
    after: &'static [u8],
    body: RequestBody,
    framing: RequestFraming,
    /// Whether the buffer is used again: not one that has had to hold a large head.
    reuse_buffer: bool,
    fate: RequestFate,
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

/// The framing of a request's body.
enum RequestFraming {
    /// By its length: so many bytes are to come.
    Length(u64),
    Chunked,
    /// All of the body has been taken.
    Over,
}

impl RequestWriter {
    /// A request of which nothing has been sent. `before` is a buffer to use.
    ///
    /// # Errors
    /// The head does not say how the body ends.
    pub(super) fn new(request: &request::Parts, body: RequestBody, mut before: BytesMut) -> io::Result<Self> {
        let headers = &request.headers;
        let length = headers.get(header::CONTENT_LENGTH).and_then(head::length);
        let framing = match length {
            // The head counts, whatever the body says.
            _ if headers.contains_key(header::TRANSFER_ENCODING) => RequestFraming::Chunked,
            Some(length) if length > 0 || !body.is_end_stream() => RequestFraming::Length(length),
            None if !body.is_end_stream() => return Err(io::Error::other("the request has a body of unknown length")),
            _ => RequestFraming::Over,
        };
        before.reserve(HEAD_CAPACITY);
        head::write(request, &mut before);
        let reuse_buffer = before.len() <= MAX_KEPT_WRITE_BUFFER_BYTES;
        let fate = RequestFate::Unsent;
        Ok(Self { before, part: Bytes::new(), after: b"", body, framing, reuse_buffer, fate })
    }

    /// What would have become of the request if the connection broke off now.
    pub(super) fn fate(&self) -> RequestFate {
        self.fate
    }

    /// Releases the body, which the member has asked for (100 Continue).
    pub(super) fn release_body(&mut self) {
        self.body.release();
    }

    /// Whether the body waits until the member asks for it.
    pub(super) fn is_held(&self) -> bool {
        self.body.is_held()
    }

    /// The buffer, for the next request.
    pub(super) fn into_buffer(self) -> BytesMut {
        if self.reuse_buffer { self.before } else { BytesMut::new() }
    }

    /// Sends what there is. Ready once all of the request has been sent.
    ///
    /// # Errors
    /// The connection, or the client's body, broke off.
    pub(super) fn poll<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<()>> {
        loop {
            // The head is sent together with the first part of the body, if that is there.
            let mut waits = false;
            if self.part.is_empty() && self.after.is_empty() {
                match self.poll_part(cx) {
                    Poll::Ready(Err(error)) => {
                        self.fate = RequestFate::BodyFailed;
                        return Poll::Ready(Err(error));
                    }
                    part => waits = part.is_pending(),
                }
            }
            while !(self.before.is_empty() && self.part.is_empty() && self.after.is_empty()) {
                ready!(self.poll_write(cx, to))?;
            }
            if waits || matches!(self.framing, RequestFraming::Over) {
                ready!(Pin::new(to).poll_flush(cx))?;
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
        }
    }

    /// Takes the next part of the body, if there is one.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.framing, RequestFraming::Over) {
            return Poll::Ready(Ok(()));
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(frame) => frame.map_err(io::Error::other)?,
            None => return Poll::Ready(self.end()),
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                if let (RequestFraming::Chunked, Ok(trailers)) = (&self.framing, frame.into_trailers()) {
                    self.before.put_slice(b"0\r\n");
                    head::fields(&trailers, &mut self.before);
                    self.before.put_slice(b"\r\n");
                    self.framing = RequestFraming::Over;
                }
                return Poll::Ready(Ok(()));
            }
        };
        match &mut self.framing {
            // An empty chunk would be the last.
            RequestFraming::Chunked if data.is_empty() => return Poll::Ready(Ok(())),
            RequestFraming::Chunked => {
                let _ = write!((&mut self.before).writer(), "{:X}\r\n", data.len());
                self.after = b"\r\n";
            }
            RequestFraming::Length(left) => {
                let less = left.checked_sub(data.len() as u64);
                *left = less.ok_or_else(|| io::Error::other("the request's body is longer than its Content-Length"))?;
            }
            RequestFraming::Over => {}
        }
        self.part = data;
        if self.body.is_end_stream() {
            self.end()?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes note of the body's end.
    fn end(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.framing, RequestFraming::Over) {
            RequestFraming::Length(1..) => {
                return Err(io::Error::other("the request's body is shorter than its Content-Length"));
            }
            RequestFraming::Chunked if self.after.is_empty() => self.before.put_slice(b"0\r\n\r\n"),
            RequestFraming::Chunked => self.after = b"\r\n0\r\n\r\n",
            RequestFraming::Length(0) | RequestFraming::Over => {}
        }
        Ok(())
    }

    /// Writes once.
    fn poll_write<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<()>> {
        let Self { before, part, after, .. } = self;
        let sent = if part.is_empty() && after.is_empty() {
            Pin::new(to).poll_write(cx, before)
        } else {
            let slices = [IoSlice::new(before), IoSlice::new(part), IoSlice::new(after)];
            Pin::new(to).poll_write_vectored(cx, &slices)
        };
        let mut sent = ready!(sent)?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.fate = RequestFate::Begun;
        let mut of = |length: usize| {
            let some = sent.min(length);
            sent -= some;
            some
        };
        before.advance(of(before.len()));
        part.advance(of(part.len()));
        *after = &after[of(after.len())..];
        Poll::Ready(Ok(()))
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
