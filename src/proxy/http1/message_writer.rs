//! Writes a message: its head, and its body in the framing that the head announces (RFC 9112 sections 6 and 7).

use std::error::Error;
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body::Body;
use tokio::io::AsyncWrite;

use super::fields;

/// The part of a message that has not been sent.
pub(in crate::proxy) struct MessageWriter<B> {
    /// Sent first: the head, or the size of a chunk.
    before: BytesMut,
    /// Sent next: a part of the body.
    part: Bytes,
    /// Sent after that part: the end of a chunk.
    after: &'static [u8],
    body: B,
    framing: WriteFraming,
    /// Bytes that have been sent.
    sent: u64,
}

/// The framing of a body that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum WriteFraming {
    /// By its length: so many bytes are to come.
    Length(u64),
    Chunked {
        /// Whether the receiver takes trailers.
        trailers: bool,
    },
    /// By the end of the connection.
    UntilEnd,
    /// All of the body has been taken, or there is none.
    Over,
}

/// Why a message was not sent whole.
#[derive(Debug)]
pub(in crate::proxy) enum WriteError {
    /// Its body broke off. All that came before has been sent, unless nothing came of it: then the head may have been left.
    Body(io::Error),
    /// The connection broke off.
    Connection(io::Error),
}

impl<B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin> MessageWriter<B> {
    /// A message of which nothing has been sent. `head` is its head, as it is on the wire.
    pub(in crate::proxy) fn new(head: BytesMut, body: B, framing: WriteFraming) -> Self {
        Self { before: head, part: Bytes::new(), after: b"", body, framing, sent: 0 }
    }

    pub(in crate::proxy) fn body(&mut self) -> &mut B {
        &mut self.body
    }

    /// Bytes that have been sent.
    pub(in crate::proxy) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether nothing is left to be sent of what has come.
    pub(in crate::proxy) fn is_flushed(&self) -> bool {
        self.before.is_empty() && self.part.is_empty() && self.after.is_empty()
    }

    /// The buffer of the head, which is empty once all has been sent.
    pub(in crate::proxy) fn into_buffer(self) -> BytesMut {
        self.before
    }

    /// Sends what there is. Ready once all of the message has been sent.
    ///
    /// # Errors
    /// The connection, or the body, broke off.
    pub(in crate::proxy) fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<Result<(), WriteError>> {
        loop {
            // The head is sent together with the first part of the body, if that is there.
            let mut waits = false;
            if self.part.is_empty() && self.after.is_empty() {
                match self.poll_part(cx) {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(WriteError::Body(error))),
                    part => waits = part.is_pending(),
                }
            }
            while !self.is_flushed() {
                ready!(self.poll_write(cx, to)).map_err(WriteError::Connection)?;
            }
            if waits || self.framing == WriteFraming::Over {
                ready!(Pin::new(to).poll_flush(cx)).map_err(WriteError::Connection)?;
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
        }
    }

    /// Sends what is left of a message whose body broke off.
    ///
    /// # Errors
    /// The connection broke off.
    pub(in crate::proxy) fn poll_rest<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.is_flushed() {
            ready!(self.poll_write(cx, to))?;
        }
        Pin::new(to).poll_flush(cx)
    }

    /// Takes the next part of the body, if there is one.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.framing == WriteFraming::Over {
            return Poll::Ready(Ok(()));
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(frame) => frame.map_err(io::Error::other)?,
            None => return Poll::Ready(self.end()),
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                if let (WriteFraming::Chunked { trailers: true }, Ok(trailers)) = (self.framing, frame.into_trailers())
                {
                    self.before.put_slice(b"0\r\n");
                    fields::write(&trailers, &mut self.before);
                    self.before.put_slice(b"\r\n");
                    self.framing = WriteFraming::Over;
                }
                return Poll::Ready(Ok(()));
            }
        };
        match &mut self.framing {
            // An empty chunk would be the last.
            WriteFraming::Chunked { .. } if data.is_empty() => return Poll::Ready(Ok(())),
            WriteFraming::Chunked { .. } => {
                let _ = write!((&mut self.before).writer(), "{:X}\r\n", data.len());
                self.after = b"\r\n";
            }
            WriteFraming::Length(left) => {
                let less = left.checked_sub(data.len() as u64);
                *left = less.ok_or_else(|| io::Error::other("the body is longer than its Content-Length"))?;
            }
            WriteFraming::UntilEnd | WriteFraming::Over => {}
        }
        self.part = data;
        if self.body.is_end_stream() {
            self.end()?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes note of the body's end.
    fn end(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.framing, WriteFraming::Over) {
            WriteFraming::Length(1..) => return Err(io::Error::other("the body is shorter than its Content-Length")),
            WriteFraming::Chunked { .. } if self.after.is_empty() => self.before.put_slice(b"0\r\n\r\n"),
            WriteFraming::Chunked { .. } => self.after = b"\r\n0\r\n\r\n",
            WriteFraming::Length(0) | WriteFraming::UntilEnd | WriteFraming::Over => {}
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
        self.sent += sent as u64;
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
