//! What a client may send: frames are let through once their header is whole and within the limits.

use tokio::time::Instant;

use crate::model::SessionLimits;
use crate::websocket::Why;
use crate::websocket::admission::Bucket;
use crate::websocket::counters::Counters;
use crate::websocket::frame::{Frames, Head, LONGEST};

/// The limits of one session.
pub(super) struct Gate {
    message_size: Option<u64>,
    message_rate: Option<(u32, Bucket)>,
    /// Payload of the message at hand, so far.
    size: u64,
    /// What has been broken.
    pub(super) fault: Option<Why>,
}

/// What may be passed on.
pub(super) struct Passed {
    /// The beginning of a header that was kept back.
    pub(super) kept: [u8; LONGEST],
    /// How much of it.
    pub(super) kept_length: usize,
    /// How many of the bytes at hand.
    pub(super) length: usize,
}

impl Gate {
    /// `None` where there is nothing to watch.
    pub(super) fn new(limits: &SessionLimits) -> Option<Box<Self>> {
        let SessionLimits { message_size, message_rate, .. } = *limits;
        if message_size.is_none() && message_rate.is_none() {
            return None;
        }
        let message_rate = message_rate.map(|rate| (rate, Bucket::new(rate, Instant::now())));
        Some(Box::new(Self { message_size, message_rate, size: 0, fault: None }))
    }

    /// Takes in what has been read. A header that is not whole is kept back (by `frames`), so that the gateway can still say
    /// something where it would begin.
    pub(super) fn pass(&mut self, frames: &mut Frames, bytes: &[u8], counters: &Counters) -> Passed {
        let begun = frames.begun();
        let mut passed = Passed { kept: [0; LONGEST], kept_length: begun.len(), length: 0 };
        passed.kept[..begun.len()].copy_from_slice(begun);
        let mut at = 0;
        while at < bytes.len() {
            if frames.within_payload() {
                at += frames.skip(&bytes[at..], counters);
            } else {
                let (taken, head) = frames.head(&bytes[at..]);
                let Some(head) = head else { break };
                self.fault = self.judge(head);
                if self.fault.is_some() {
                    // Nothing is passed on any more; the client's answer to the Close is still to be found.
                    frames.begin(head, &Counters::default());
                    frames.observe(&bytes[at + taken..], &Counters::default());
                    break;
                }
                frames.begin(head, counters);
                at += taken;
            }
            passed.length = at;
        }
        if passed.length == 0 {
            passed.kept_length = 0;
        }
        counters.add_bytes(passed.length + passed.kept_length);
        passed
    }

    fn judge(&mut self, head: Head) -> Option<Why> {
        let begins = head.opcode != 0;
        if !head.is_data() {
            // What is longer is no control frame (RFC 6455 section 5.5).
            if head.payload > 125 {
                return Some(Why::MessageSize);
            }
        } else {
            self.size = if begins { head.payload } else { self.size.saturating_add(head.payload) };
            if self.message_size.is_some_and(|limit| self.size > limit) {
                return Some(Why::MessageSize);
            }
        }
        let (rate, bucket) = self.message_rate.as_mut()?;
        // A Close is the last.
        (begins && !head.is_close() && !bucket.take(*rate, Instant::now())).then_some(Why::MessageRate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(message_size: Option<u64>, message_rate: Option<u32>) -> SessionLimits {
        SessionLimits { message_size, message_rate, ..SessionLimits::default() }
    }

    /// What comes through, of a stream cut into pieces of these sizes, and what was broken.
    fn through(limits: SessionLimits, stream: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<Why>) {
        let mut gate = Gate::new(&limits).expect("limits");
        let (mut frames, counters, mut out) = (Frames::default(), Counters::default(), Vec::new());
        let (mut rest, mut cuts) = (stream, cuts.iter().cycle());
        while !rest.is_empty() && gate.fault.is_none() {
            let (now, later) = rest.split_at(rest.len().min(*cuts.next().expect("cycles")));
            let passed = gate.pass(&mut frames, now, &counters);
            out.extend_from_slice(&passed.kept[..passed.kept_length]);
            out.extend_from_slice(&now[..passed.length]);
            rest = later;
        }
        assert_eq!(counters.seen().bytes, out.len() as u64);
        (out, gate.fault)
    }

    /// A whole text message, a Ping, then one of two fragments.
    fn stream() -> Vec<u8> {
        let mut stream = vec![0x81, 0x83, 1, 2, 3, 4, 9, 9, 9, 0x89, 0x80, 1, 2, 3, 4];
        stream.extend([0x01, 0xfe, 0, 200, 1, 2, 3, 4]);
        stream.extend([7; 200]);
        stream.extend([0x80, 0x82, 1, 2, 3, 4, 5, 5]);
        stream
    }

    proptest! {
        #[test]
        fn what_is_within_the_limits_passes_unchanged(cuts in prop::collection::vec(1..40usize, 1..20)) {
            prop_assert_eq!(through(limits(Some(202), Some(3)), &stream(), &cuts), (stream(), None));
        }

        #[test]
        fn of_a_frame_that_breaks_a_limit_nothing_passes(cuts in prop::collection::vec(1..40usize, 1..20)) {
            let whole = stream();
            let expected = |end: usize, why| (whole[..end].to_vec(), Some(why));
            prop_assert_eq!(through(limits(Some(201), None), &whole, &cuts), expected(whole.len() - 8, Why::MessageSize));
            prop_assert_eq!(through(limits(Some(100), None), &whole, &cuts), expected(15, Why::MessageSize));
            prop_assert_eq!(through(limits(None, Some(2)), &whole, &cuts), expected(15, Why::MessageRate));
            prop_assert_eq!(through(limits(None, Some(1)), &whole, &cuts), expected(9, Why::MessageRate));
            let ping = [0x89, 0xff, 0, 0, 0, 2, 0, 0, 0, 0, 1, 2, 3, 4, 7, 7];
            prop_assert_eq!(through(limits(Some(202), None), &ping, &cuts), (Vec::new(), Some(Why::MessageSize)));
        }
    }
}
