//! The gateway's own Close in one direction: it is written at the next frame boundary, and the reader's Close is waited for. Where there
//! are no frames, the end of the stream takes its place.

use std::io;
use std::task::{Context, Poll, ready};

use super::{Direction, ReaderState, RelayStream, WriterState, poll_read};
use crate::websocket::control_frame::close_frame;
use crate::websocket::counters::Counters;

impl Direction {
    /// Has a Close with this status be the last frame that the writer gets.
    pub(in crate::websocket::relay) fn close(&mut self, code: u16, reason: &str) {
        let mask = self.mask();
        self.close_pending = Some(close_frame(code, reason, mask).into());
    }

    /// Passes on the rest of the current frame, then the gateway's Close, then nothing more. Ready when the reader has closed too.
    /// A writer that has failed gets nothing; its reader's Close is waited for all the same.
    pub(in crate::websocket::relay) fn poll_close<R: RelayStream, W: RelayStream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        counters: &Counters,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.writer != WriterState::ShutDown {
            match self.poll_write_close(reader, writer, counters, scratch, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                Poll::Ready(Err(_)) => self.writer = WriterState::ShutDown,
            }
        }
        while !self.reader_done() {
            match ready!(poll_read(reader, scratch, cx)) {
                Ok(bytes) if !bytes.is_empty() => self.frames.observe(bytes, &Counters::default()),
                _ => self.reader = ReaderState::Ended,
            }
        }
        Poll::Ready(())
    }

    /// Writes what has been read. Ready when the writer has it all, or fails.
    pub(in crate::websocket::relay) fn poll_finish<W: RelayStream>(
        &mut self,
        writer: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        // A writer that has failed gets nothing more.
        if self.writer != WriterState::ShutDown && ready!(self.poll_pending(writer, cx)).is_err() {
            self.writer = WriterState::ShutDown;
        }
        Poll::Ready(())
    }

    /// The part of [`Self::poll_close`] that writes. Fails when the writer does.
    fn poll_write_close<R: RelayStream, W: RelayStream>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        counters: &Counters,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_pending(writer, cx))?;
            if self.between_frames()
                && let Some(close) = self.close_pending.take()
                && (!self.frames.close_seen() || self.violation().is_some())
            {
                self.pending = close.into();
                continue;
            }
            self.flush(writer, cx)?;
            if self.reader_done() {
                // Within a frame that will not be completed no Close can be written.
                self.close_pending = None;
                return if self.needs_flush { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            let bytes = match ready!(poll_read(reader, scratch, cx)) {
                Ok(bytes) if !bytes.is_empty() => bytes,
                _ => {
                    self.reader = ReaderState::Ended;
                    continue;
                }
            };
            let passed =
                if self.close_pending.is_some() { self.frames.observe_to_boundary(bytes, counters) } else { 0 };
            self.write(writer, &bytes[..passed], cx)?;
            if self.close_pending.is_some() && passed < bytes.len() {
                self.pending.extend(self.close_pending.take().unwrap_or_default());
            }
            // Bytes behind the boundary are not passed on. They may be the peer's Close, which counts.
            self.frames.observe(&bytes[passed..], &Counters::default());
        }
    }
}
