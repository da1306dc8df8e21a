//! Where frames begin and end (RFC 6455 section 5.2), and what they are, found while the bytes go by.

use super::counters::Counters;

/// Longest header: two bytes, eight of length, four of mask.
pub(super) const LONGEST: usize = 14;
const CLOSE: u8 = 0x8;
const PONG: u8 = 0xa;

/// Follows one direction of a session: 40 bytes, no copy, no unmasking of data.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    /// The header of the frame at hand, as far as it has come.
    header: [u8; LONGEST],
    /// Bytes of it, while it is not whole.
    have: u8,
    opcode: u8,
    /// Bytes of a Close frame's status that have come.
    code_have: u8,
    code: [u8; 2],
    close_seen: bool,
    data_seen: bool,
    other_seen: bool,
    /// What is still to come of the payload.
    rest: u64,
}

/// A frame's header, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Whether it ends its message.
    pub(super) fin: bool,
    /// 0 to 15.
    pub(super) opcode: u8,
    /// Bytes of payload.
    pub(super) payload: u64,
}

impl Head {
    pub(super) fn is_close(self) -> bool {
        self.opcode == CLOSE
    }

    /// Whether it is part of a message, and not a control frame.
    pub(super) fn is_data(self) -> bool {
        self.opcode < CLOSE
    }
}

impl Frames {
    /// Takes in bytes that are passed on.
    pub fn observe(&mut self, mut bytes: &[u8], counters: &Counters) {
        counters.add_bytes(bytes.len());
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes, counters)..];
        }
    }

    /// Takes in bytes up to the next boundary, and gives how many that were.
    pub fn observe_to_boundary(&mut self, bytes: &[u8], counters: &Counters) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !self.at_boundary() {
            taken += self.step(&bytes[taken..], counters);
        }
        counters.add_bytes(taken);
        taken
    }

    /// Whether the next byte begins a frame: only here may the gateway put in a frame of its own.
    pub fn at_boundary(&self) -> bool {
        self.have == 0 && self.rest == 0
    }

    /// The bytes of a header that is not whole.
    pub(super) fn begun(&self) -> &[u8] {
        &self.header[..usize::from(self.have)]
    }

    /// Whether a Close frame has begun.
    pub fn close_seen(&self) -> bool {
        self.close_seen
    }

    /// Whether a byte of a message has come since this was last asked.
    pub fn take_data_seen(&mut self) -> bool {
        std::mem::take(&mut self.data_seen)
    }

    /// Whether a byte of anything but Pong frames has come since this was last asked.
    pub(super) fn take_other_seen(&mut self) -> bool {
        std::mem::take(&mut self.other_seen)
    }

    /// Takes in some of `bytes`, at least one.
    fn step(&mut self, bytes: &[u8], counters: &Counters) -> usize {
        if self.rest > 0 {
            return self.skip(bytes, counters);
        }
        let (taken, head) = self.head(bytes);
        if let Some(head) = head {
            self.begin(head, counters);
        }
        taken
    }

    /// Takes in payload.
    pub(super) fn skip(&mut self, bytes: &[u8], counters: &Counters) -> usize {
        let skipped = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
        self.rest -= skipped as u64;
        self.data_seen |= self.opcode < CLOSE;
        self.other_seen |= self.opcode != PONG;
        if self.opcode == CLOSE && self.code_have < 2 {
            for byte in &bytes[..skipped.min(usize::from(2 - self.code_have))] {
                self.code[usize::from(self.code_have)] = *byte;
                self.code_have += 1;
            }
            if self.code_have == 2 {
                counters.closed(self.close_code());
            }
        }
        skipped
    }

    /// Whether payload is to come before the next header.
    pub(super) fn within_payload(&self) -> bool {
        self.rest > 0
    }

    /// Takes in bytes of a header: how many, and the header once it is whole.
    pub(super) fn head(&mut self, bytes: &[u8]) -> (usize, Option<Head>) {
        if self.have == 0
            && let Some(header) = bytes.first_chunk()
        {
            self.header = *header;
            return (self.length(), Some(self.read()));
        }
        let mut taken = 0;
        loop {
            let have = usize::from(self.have);
            let needed = if have < 2 { 2 } else { self.length() };
            if have == needed {
                self.have = 0;
                return (taken, Some(self.read()));
            }
            let some = (needed - have).min(bytes.len() - taken);
            if some == 0 {
                return (taken, None);
            }
            self.header[have..have + some].copy_from_slice(&bytes[taken..taken + some]);
            self.have += some as u8;
            taken += some;
        }
    }

    /// The header, which is whole.
    fn read(&self) -> Head {
        let [first, second, a, b, c, d, e, f, g, h, ..] = self.header;
        let payload = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => u64::from(short),
        };
        Head { fin: first & 0x80 != 0, opcode: first & 0x0f, payload }
    }

    /// A frame with this header goes by.
    pub(super) fn begin(&mut self, head: Head, counters: &Counters) {
        counters.frame(head);
        self.opcode = head.opcode;
        self.rest = head.payload;
        self.data_seen |= head.is_data();
        self.other_seen |= head.opcode != PONG;
        if head.opcode == CLOSE && self.code_have < 2 {
            self.code_have = 0;
            self.close_seen = true;
            counters.closed(NO_STATUS);
        }
    }

    /// Length of the header whose first two bytes are there.
    fn length(&self) -> usize {
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
        let mask = &self.header[self.length() - 4..];
        u16::from_be_bytes([high ^ mask[0], low ^ mask[1]])
    }
}

/// What a Close frame without a status means (section 7.1.5); never sent.
const NO_STATUS: u16 = 1005;

/// A Close frame with a status code and a reason of at most 123 bytes (section 5.5.1). Frames to a server are masked.
pub fn close_frame(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(123)]);
    control_frame(CLOSE, payload, mask)
}

/// A Ping frame without payload (section 5.5.2).
pub(super) fn ping_frame(mask: Option<[u8; 4]>) -> Vec<u8> {
    control_frame(0x9, Vec::new(), mask)
}

fn control_frame(opcode: u8, mut payload: Vec<u8>, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, payload.len() as u8];
    if let Some(mask) = mask {
        frame[1] |= 0x80;
        frame.extend(mask);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
    frame.extend(payload);
    frame
}

#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
