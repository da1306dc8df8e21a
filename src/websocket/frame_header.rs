//! The header of a frame (RFC 6455 section 5.2): what is known of a frame once its first bytes have arrived.

/// The longest header: two bytes, eight of length, four of mask.
pub(super) const MAX_HEADER_BYTES: usize = 14;

pub(super) const OPCODE_TEXT: u8 = 0x1;
pub(super) const OPCODE_BINARY: u8 = 0x2;
pub(super) const OPCODE_CLOSE: u8 = 0x8;
pub(super) const OPCODE_PING: u8 = 0x9;
pub(super) const OPCODE_PONG: u8 = 0xa;

/// The status that stands for a Close frame without one (section 7.1.5). It is never sent.
pub(super) const NO_STATUS: u16 = 1005;

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Whether the frame is the last of its message.
    pub(super) fin: bool,
    /// 0 to 15.
    pub(super) opcode: u8,
    /// Length of the payload in bytes.
    pub(super) payload: u64,
}

impl FrameHeader {
    pub(super) fn is_close(self) -> bool {
        self.opcode == OPCODE_CLOSE
    }

    /// Whether the frame is part of a message, and not a control frame.
    pub(super) fn is_data(self) -> bool {
        self.opcode < OPCODE_CLOSE
    }
}
