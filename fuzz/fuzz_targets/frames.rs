//! Reads a stream of frames cut into pieces, and compares what is found with what a plain reader of the whole finds.
//!
//! Input: one byte that says how many cuts there are, that many bytes that say how long each piece is, and the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use steadygate::websocket::{Counters, Frames, CounterValues};

fuzz_target!(|input: &[u8]| {
    let Some((cuts, rest)) = input.split_first() else { return };
    let (cuts, stream) = rest.split_at(rest.len().min(usize::from(*cuts)));
    let (mut frames, counters) = (Frames::default(), Counters::default());
    let (mut at, mut cuts) = (0, cuts.iter());
    while at < stream.len() {
        let length = cuts.next().map_or(stream.len(), |cut| usize::from(*cut)).clamp(1, stream.len() - at);
        let piece = &stream[at..at + length];
        // Both ways of reading are the same to the boundary.
        let mut ahead = frames.clone();
        let boundary = ahead.observe_to_boundary(piece, &Counters::default());
        frames.observe(piece, &counters);
        at += length;
        let (expected, whole) = reference(&stream[..at]);
        assert_eq!(counters.values(), expected);
        assert_eq!(frames.at_boundary(), whole);
        assert!(ahead.at_boundary() || boundary == length);
    }
});

/// What a reader that has all bytes finds (RFC 6455 section 5.2), and whether they end with a frame.
fn reference(stream: &[u8]) -> (CounterValues, bool) {
    let mut seen = CounterValues { bytes: stream.len() as u64, ..CounterValues::default() };
    let mut rest = stream;
    while !rest.is_empty() {
        let Some((head, payload, after)) = head(rest) else { return (seen, false) };
        let (fin, opcode, mask) = (rest[0] & 0x80 != 0, rest[0] & 0x0f, head);
        match opcode {
            1 if fin => seen.text += 1,
            2 if fin => seen.binary += 1,
            0 | 3..=7 if fin => seen.continued += 1,
            8 => {
                let have = after.len().min(usize::try_from(payload).unwrap_or(usize::MAX));
                let first = seen.close.is_none();
                if have >= 2 && (first || seen.close == Some(1005)) {
                    seen.close = Some(u16::from_be_bytes([after[0] ^ mask[0], after[1] ^ mask[1]]));
                } else if first {
                    seen.close = Some(1005);
                }
            }
            9 => seen.pings += 1,
            10 => seen.pongs += 1,
            _ => {}
        }
        match usize::try_from(payload) {
            Ok(payload) if payload <= after.len() => rest = &after[payload..],
            _ => return (seen, false),
        }
    }
    (seen, true)
}

/// The mask (zero for none) and payload length of a header that is whole, and what comes after it.
fn head(bytes: &[u8]) -> Option<([u8; 4], u64, &[u8])> {
    let second = *bytes.get(1)?;
    let (payload, mut after) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), bytes.get(4..)?),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), bytes.get(10..)?),
        short => (u64::from(short), bytes.get(2..)?),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        mask = after.get(..4)?.try_into().ok()?;
        after = &after[4..];
    }
    Some((mask, payload, after))
}
