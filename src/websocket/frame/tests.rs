use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::websocket::control_frame::{close_frame, ping_frame};

/// A frame as the RFC draws it, with the shortest length form that fits.
#[derive(Debug, Clone)]
struct Frame {
    fin: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
}

impl Frame {
    fn header_length(&self) -> usize {
        let extended = match self.payload.len() {
            0..126 => 0,
            126..65536 => 2,
            _ => 8,
        };
        2 + extended + if self.mask.is_some() { 4 } else { 0 }
    }

    fn bytes(&self) -> Vec<u8> {
        let bit = if self.mask.is_some() { 0x80 } else { 0 };
        let mut out = vec![u8::from(self.fin) << 7 | self.opcode];
        match self.payload.len() {
            length @ 0..126 => out.push(bit | length as u8),
            length @ 126..65536 => {
                out.push(bit | 126);
                out.extend((length as u16).to_be_bytes());
            }
            length => {
                out.push(bit | 127);
                out.extend((length as u64).to_be_bytes());
            }
        }
        let mask = self.mask.unwrap_or_default();
        out.extend(self.mask.iter().flatten());
        out.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    }
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let length = prop_oneof![0..130usize, Just(65535usize), Just(65536usize)];
    let frame = (any::<bool>(), 0..16u8, any::<Option<[u8; 4]>>(), length, any::<u8>()).prop_map(
        |(fin, opcode, mask, length, fill)| {
            // Control frames are short and whole (section 5.5).
            let control = opcode >= OPCODE_CLOSE;
            let length = if control { length.min(125) } else { length };
            Frame { fin: fin || control, opcode, mask, payload: vec![fill; length] }
        },
    );
    prop::collection::vec(frame, 1..6)
}

/// The reading of a whole stream up to its first `end` bytes: whether a frame ends there, and what has been counted.
fn reference(frames: &[Frame], end: usize) -> (bool, Counts) {
    let (mut at, mut counts) = (0, Counts { bytes: end as u64, ..Counts::default() });
    for frame in frames {
        let whole = frame.header_length() + frame.payload.len();
        if end >= at + whole - frame.payload.len() && end > at {
            counts.text += u64::from(frame.fin && frame.opcode == 1);
            counts.messages += u64::from(frame.fin && frame.opcode < OPCODE_CLOSE);
            counts.pings += u64::from(frame.opcode == 9);
            counts.pongs += u64::from(frame.opcode == 10);
            let begins = at + whole - frame.payload.len();
            if frame.opcode == OPCODE_CLOSE && frame.payload.len() >= 2 && end >= begins + 2 {
                counts.close.get_or_insert(u16::from_be_bytes([frame.payload[0], frame.payload[1]]));
            }
        }
        at += whole;
        if end <= at {
            return (end == at, counts);
        }
    }
    (true, counts)
}

/// The counters that are compared.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    bytes: u64,
    messages: u64,
    text: u64,
    pings: u64,
    pongs: u64,
    close: Option<u16>,
}

fn counts(counters: &Counters) -> Counts {
    let seen = counters.values();
    Counts {
        bytes: seen.bytes,
        messages: seen.text + seen.binary + seen.continued,
        text: seen.text,
        pings: seen.pings,
        pongs: seen.pongs,
        close: seen.close.filter(|code| *code != NO_STATUS),
    }
}

proptest! {
    #[test]
    fn a_stream_cut_anywhere_is_read_as_the_whole(frames in frames(), cuts in prop::collection::vec(1..200usize, 1..50)) {
        let stream: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        // A second Close frame is against the RFC; only the first counts.
        prop_assume!(frames.iter().filter(|frame| frame.opcode == OPCODE_CLOSE).count() < 2);
        let (mut tracker, counters) = (Frames::default(), Counters::default());
        let (mut at, mut cuts) = (0, cuts.into_iter().cycle());
        while at < stream.len() {
            let end = stream.len().min(at + cuts.next().expect("cycles"));
            tracker.observe(&stream[at..end], &counters);
            at = end;
            let (boundary, expected) = reference(&frames, at);
            prop_assert_eq!((tracker.at_boundary(), counts(&counters)), (boundary, expected), "at {}", at);
        }
        let mut tracker = Frames::default();
        tracker.observe(&stream[..1], &counters);
        prop_assert_eq!(1 + tracker.observe_to_boundary(&stream[1..], &counters), frames[0].bytes().len());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..300usize) {
        let (mut tracker, counters) = (Frames::default(), Counters::default());
        let cut = cut.min(bytes.len());
        tracker.observe(&bytes[..cut], &counters);
        tracker.observe_to_boundary(&bytes[cut..], &counters);
    }
}

#[test]
fn every_split_of_a_short_stream_is_read_alike() {
    let frame = |opcode, mask, length| Frame { fin: true, opcode, mask, payload: vec![3; length] };
    let frames =
        [frame(1, Some([9, 8, 7, 6]), 5), frame(9, None, 0), frame(2, None, 130), frame(8, Some([1, 2, 3, 4]), 2)];
    let stream: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    let splits = |range: Range<usize>| range.map(|at| (at, stream.len()));
    for (first, second) in
        splits(0..stream.len()).flat_map(|(first, end)| (first..end).map(move |second| (first, second)))
    {
        let (mut tracker, counters) = (Frames::default(), Counters::default());
        for part in [&stream[..first], &stream[first..second], &stream[second..]] {
            tracker.observe(part, &counters);
        }
        assert_eq!((tracker.at_boundary(), counts(&counters)), reference(&frames, stream.len()), "{first} {second}");
    }
}

#[test]
fn a_close_frame_is_seen_and_made() {
    for mask in [None, Some([1, 2, 3, 4])] {
        let (mut tracker, counters) = (Frames::default(), Counters::default());
        tracker.observe(&close_frame(1001, "going away", mask), &counters);
        assert!(tracker.close_seen() && tracker.at_boundary());
        assert_eq!(counters.values().close, Some(1001));
    }
    let (mut tracker, counters) = (Frames::default(), Counters::default());
    tracker.observe(&[0x88, 0], &counters);
    assert_eq!(counters.values().close, Some(NO_STATUS));
    assert_eq!(close_frame(1001, "", None), [0x88, 2, 0x03, 0xe9]);
    assert_eq!(close_frame(1001, &"x".repeat(500), None).len(), 127);
    assert_eq!(close_frame(1001, &"é".repeat(100), None).len(), 126, "no half of a character");
    assert_eq!(ping_frame(None), [0x89, 0]);
}
