//! Frame boundaries (RFC 6455 section 5.2), found while the bytes of one direction pass.

use super::counters::Counters;
use super::frame_header::{FrameHeader, MAX_HEADER_BYTES, NO_STATUS, OPCODE_BINARY, OPCODE_CLOSE, OPCODE_PONG};

/// A parser that follows the frames of one direction of a session. It takes 40 bytes, and neither copies nor unmasks data.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    /// The header of the current frame, as far as it has arrived.
    header: [u8; MAX_HEADER_BYTES],
    /// The number of its bytes that have arrived; 0 once it is complete.
    header_bytes: u8,
    opcode: u8,
    /// The number of bytes of a Close frame's status that have arrived.
    code_bytes: u8,
    code: [u8; 2],
    close_seen: bool,
    data_seen: bool,
    other_seen: bool,
    /// Bytes of the current frame's payload that have not arrived yet.
    payload_left: u64,
}

impl Frames {
    /// A parser for a protocol that has no frames: its bytes are counted as the payload of one message that never ends, and there is no
    /// boundary at which the gateway could insert anything.
    pub(super) fn endless() -> Self {
        Self { opcode: OPCODE_BINARY, payload_left: u64::MAX, ..Self::default() }
    }

    /// Whether there are no frames. The payload of a frame has less than 2^63 bytes (RFC 6455 section 5.2).
    pub(super) fn is_endless(&self) -> bool {
        self.payload_left >= 1 << 63
    }

    /// Follows and counts bytes that are passed on.
    pub fn observe(&mut self, mut bytes: &[u8], counters: &Counters) {
        counters.add_bytes(bytes.len());
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes, counters)..];
        }
    }

    /// Follows and counts bytes up to the next frame boundary. Gives their number.
    pub fn observe_to_boundary(&mut self, bytes: &[u8], counters: &Counters) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !self.at_boundary() {
            taken += self.step(&bytes[taken..], counters);
        }
        counters.add_bytes(taken);
        taken
    }

    /// Whether the next byte begins a frame. Only here may the gateway insert a frame of its own.
    pub fn at_boundary(&self) -> bool {
        self.header_bytes == 0 && self.payload_left == 0
    }

    /// The bytes of a header that is not complete.
    pub(super) fn partial_header(&self) -> &[u8] {
        &self.header[..usize::from(self.header_bytes)]
    }

    /// Whether a Close frame has begun.
    pub fn close_seen(&self) -> bool {
        self.close_seen
    }

    /// Whether a byte of a message has passed since the last call.
    pub fn take_data_seen(&mut self) -> bool {
        std::mem::take(&mut self.data_seen)
    }

    /// Whether a byte of anything but Pong frames has passed since the last call.
    pub(super) fn take_other_seen(&mut self) -> bool {
        std::mem::take(&mut self.other_seen)
    }

    /// Follows some of `bytes`, at least one. Gives their number.
    fn step(&mut self, bytes: &[u8], counters: &Counters) -> usize {
        if self.payload_left > 0 {
            return self.skip_payload(bytes, counters);
        }
        let (taken, header) = self.read_header(bytes);
        if let Some(header) = header {
            self.begin_frame(header, counters);
        }
        taken
    }

    /// Follows bytes of the payload. Gives their number.
    pub(super) fn skip_payload(&mut self, bytes: &[u8], counters: &Counters) -> usize {
        let skipped = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
        self.payload_left -= skipped as u64;
        self.data_seen |= self.opcode < OPCODE_CLOSE;
        self.other_seen |= self.opcode != OPCODE_PONG;
        if self.opcode == OPCODE_CLOSE && self.code_bytes < 2 {
            for byte in &bytes[..skipped.min(usize::from(2 - self.code_bytes))] {
                self.code[usize::from(self.code_bytes)] = *byte;
                self.code_bytes += 1;
            }
            if self.code_bytes == 2 {
                counters.closed(self.close_code());
            }
        }
        skipped
    }

    /// Whether the current frame's payload is not complete.
    pub(super) fn within_payload(&self) -> bool {
        self.payload_left > 0
    }

    /// Follows bytes of a header. Gives their number, and the header once it is complete.
    pub(super) fn read_header(&mut self, bytes: &[u8]) -> (usize, Option<FrameHeader>) {
        if self.header_bytes == 0
            && let Some(header) = bytes.first_chunk()
        {
            self.header = *header;
            return (self.header_length(), Some(self.decode()));
        }
        let mut taken = 0;
        loop {
            let header_bytes = usize::from(self.header_bytes);
            let needed = if header_bytes < 2 { 2 } else { self.header_length() };
            if header_bytes == needed {
                self.header_bytes = 0;
                return (taken, Some(self.decode()));
            }
            let some = (needed - header_bytes).min(bytes.len() - taken);
            if some == 0 {
                return (taken, None);
            }
            self.header[header_bytes..header_bytes + some].copy_from_slice(&bytes[taken..taken + some]);
            self.header_bytes += some as u8;
            taken += some;
        }
    }

    /// Decodes the header, which is complete.
    fn decode(&self) -> FrameHeader {
        let [first, second, a, b, c, d, e, f, g, h, ..] = self.header;
        let payload = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => u64::from(short),
        };
        FrameHeader { fin: first & 0x80 != 0, opcode: first & 0x0f, payload }
    }

    /// Begins a frame with this header, and counts it.
    pub(super) fn begin_frame(&mut self, header: FrameHeader, counters: &Counters) {
        counters.frame(header);
        self.opcode = header.opcode;
        self.payload_left = header.payload;
        self.data_seen |= header.is_data();
        self.other_seen |= header.opcode != OPCODE_PONG;
        if header.opcode == OPCODE_CLOSE && self.code_bytes < 2 {
            self.code_bytes = 0;
            self.close_seen = true;
            counters.closed(NO_STATUS);
        }
    }

    /// The length of the header, whose first two bytes have arrived.
    fn header_length(&self) -> usize {
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + if self.masked() { 4 } else { 0 }
    }

    fn masked(&self) -> bool {
        self.header[1] & 0x80 != 0
    }

    fn close_code(&self) -> u16 {
        let [high, low] = self.code;
        if !self.masked() {
            return u16::from_be_bytes(self.code);
        }
        let mask = &self.header[self.header_length() - 4..];
        u16::from_be_bytes([high ^ mask[0], low ^ mask[1]])
    }
}

#[cfg(test)]
mod tests;
