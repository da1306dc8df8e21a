//! Frames as a client writes and reads them (RFC 6455 section 5.2).

/// Every frame is masked with it: what a mask hides from is not on this machine.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x91, 0x2e];

/// A whole frame of a client.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut frame = vec![0x80 | opcode];
    match length {
        0..126 => frame.push(0x80 | length as u8),
        126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What a server has sent, once it is whole.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// A message of so many bytes.
    Message(u64),
    Ping(Vec<u8>),
    /// Its status code, if it has one.
    Close(Option<u16>),
    /// What no server sends.
    Invalid,
}

/// Finds a server's messages, however the stream is cut. Payloads are not kept, but those of control frames.
#[derive(Default)]
pub(crate) struct Reader {
    header: [u8; 10],
    held: usize,
    /// Bytes of the frame's payload that are to come, while its header is held.
    left: Option<u64>,
    message: u64,
    control: Vec<u8>,
}

impl Reader {
    /// Reads on. Stops at a frame that is invalid.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut event: impl FnMut(Event)) {
        while let Some(&first) = bytes.first() {
            let Some(left) = self.left else {
                self.header[self.held] = first;
                self.held += 1;
                bytes = &bytes[1..];
                let second = self.header[1];
                if self.held > 1 && second & 0x80 != 0 {
                    return event(Event::Invalid);
                }
                let (whole, length) = match second {
                    126 => (4, 2..4),
                    127 => (10, 2..10),
                    _ => (2, 1..2),
                };
                if self.held == whole.max(2) {
                    let length = self.header[length].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
                    self.left = Some(length);
                    self.end_if_whole(&mut event);
                }
                continue;
            };
            let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (now, later) = bytes.split_at(count);
            bytes = later;
            if self.is_control() {
                self.control.extend_from_slice(now);
            } else {
                self.message += count as u64;
            }
            self.left = Some(left - count as u64);
            self.end_if_whole(&mut event);
        }
    }

    fn is_control(&self) -> bool {
        self.header[0] & 0x08 != 0
    }

    fn end_if_whole(&mut self, event: &mut impl FnMut(Event)) {
        if self.left != Some(0) {
            return;
        }
        (self.left, self.held) = (None, 0);
        match self.header[0] {
            0x88 => event(Event::Close(self.control.first_chunk().map(|code| u16::from_be_bytes(*code)))),
            0x89 => event(Event::Ping(std::mem::take(&mut self.control))),
            0x80..=0x82 => event(Event::Message(std::mem::take(&mut self.message))),
            _ => {}
        }
        // The next header's second byte must not be taken for this one's.
        self.header[1] = 0;
        self.control.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Reader};

    #[test]
    fn messages_are_found_however_they_are_cut() {
        let sent = [
            &[0x82, 3, 1, 2, 3][..],
            &[0x01, 2, 1, 2],
            &[0x89, 1, 7],
            &[0x80, 126, 1, 0],
            &[0; 256],
            &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0],
            &[0; 65536],
            &[0x82, 0],
            &[0x88, 2, 3, 233],
        ]
        .concat();
        let expected = [
            Event::Message(3),
            Event::Ping(vec![7]),
            Event::Message(258),
            Event::Message(65536),
            Event::Message(0),
            Event::Close(Some(1001)),
        ];
        for cut in [1, 2, 3, 5, 100, sent.len()] {
            let (mut reader, mut got) = (Reader::default(), Vec::new());
            for part in sent.chunks(cut) {
                reader.read(part, |event| got.push(event));
            }
            assert_eq!(got, expected, "cut every {cut} bytes");
        }
    }
}
