//! The counters of one direction of a session.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::frame_header::{FrameHeader, OPCODE_BINARY, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT};

/// Marks that a Close frame was seen: a bit beyond every status code.
const CLOSE_SEEN_BIT: u32 = 1 << 16;

/// The counters of one direction of a session. The task that relays the session is the only writer; lists and metrics read.
#[derive(Debug, Default)]
pub struct Counters {
    bytes: AtomicU64,
    text: AtomicU64,
    binary: AtomicU64,
    /// Messages in several frames.
    continued: AtomicU64,
    pings: AtomicU64,
    pongs: AtomicU64,
    /// [`CLOSE_SEEN_BIT`] and the status of the Close frame; 0: no Close frame was seen.
    close: AtomicU32,
}

/// The values of [`Counters`] at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CounterValues {
    /// Bytes, frame headers included.
    pub bytes: u64,
    /// Text messages in one frame.
    pub text: u64,
    /// Binary messages in one frame.
    pub binary: u64,
    /// Messages in several frames.
    pub continued: u64,
    /// Ping frames.
    pub pings: u64,
    /// Pong frames.
    pub pongs: u64,
    /// Status of the Close frame; 1005: it had none. `None`: there was no Close frame.
    pub close: Option<u16>,
}

impl CounterValues {
    /// Messages, in one frame or in several.
    pub fn messages(&self) -> u64 {
        self.text + self.binary + self.continued
    }

    /// Adds the values of other counters, except for the Close status.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.text += other.text;
        self.binary += other.binary;
        self.continued += other.continued;
        self.pings += other.pings;
        self.pongs += other.pongs;
    }
}

/// Adds to a counter. No read-modify-write is needed, because there is one writer.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

impl Counters {
    /// The values now.
    pub fn values(&self) -> CounterValues {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CounterValues {
            bytes: read(&self.bytes),
            text: read(&self.text),
            binary: read(&self.binary),
            continued: read(&self.continued),
            pings: read(&self.pings),
            pongs: read(&self.pongs),
            close: Some(self.close.load(Ordering::Relaxed)).filter(|close| *close != 0).map(|close| close as u16),
        }
    }

    /// Counts bytes.
    pub(super) fn add_bytes(&self, count: usize) {
        add(&self.bytes, count as u64);
    }

    /// Counts a frame.
    pub(super) fn frame(&self, header: FrameHeader) {
        match header.opcode {
            OPCODE_PING => add(&self.pings, 1),
            OPCODE_PONG => add(&self.pongs, 1),
            OPCODE_TEXT if header.fin => add(&self.text, 1),
            OPCODE_BINARY if header.fin => add(&self.binary, 1),
            _ if header.fin && header.is_data() => add(&self.continued, 1),
            _ => {}
        }
    }

    /// Notes that a Close frame with this status has passed.
    pub(super) fn closed(&self, code: u16) {
        self.close.store(CLOSE_SEEN_BIT | u32::from(code), Ordering::Relaxed);
    }
}
