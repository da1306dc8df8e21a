//! A request on its way to a member: its head, and its body in the framing that the head tells of.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{header, request};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::head;
use crate::proxy::forward::body::RequestBody;

/// Bytes that most heads have room in.
const HEAD: usize = 1024;
/// A buffer that has had to hold more is not used again.
const KEPT: usize = 4 * 1024;

/// A request, as far as it has not been sent.
pub(super) struct RequestWriter {
    /// What goes out first: the head, the size of a chunk.
    before: BytesMut,
    /// A part of the body.
    part: Bytes,
    /// What goes out after that part.
    after: &'static [u8],
    body: RequestBody,
    coding: Coding,
    /// Whether the head is longer than those of most.
    big: bool,
    /// Whether anything has been sent.
    pub(super) begun: bool,
    /// Whether it is the client's body that broke off.
    pub(super) spoilt: bool,
}

/// How the body is sent.
enum Coding {
    /// So many bytes of it are to come.
    Length(u64),
    Chunked,
    /// All of it has been taken.
    Over,
}

impl RequestWriter {
    /// `before` is a buffer to use.
    ///
    /// # Errors
    /// The head does not tell how the body ends.
    pub(super) fn new(request: &request::Parts, body: RequestBody, mut before: BytesMut) -> io::Result<Self> {
        let headers = &request.headers;
        let length = headers.get(header::CONTENT_LENGTH).and_then(head::length);
        let coding = match length {
            // As the head says, whatever the body says.
            _ if headers.contains_key(header::TRANSFER_ENCODING) => Coding::Chunked,
            Some(length) if length > 0 || !body.is_end_stream() => Coding::Length(length),
            None if !body.is_end_stream() => return Err(io::Error::other("the request has a body of unknown length")),
            _ => Coding::Over,
        };
        before.reserve(HEAD);
        head::write(request, &mut before);
        let big = before.len() > KEPT;
        Ok(Self { big, before, part: Bytes::new(), after: b"", body, coding, begun: false, spoilt: false })
    }

    /// Lets the body go on, for which the member has asked.
    pub(super) fn go_on(&mut self) {
        self.body.go_on();
    }

    /// Whether the body waits for the member to ask for it.
    pub(super) fn is_held(&self) -> bool {
        self.body.is_held()
    }

    /// The buffer, to be used again.
    pub(super) fn into_buffer(self) -> BytesMut {
        if self.big { BytesMut::new() } else { self.before }
    }

    /// Sends what there is. Ready once all of it has been sent.
    ///
    /// # Errors
    /// The connection, or the client's body, broke off.
    pub(super) fn poll<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<()>> {
        loop {
            // The head goes out together with the first of the body, if that is there.
            let mut waits = false;
            if self.part.is_empty() && self.after.is_empty() {
                match self.poll_part(cx) {
                    Poll::Ready(Err(error)) => {
                        self.spoilt = true;
                        return Poll::Ready(Err(error));
                    }
                    part => waits = part.is_pending(),
                }
            }
            while !(self.before.is_empty() && self.part.is_empty() && self.after.is_empty()) {
                ready!(self.poll_write(cx, to))?;
            }
            if waits || matches!(self.coding, Coding::Over) {
                ready!(Pin::new(to).poll_flush(cx))?;
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
        }
    }

    /// Takes the next part of the body, if there is one.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.coding, Coding::Over) {
            return Poll::Ready(Ok(()));
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(frame) => frame.map_err(io::Error::other)?,
            None => return Poll::Ready(self.end()),
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                if let (Coding::Chunked, Ok(trailers)) = (&self.coding, frame.into_trailers()) {
                    self.before.put_slice(b"0\r\n");
                    head::fields(&trailers, &mut self.before);
                    self.before.put_slice(b"\r\n");
                    self.coding = Coding::Over;
                }
                return Poll::Ready(Ok(()));
            }
        };
        match &mut self.coding {
            // An empty chunk would be the last.
            Coding::Chunked if data.is_empty() => return Poll::Ready(Ok(())),
            Coding::Chunked => {
                let _ = write!((&mut self.before).writer(), "{:X}\r\n", data.len());
                self.after = b"\r\n";
            }
            Coding::Length(left) => {
                let less = left.checked_sub(data.len() as u64);
                *left = less.ok_or_else(|| io::Error::other("the request's body is longer than its Content-Length"))?;
            }
            Coding::Over => {}
        }
        self.part = data;
        if self.body.is_end_stream() {
            self.end()?;
        }
        Poll::Ready(Ok(()))
    }

    /// No more comes of the body.
    fn end(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.coding, Coding::Over) {
            Coding::Length(1..) => {
                return Err(io::Error::other("the request's body is shorter than its Content-Length"));
            }
            Coding::Chunked if self.after.is_empty() => self.before.put_slice(b"0\r\n\r\n"),
            Coding::Chunked => self.after = b"\r\n0\r\n\r\n",
            Coding::Length(0) | Coding::Over => {}
        }
        Ok(())
    }

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
        self.begun = true;
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
        let mut sending =
            RequestWriter::new(&request.into_parts().0, RequestBody::empty(), BytesMut::new()).expect("valid");
        let sent = tokio::spawn(async move {
            std::future::poll_fn(|cx| sending.poll(cx, &mut near)).await.expect("sent");
            assert!(sending.begun && sending.into_buffer().is_empty());
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
        let mut sending =
            RequestWriter::new(&request.into_parts().0, RequestBody::empty(), BytesMut::new()).expect("valid");
        assert!(!sending.begun);
        assert!(sending.poll(&mut Context::from_waker(Waker::noop()), &mut near).is_pending());
        assert!(sending.begun);
    }
}
