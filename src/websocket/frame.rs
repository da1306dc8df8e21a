//! Where frames begin and end (RFC 6455 section 5.2), found while the bytes go by.

/// Follows one direction of a session: 24 bytes, no copy, no unmasking.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    /// The first bytes of the frame's header, as far as they have come; enough to know its length.
    header: [u8; 10],
    have: u8,
    close_seen: bool,
    /// What is still to come of the mask and payload.
    rest: u64,
}

impl Frames {
    /// Takes in bytes that are passed on.
    pub fn observe(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// Takes in bytes up to the next boundary, and gives how many that were.
    pub fn observe_to_boundary(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !self.at_boundary() {
            taken += self.step(&bytes[taken..]);
        }
        taken
    }

    /// Whether the next byte begins a frame: only here may the gateway put in a frame of its own.
    pub fn at_boundary(&self) -> bool {
        self.have == 0 && self.rest == 0
    }

    /// Whether a Close frame has begun.
    pub fn close_seen(&self) -> bool {
        self.close_seen
    }

    /// Takes in some of `bytes`, at least one.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.rest > 0 {
            let skipped = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
            self.rest -= skipped as u64;
            return skipped;
        }
        self.header[usize::from(self.have)] = bytes[0];
        self.have += 1;
        let length = self.header[1] & 0x7f;
        let needed = match length {
            _ if self.have < 2 => return 1,
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if self.have < needed {
            return 1;
        }
        let payload = match length {
            126 => u64::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => self.header[2..].iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
            short => u64::from(short),
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        self.rest = payload.saturating_add(mask);
        self.close_seen |= self.header[0] & 0x0f == 0x8;
        self.have = 0;
        1
    }
}

/// A Close frame with a status code and a reason of at most 123 bytes (section 5.5.1). Frames to a server are masked.
pub fn close_frame(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.bytes().take(123));
    let mut frame = vec![0x88, payload.len() as u8];
    if let Some(mask) = mask {
        frame[1] |= 0x80;
        frame.extend(mask);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame with the shortest length form that fits.
    fn frame(opcode: u8, masked: bool, length: usize) -> Vec<u8> {
        let bit = if masked { 0x80 } else { 0 };
        let mut out = vec![0x80 | opcode];
        match length {
            0..126 => out.push(bit | length as u8),
            126..65536 => {
                out.push(bit | 126);
                out.extend((length as u16).to_be_bytes());
            }
            _ => {
                out.push(bit | 127);
                out.extend((length as u64).to_be_bytes());
            }
        }
        out.extend(std::iter::repeat_n(0x88, length + if masked { 4 } else { 0 }));
        out
    }

    fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let length = prop_oneof![0..130usize, Just(65535usize), Just(65536usize)];
        prop::collection::vec((0..3u8, any::<bool>(), length), 1..6)
            .prop_map(|frames| frames.into_iter().map(|(op, masked, length)| frame(op, masked, length)).collect())
    }

    proptest! {
        #[test]
        fn boundaries_are_found_however_the_stream_is_cut(frames in frames(), cuts in prop::collection::vec(1..200usize, 1..50)) {
            let stream: Vec<u8> = frames.concat();
            let mut boundaries = std::collections::BTreeSet::new();
            let mut at = 0;
            for frame in &frames {
                at += frame.len();
                boundaries.insert(at);
            }
            let mut tracker = Frames::default();
            let (mut at, mut cuts) = (0, cuts.into_iter().cycle());
            while at < stream.len() {
                let end = stream.len().min(at + cuts.next().expect("cycles"));
                tracker.observe(&stream[at..end]);
                at = end;
                prop_assert_eq!(tracker.at_boundary(), boundaries.contains(&at), "at {}", at);
            }
            prop_assert!(!tracker.close_seen());
            let mut tracker = Frames::default();
            tracker.observe(&stream[..1]);
            prop_assert_eq!(1 + tracker.observe_to_boundary(&stream[1..]), frames[0].len());
        }
    }

    #[test]
    fn a_close_frame_is_seen_and_made() {
        let mut tracker = Frames::default();
        tracker.observe(&close_frame(1001, "going away", Some([1, 2, 3, 4])));
        assert!(tracker.close_seen() && tracker.at_boundary());
        assert_eq!(close_frame(1001, "", None), [0x88, 2, 0x03, 0xe9]);
        assert_eq!(close_frame(1001, &"x".repeat(500), None).len(), 127);
    }
}
