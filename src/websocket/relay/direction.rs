//! One direction of a session: what is read from one peer and written to the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::Stream;
use crate::websocket::Frames;

/// What flows from one peer to the other.
#[derive(Default)]
pub(super) struct Direction {
    /// Bytes that the writer could not take yet. Empty, and without heap, while it keeps up.
    pending: Vec<u8>,
    /// How many of `pending` have been written.
    written: usize,
    /// Whether the writer may hold bytes back until flushed.
    dirty: bool,
    /// A Close that waits for its frame boundary.
    pub(super) closing: Option<Vec<u8>>,
    frames: Frames,
    state: State,
    reader_ended: bool,
    /// Whether the reader's end without a Close, between two frames, is kept from the writer.
    pub(super) hold: bool,
    pub(super) bytes: u64,
    /// Why the direction ended, if not by the reader's word.
    pub(super) failure: Option<io::Error>,
}

#[derive(Default, PartialEq)]
enum State {
    #[default]
    Open,
    /// The reader has ended; the writer is still to be told.
    ReadEnded,
    Done,
}

impl Direction {
    pub(super) fn new(first: &[u8]) -> Self {
        let mut direction = Self { pending: first.to_vec(), bytes: first.len() as u64, ..Self::default() };
        direction.frames.observe(first);
        direction
    }

    /// Whether the reading side has said that it is done.
    pub(super) fn ended(&self) -> bool {
        self.frames.close_seen() || self.state != State::Open
    }

    /// Whether the reader has closed or ended. False where it was the writer that failed.
    pub(super) fn reader_done(&self) -> bool {
        self.frames.close_seen() || self.reader_ended
    }

    /// Whether the reader has just been found to have reset its stream.
    pub(super) fn reader_reset(&self) -> bool {
        let reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
        self.reader_ended && self.failure.as_ref().is_some_and(reset)
    }

    /// Whether the reader's end is being kept from the writer.
    pub(super) fn held(&self) -> bool {
        self.hold && self.state == State::ReadEnded && self.frames.at_boundary() && !self.frames.close_seen()
    }

    /// Moves bytes until the reader has ended and the writer has been told. A stream that fails ends this direction
    /// alone: what flows the other way may still arrive.
    pub(super) fn poll_relay<R: Stream, W: Stream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self.poll_move(reader, writer, scratch, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(error)) => {
                self.failure = Some(error);
                self.pending = Vec::new();
                self.state = State::Done;
                Poll::Ready(())
            }
        }
    }

    fn poll_move<R: Stream, W: Stream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.state == State::Done {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_pending(writer, cx))?;
            if self.held() {
                self.flush(writer, cx)?;
                return Poll::Pending;
            }
            if self.state == State::ReadEnded {
                // A writer that is gone already needs not be told.
                let _ = ready!(Pin::new(&mut *writer).poll_shutdown(cx));
                self.state = State::Done;
                continue;
            }
            let bytes = match poll_read(reader, scratch, cx) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => bytes,
                Poll::Ready(result) => {
                    self.failure = result.err();
                    self.state = State::ReadEnded;
                    self.reader_ended = true;
                    continue;
                }
                Poll::Pending => {
                    self.flush(writer, cx)?;
                    return Poll::Pending;
                }
            };
            self.frames.observe(bytes);
            self.bytes += bytes.len() as u64;
            self.write(writer, bytes, cx)?;
        }
    }

    /// Passes on the rest of the current frame, then the gateway's Close, then nothing more; ready when the reader
    /// has closed too. A writer that has gone is not told; its reader's answer is waited for all the same.
    pub(super) fn poll_close<R: Stream, W: Stream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.state != State::Done {
            match self.poll_tell(writer, scratch, reader, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                Poll::Ready(Err(_)) => self.state = State::Done,
            }
        }
        while !self.reader_done() {
            match ready!(poll_read(reader, scratch, cx)) {
                Ok(bytes) if !bytes.is_empty() => self.frames.observe(bytes),
                _ => self.reader_ended = true,
            }
        }
        Poll::Ready(())
    }

    /// The part of [`Self::poll_close`] that writes. Fails when the writer does.
    fn poll_tell<R: Stream, W: Stream>(
        &mut self,
        writer: &mut W,
        scratch: &mut [u8],
        reader: &mut R,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_pending(writer, cx))?;
            if self.frames.at_boundary()
                && let Some(close) = self.closing.take()
                && !self.frames.close_seen()
            {
                self.pending = close;
                continue;
            }
            self.flush(writer, cx)?;
            if self.reader_done() {
                // Within a frame that will not be completed there is nothing to say.
                self.closing = None;
                return if self.dirty { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            let bytes = match ready!(poll_read(reader, scratch, cx)) {
                Ok(bytes) if !bytes.is_empty() => bytes,
                _ => {
                    self.reader_ended = true;
                    continue;
                }
            };
            let passed = if self.closing.is_some() { self.frames.observe_to_boundary(bytes) } else { 0 };
            self.bytes += passed as u64;
            self.write(writer, &bytes[..passed], cx)?;
            if self.closing.is_none() {
                self.frames.observe(&bytes[passed..]);
            } else if passed < bytes.len() {
                // What came behind the boundary is not passed on, but may be the peer's Close.
                self.frames.observe(&bytes[passed..]);
                self.pending.extend(self.closing.take().unwrap_or_default());
            }
        }
    }

    /// Writes what it can; keeps the rest.
    fn write<W: Stream>(&mut self, writer: &mut W, mut bytes: &[u8], cx: &mut Context<'_>) -> io::Result<()> {
        while !bytes.is_empty() {
            self.dirty = true;
            match Pin::new(&mut *writer).poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => bytes = &bytes[count..],
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.pending = bytes.to_vec();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes what was kept, and gives its memory back.
    fn poll_pending<W: Stream>(&mut self, writer: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            self.dirty = true;
            match ready!(Pin::new(&mut *writer).poll_write(cx, &self.pending[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        if !self.pending.is_empty() {
            self.pending = Vec::new();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Flushes as far as the writer can now; it wakes the task when it can do more.
    fn flush<W: Stream>(&mut self, writer: &mut W, cx: &mut Context<'_>) -> io::Result<()> {
        if self.dirty {
            match Pin::new(writer).poll_flush(cx) {
                Poll::Ready(result) => {
                    result?;
                    self.dirty = false;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }
}

/// Ends the writing half, and reads to the end of the other.
pub(super) fn poll_discard<S: Stream>(stream: &mut S, scratch: &mut [u8], cx: &mut Context<'_>) -> Poll<()> {
    // Both are over when they fail.
    let _ = ready!(Pin::new(&mut *stream).poll_shutdown(cx));
    loop {
        match ready!(poll_read(stream, scratch, cx)) {
            Ok(bytes) if !bytes.is_empty() => {}
            _ => return Poll::Ready(()),
        }
    }
}

/// Reads what there is; empty at the end of the stream. TLS peers that leave without a close_notify have ended too.
fn poll_read<'a, R: Stream>(reader: &mut R, scratch: &'a mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<&'a [u8]>> {
    let mut buffer = ReadBuf::new(scratch);
    match ready!(Pin::new(reader).poll_read(cx, &mut buffer)) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Poll::Ready(Err(error)),
        _ => {}
    }
    let count = buffer.filled().len();
    Poll::Ready(Ok(&scratch[..count]))
}
