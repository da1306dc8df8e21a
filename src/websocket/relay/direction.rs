//! One direction of a session: what is read from one peer and written to the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use super::Stream;
use super::gate::Gate;
use crate::websocket::counters::Counters;
use crate::websocket::frame::ping_frame;
use crate::websocket::{Frames, Why, close_frame};

/// What flows from one peer to the other.
#[derive(Default)]
pub(super) struct Direction {
    /// Bytes that the writer could not take yet. Empty, and without heap, while it keeps up.
    pending: Vec<u8>,
    /// How many of `pending` have been written.
    written: usize,
    /// Whether the writer may hold bytes back until flushed.
    dirty: bool,
    /// Whether the writer is a server, to whom frames are masked.
    to_server: bool,
    /// Whether a Ping of the gateway's waits for its boundary.
    pub(super) ping: bool,
    /// A Close that waits for its boundary, to be the last.
    pub(super) closing: Option<Box<[u8]>>,
    pub(super) frames: Frames,
    /// What the reader may send.
    pub(super) gate: Option<Box<Gate>>,
    state: State,
    reader_ended: bool,
    /// Whether the reader's end without a Close, between two frames, is kept from the writer.
    pub(super) hold: bool,
    /// Bytes that came with the handshake.
    first: Box<[u8]>,
    /// Whether the writer was too slow for what it was given.
    blocked: bool,
    moved: Moved,
    /// Why the direction ended, if not by the reader's word.
    pub(super) failure: Option<io::Error>,
}

/// Signs of life since they were last asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moved {
    /// Bytes came from the reader.
    pub(super) read: bool,
    /// They were of Pong frames alone.
    pub(super) pong_alone: bool,
    /// The writer took bytes after it had been too slow for them.
    pub(super) wrote: bool,
    /// The gateway's Ping has been put between the reader's frames.
    pub(super) pinged: bool,
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
    pub(super) fn new(first: &[u8], to_server: bool) -> Self {
        Self { first: first.into(), to_server, ..Self::default() }
    }

    /// Signs of life since this was last asked.
    pub(super) fn take_moved(&mut self) -> Moved {
        let mut moved = std::mem::take(&mut self.moved);
        moved.pong_alone = moved.read && !self.frames.take_other_seen();
        moved
    }

    /// The limit that the reader has broken, if it has.
    pub(super) fn fault(&self) -> Option<Why> {
        self.gate.as_ref().and_then(|gate| gate.fault)
    }

    /// Has a Close with this status be the last that the writer gets.
    pub(super) fn close(&mut self, code: u16, reason: &str) {
        let mask = self.mask();
        self.closing = Some(close_frame(code, reason, mask).into());
    }

    fn take_ping(&mut self) -> Vec<u8> {
        self.ping = false;
        self.moved.pinged = true;
        ping_frame(self.mask())
    }

    fn mask(&self) -> Option<[u8; 4]> {
        self.to_server.then(|| {
            let mut mask = [0; 4];
            // From a strong source (RFC 6455 section 10.3). It fails only where the system has none, and then it is no secret.
            let _ = aws_lc_rs::rand::fill(&mut mask);
            mask
        })
    }

    /// Whether nothing is read until the writer has taken what there is.
    pub(super) fn holds_back(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether a frame of the gateway's may be written after what has been passed on.
    fn between_frames(&self) -> bool {
        let kept_back =
            || self.gate.as_ref().is_some_and(|gate| gate.fault.is_some() || !self.frames.begun().is_empty());
        self.frames.at_boundary() || kept_back()
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
    /// alone: what flows the other way may still arrive. Pending for good once the reader has broken a limit.
    pub(super) fn poll_relay<R: Stream, W: Stream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        counters: &Counters,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self.poll_move(reader, writer, counters, scratch, cx) {
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
        counters: &Counters,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.state == State::Done {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_pending(writer, cx))?;
            if self.fault().is_some() {
                return Poll::Pending;
            }
            if !self.first.is_empty() {
                let first = std::mem::take(&mut self.first);
                self.pass(writer, &first, counters, cx)?;
                continue;
            }
            if self.ping && self.between_frames() && self.state == State::Open {
                self.pending = self.take_ping();
                continue;
            }
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
            self.pass(writer, bytes, counters, cx)?;
        }
    }

    /// Passes on what has been read.
    fn pass<W: Stream>(
        &mut self,
        writer: &mut W,
        bytes: &[u8],
        counters: &Counters,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        self.moved.read = true;
        if let Some(gate) = &mut self.gate {
            let passed = gate.pass(&mut self.frames, bytes, counters);
            self.write(writer, &passed.kept[..passed.kept_length], cx)?;
            return self.write(writer, &bytes[..passed.length], cx);
        }
        if self.ping {
            let passed = self.frames.observe_to_boundary(bytes, counters);
            self.write(writer, &bytes[..passed], cx)?;
            if self.frames.at_boundary() {
                let frame = self.take_ping();
                self.write(writer, &frame, cx)?;
            }
            self.frames.observe(&bytes[passed..], counters);
            return self.write(writer, &bytes[passed..], cx);
        }
        self.frames.observe(bytes, counters);
        self.write(writer, bytes, cx)
    }

    /// Passes on the rest of the current frame, then the gateway's Close, then nothing more; ready when the reader
    /// has closed too. A writer that has gone is not told; its reader's answer is waited for all the same.
    pub(super) fn poll_close<R: Stream, W: Stream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        counters: &Counters,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.state != State::Done {
            match self.poll_tell(writer, scratch, reader, counters, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                Poll::Ready(Err(_)) => self.state = State::Done,
            }
        }
        while !self.reader_done() {
            match ready!(poll_read(reader, scratch, cx)) {
                Ok(bytes) if !bytes.is_empty() => self.frames.observe(bytes, &Counters::default()),
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
        counters: &Counters,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_pending(writer, cx))?;
            if self.between_frames()
                && let Some(close) = self.closing.take()
                && (!self.frames.close_seen() || self.fault().is_some())
            {
                self.pending = close.into();
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
            let passed = if self.closing.is_some() { self.frames.observe_to_boundary(bytes, counters) } else { 0 };
            self.write(writer, &bytes[..passed], cx)?;
            if self.closing.is_some() && passed < bytes.len() {
                self.pending.extend(self.closing.take().unwrap_or_default());
            }
            // What comes behind the boundary is not passed on, but may be the peer's Close, and counts as that.
            self.frames.observe(&bytes[passed..], &Counters::default());
        }
    }

    /// Writes what it can; keeps the rest.
    fn write<W: Stream>(&mut self, writer: &mut W, mut bytes: &[u8], cx: &mut Context<'_>) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            self.dirty = true;
            match Pin::new(&mut *writer).poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => bytes = &bytes[count..],
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.blocked = true;
                    self.pending.extend_from_slice(bytes);
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
            match Pin::new(&mut *writer).poll_write(cx, &self.pending[self.written..])? {
                Poll::Pending => {
                    self.blocked = true;
                    return Poll::Pending;
                }
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => self.written += count,
            }
            self.moved.wrote |= std::mem::take(&mut self.blocked);
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
