//! The control frames that the gateway sends itself (RFC 6455 section 5.5): Close and Ping.

use super::frame_header::{OPCODE_CLOSE, OPCODE_PING};

/// The longest reason of a Close frame: a control frame has at most 125 bytes of payload, two of which are the status.
pub const MAX_CLOSE_REASON_BYTES: usize = 123;

/// A Close frame with a status code and a reason, which is cut to [`MAX_CLOSE_REASON_BYTES`] (section 5.5.1). Frames to a server are
/// masked.
pub fn close_frame(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(MAX_CLOSE_REASON_BYTES)]);
    control_frame(OPCODE_CLOSE, payload, mask)
}

/// A Ping frame without payload (section 5.5.2).
pub(super) fn ping_frame(mask: Option<[u8; 4]>) -> Vec<u8> {
    control_frame(OPCODE_PING, Vec::new(), mask)
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
