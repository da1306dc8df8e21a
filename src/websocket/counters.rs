//! What is counted of one direction of a session.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::frame::Head;

/// Beyond every status.
const CLOSED: u32 = 1 << 16;

/// Written by the one task that relays the session, read by whoever wants to know.
#[derive(Debug, Default)]
pub struct Counters {
    bytes: AtomicU64,
    text: AtomicU64,
    binary: AtomicU64,
    /// Messages that came in several frames.
    continued: AtomicU64,
    pings: AtomicU64,
    pongs: AtomicU64,
    /// [`CLOSED`] and the status of the Close frame that was seen; 0: none was.
    close: AtomicU32,
}

/// The counters at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Bytes, headers included.
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
    /// Status of the Close frame, if there was one; 1005: it had none.
    pub close: Option<u16>,
}

impl Seen {
    /// Messages, however many frames they had.
    pub fn messages(&self) -> u64 {
        self.text + self.binary + self.continued
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.text += other.text;
        self.binary += other.binary;
        self.continued += other.continued;
        self.pings += other.pings;
        self.pongs += other.pongs;
    }
}

/// There is one writer: no read-modify-write is needed.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

impl Counters {
    /// What has been counted.
    pub fn seen(&self) -> Seen {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Seen {
            bytes: read(&self.bytes),
            text: read(&self.text),
            binary: read(&self.binary),
            continued: read(&self.continued),
            pings: read(&self.pings),
            pongs: read(&self.pongs),
            close: Some(self.close.load(Ordering::Relaxed)).filter(|close| *close != 0).map(|close| close as u16),
        }
    }

    pub(super) fn add_bytes(&self, count: usize) {
        add(&self.bytes, count as u64);
    }

    pub(super) fn frame(&self, head: Head) {
        match head.opcode {
            0x9 => add(&self.pings, 1),
            0xa => add(&self.pongs, 1),
            0x1 if head.fin => add(&self.text, 1),
            0x2 if head.fin => add(&self.binary, 1),
            _ if head.fin && head.is_data() => add(&self.continued, 1),
            _ => {}
        }
    }

    pub(super) fn closed(&self, code: u16) {
        self.close.store(CLOSED | u32::from(code), Ordering::Relaxed);
    }
}
