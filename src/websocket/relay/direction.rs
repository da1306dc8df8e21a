//! One direction of a session: what is read from one peer (the reader) is written to the other (the writer).
//!
//! ```text
//! event                          reader          writer
//! bytes are read                 Open            Open; bytes that it does not take yet wait in `pending` (back-pressure)
//! the end is read                Open ─▶ Ended   Open ──────────────────────────▶ ShutDown
//! the end is read, and deferred  Open ─▶ Ended   Open ─▶ EndDeferred ─ released ─▶ ShutDown
//! the reader resets its stream   Open ─▶ Reset   Open ──────────────────────────▶ ShutDown; without frames it is reset in turn
//! a write fails                  as it was       any ───────────────────────────▶ ShutDown, `failure` has the error
//! ```

mod closing;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::message_limiter::MessageLimiter;
use super::stream::{RelayStream, poll_read};
use crate::websocket::close_order::CloseCause;
use crate::websocket::control_frame::ping_frame;
use crate::websocket::counters::Counters;
use crate::websocket::frame::Frames;

/// One direction of a session, with the states of both streams as far as this direction is concerned.
#[derive(Default)]
pub(super) struct Direction {
    /// Bytes that the writer could not take yet. Empty, and without heap, while it keeps up.
    pending: Vec<u8>,
    /// How many bytes of `pending` have been written.
    written: usize,
    /// Whether the writer may hold bytes back until it is flushed.
    needs_flush: bool,
    /// Whether the writer is a server: frames that the gateway sends to it are masked.
    to_server: bool,
    /// Whether a Ping of the gateway's waits for the next frame boundary.
    pub(super) ping_pending: bool,
    /// A Close of the gateway's that waits for the next frame boundary. It is the last frame that the writer gets.
    close_pending: Option<Box<[u8]>>,
    pub(super) frames: Frames,
    /// The limits on the reader's messages, where the route sets any.
    pub(super) limiter: Option<Box<MessageLimiter>>,
    reader: ReaderState,
    writer: WriterState,
    /// Whether the reader's end is kept from the writer for a while, where it comes without a Close and between two frames.
    defers_end: bool,
    /// Bytes that came with the handshake, and are not passed on yet.
    handshake_bytes: Box<[u8]>,
    /// Whether the writer was too slow at the last write.
    write_blocked: bool,
    activity: Activity,
    /// Why the direction ended, where a stream failed.
    pub(super) failure: Option<io::Error>,
}

/// The state of the stream that is read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum ReaderState {
    #[default]
    Open,
    /// It has ended, or a read has failed.
    Ended,
    /// A read has failed because the peer has reset the stream: it takes nothing more either.
    Reset,
}

/// The state of the stream that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum WriterState {
    #[default]
    Open,
    /// The reader has ended, and the writer is not shut down for the time being.
    EndDeferred,
    /// It has been shut down, or a write has failed.
    ShutDown,
}

/// Signs of life of the two peers since the last look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Activity {
    /// Bytes were read.
    pub(super) read: bool,
    /// All of them were of Pong frames.
    pub(super) only_pongs: bool,
    /// The writer took bytes after it had been too slow.
    pub(super) write_resumed: bool,
    /// The gateway's Ping was written.
    pub(super) ping_sent: bool,
}

impl Direction {
    /// A direction to the backend (a server) or to the client. `handshake_bytes` came with the handshake and are passed on first.
    pub(super) fn new(handshake_bytes: &[u8], to_server: bool) -> Self {
        Self { handshake_bytes: handshake_bytes.into(), to_server, ..Self::default() }
    }

    /// Has the bytes passed on as they are: the session has no frames.
    pub(super) fn without_frames(&mut self) {
        self.frames = Frames::endless();
    }

    /// Has the reader's end kept from the writer until [`Self::release_end`].
    pub(super) fn defer_end(&mut self) {
        self.defers_end = true;
    }

    /// Passes the reader's end on from now on. Gives whether it was deferred until now.
    pub(super) fn release_end(&mut self) -> bool {
        if self.writer == WriterState::EndDeferred {
            self.writer = WriterState::Open;
        }
        std::mem::take(&mut self.defers_end)
    }

    /// Whether the reader's end is being kept from the writer.
    pub(super) fn end_deferred(&self) -> bool {
        self.writer == WriterState::EndDeferred
    }

    /// Signs of life since the last call.
    pub(super) fn take_activity(&mut self) -> Activity {
        let mut activity = std::mem::take(&mut self.activity);
        activity.only_pongs = activity.read && !self.frames.take_other_seen();
        activity
    }

    /// The limit that the reader has broken, if it has.
    pub(super) fn violation(&self) -> Option<CloseCause> {
        self.limiter.as_ref().and_then(|limiter| limiter.violation)
    }

    /// Whether nothing is read until the writer has taken what is pending.
    pub(super) fn is_backpressured(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether this direction ends: the reader has closed or ended, or the writer has failed.
    pub(super) fn is_ending(&self) -> bool {
        self.reader_done() || self.writer == WriterState::ShutDown
    }

    /// Whether the reader has sent a Close or ended. False where the writer alone has failed.
    pub(super) fn reader_done(&self) -> bool {
        self.frames.close_seen() || self.reader != ReaderState::Open
    }

    /// Whether the reader has reset its stream.
    pub(super) fn reader_reset(&self) -> bool {
        self.reader == ReaderState::Reset
    }

    /// Whether the reader has reset its stream, and the writer's is to be reset for it: without frames nothing else can tell.
    pub(super) fn passes_reset(&self) -> bool {
        self.reader_reset() && self.frames.is_endless()
    }

    /// Moves bytes until the reader has ended and the writer has been shut down. A stream that fails ends this direction
    /// alone: what flows the other way may still arrive. Pending for good once the reader has broken a limit.
    pub(super) fn poll_relay<R: RelayStream, W: RelayStream>(
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
                // After the reader's end, a reset of the writer's stream ends the other direction at once, as the reader's does.
                if self.reader != ReaderState::Open && error.kind() == io::ErrorKind::ConnectionReset {
                    self.reader = ReaderState::Reset;
                }
                self.failure = Some(error);
                self.pending = Vec::new();
                self.writer = WriterState::ShutDown;
                Poll::Ready(())
            }
        }
    }

    fn poll_move<R: RelayStream, W: RelayStream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        counters: &Counters,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.writer == WriterState::ShutDown {
                return Poll::Ready(Ok(()));
            }
            // First what is left from before: pending bytes, then those of the handshake, then the gateway's Ping.
            ready!(self.poll_pending(writer, cx))?;
            if self.violation().is_some() {
                return Poll::Pending;
            }
            if !self.handshake_bytes.is_empty() {
                let bytes = std::mem::take(&mut self.handshake_bytes);
                self.pass(writer, &bytes, counters, cx)?;
                continue;
            }
            if self.ping_pending && self.between_frames() && self.reader == ReaderState::Open {
                self.pending = self.take_ping();
                continue;
            }
            // Then the reader's end, if it has come.
            if self.writer == WriterState::EndDeferred {
                self.flush(writer, cx)?;
                return Poll::Pending;
            }
            if self.passes_reset() {
                // An end in good order would say that this was all.
                self.writer = WriterState::ShutDown;
                continue;
            }
            if self.reader != ReaderState::Open {
                // A writer that is gone already is shut down.
                let _ = ready!(Pin::new(&mut *writer).poll_shutdown(cx));
                self.writer = WriterState::ShutDown;
                continue;
            }
            // Then new bytes.
            let bytes = match poll_read(reader, scratch, cx) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => bytes,
                Poll::Ready(result) => {
                    self.reader_ended(result.err());
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

    /// Notes that the reader has ended, or that a read has failed.
    fn reader_ended(&mut self, error: Option<io::Error>) {
        let reset = error.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
        self.reader = if reset { ReaderState::Reset } else { ReaderState::Ended };
        self.failure = error;
        if self.defers_end && self.frames.at_boundary() && !self.frames.close_seen() {
            self.writer = WriterState::EndDeferred;
        }
    }

    /// Passes on what has been read.
    fn pass<W: RelayStream>(
        &mut self,
        writer: &mut W,
        bytes: &[u8],
        counters: &Counters,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        self.activity.read = true;
        if let Some(limiter) = &mut self.limiter {
            let admitted = limiter.admit(&mut self.frames, bytes, counters);
            self.write(writer, admitted.held_back(), cx)?;
            return self.write(writer, &bytes[..admitted.length], cx);
        }
        if self.ping_pending {
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

    /// Whether a frame of the gateway's may be written after what has been passed on. Where the limiter holds back the beginning of
    /// a header, or a frame that breaks a limit, the writer is between two frames although the parser is within one.
    fn between_frames(&self) -> bool {
        let held_back = || {
            let limiter = self.limiter.as_ref();
            limiter.is_some_and(|limiter| limiter.violation.is_some() || !self.frames.partial_header().is_empty())
        };
        self.frames.at_boundary() || held_back()
    }

    fn take_ping(&mut self) -> Vec<u8> {
        self.ping_pending = false;
        self.activity.ping_sent = true;
        ping_frame(self.mask())
    }

    /// A mask for a frame of the gateway's, where the writer is a server.
    fn mask(&self) -> Option<[u8; 4]> {
        self.to_server.then(|| {
            let mut mask = [0; 4];
            // From a strong source (RFC 6455 section 10.3). It fails only where the system has none, and then it is no secret.
            let _ = aws_lc_rs::rand::fill(&mut mask);
            mask
        })
    }

    /// Writes what the writer takes now, and keeps the rest in `pending`.
    fn write<W: RelayStream>(&mut self, writer: &mut W, mut bytes: &[u8], cx: &mut Context<'_>) -> io::Result<()> {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            self.needs_flush = true;
            match Pin::new(&mut *writer).poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => bytes = &bytes[count..],
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.write_blocked = true;
                    self.pending.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes what is pending, and frees its memory.
    fn poll_pending<W: RelayStream>(&mut self, writer: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            self.needs_flush = true;
            match Pin::new(&mut *writer).poll_write(cx, &self.pending[self.written..])? {
                Poll::Pending => {
                    self.write_blocked = true;
                    return Poll::Pending;
                }
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => self.written += count,
            }
            self.activity.write_resumed |= std::mem::take(&mut self.write_blocked);
        }
        if !self.pending.is_empty() {
            self.pending = Vec::new();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Flushes as far as the writer can now; it wakes the task when it can do more.
    fn flush<W: RelayStream>(&mut self, writer: &mut W, cx: &mut Context<'_>) -> io::Result<()> {
        if self.needs_flush {
            match Pin::new(writer).poll_flush(cx) {
                Poll::Ready(result) => {
                    result?;
                    self.needs_flush = false;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }
}
