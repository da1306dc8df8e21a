//! The limits on a client's messages: a frame is admitted once its header is complete and within the limits.

use tokio::time::Instant;

use crate::model::SessionLimits;
use crate::websocket::close_order::CloseCause;
use crate::websocket::counters::Counters;
use crate::websocket::frame::Frames;
use crate::websocket::frame_header::{FrameHeader, MAX_HEADER_BYTES};
use crate::websocket::token_bucket::TokenBucket;

/// The longest payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL_PAYLOAD_BYTES: u64 = 125;

/// The limits of one session, and how much of them is used.
pub(super) struct MessageLimiter {
    /// Bytes of payload that a message may have.
    message_size: Option<u64>,
    message_rate: Option<MessageRate>,
    /// Bytes of payload of the current message so far.
    size: u64,
    /// The limit that has been broken, if one has.
    pub(super) violation: Option<CloseCause>,
}

/// Messages a second that a client may send.
struct MessageRate {
    rate: u32,
    bucket: TokenBucket,
}

/// The bytes that may be passed on: the beginning of a header that was held back before, then some of the bytes at hand.
pub(super) struct Admitted {
    held_back: [u8; MAX_HEADER_BYTES],
    held_back_length: usize,
    /// The number of bytes at hand that are admitted.
    pub(super) length: usize,
}

impl Admitted {
    /// The beginning of a header that was held back before.
    pub(super) fn held_back(&self) -> &[u8] {
        &self.held_back[..self.held_back_length]
    }
}

impl MessageLimiter {
    /// `None` where the route has no limits on messages.
    pub(super) fn new(limits: &SessionLimits) -> Option<Box<Self>> {
        let SessionLimits { message_size, message_rate, .. } = *limits;
        if message_size.is_none() && message_rate.is_none() {
            return None;
        }
        let limited = |rate| MessageRate { rate, bucket: TokenBucket::new(rate, Instant::now()) };
        Some(Box::new(Self { message_size, message_rate: message_rate.map(limited), size: 0, violation: None }))
    }

    /// Follows bytes that have been read, and gives those that may be passed on. A header that is not complete is held back (in
    /// `frames`), so that the gateway's Close can still be written before it.
    pub(super) fn admit(&mut self, frames: &mut Frames, bytes: &[u8], counters: &Counters) -> Admitted {
        let partial = frames.partial_header();
        let mut admitted = Admitted { held_back: [0; MAX_HEADER_BYTES], held_back_length: partial.len(), length: 0 };
        admitted.held_back[..partial.len()].copy_from_slice(partial);
        let mut offset = 0;
        while offset < bytes.len() {
            if frames.within_payload() {
                offset += frames.skip_payload(&bytes[offset..], counters);
            } else {
                let (taken, header) = frames.read_header(&bytes[offset..]);
                let Some(header) = header else { break };
                self.violation = self.check(header);
                if self.violation.is_some() {
                    // Nothing is passed on any more; the client's answer to the Close is still to be found.
                    frames.begin_frame(header, &Counters::default());
                    frames.observe(&bytes[offset + taken..], &Counters::default());
                    break;
                }
                frames.begin_frame(header, counters);
                offset += taken;
            }
            admitted.length = offset;
        }
        if admitted.length == 0 {
            admitted.held_back_length = 0;
        }
        counters.add_bytes(admitted.length + admitted.held_back_length);
        admitted
    }

    /// The limit that a frame with this header breaks, if it breaks one.
    fn check(&mut self, header: FrameHeader) -> Option<CloseCause> {
        let begins_message = header.opcode != 0;
        if !header.is_data() {
            if header.payload > MAX_CONTROL_PAYLOAD_BYTES {
                return Some(CloseCause::MessageSize);
            }
        } else {
            self.size = if begins_message { header.payload } else { self.size.saturating_add(header.payload) };
            if self.message_size.is_some_and(|limit| self.size > limit) {
                return Some(CloseCause::MessageSize);
            }
        }
        let MessageRate { rate, bucket } = self.message_rate.as_mut()?;
        // A Close is not counted: it is the last frame.
        let counts = begins_message && !header.is_close();
        (counts && !bucket.take(*rate, Instant::now())).then_some(CloseCause::MessageRate)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(message_size: Option<u64>, message_rate: Option<u32>) -> SessionLimits {
        SessionLimits { message_size, message_rate, ..SessionLimits::default() }
    }

    /// The bytes of a stream that are admitted, where it is cut into pieces of these sizes, and the limit that it breaks.
    fn through(limits: SessionLimits, stream: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<CloseCause>) {
        let mut limiter = MessageLimiter::new(&limits).expect("limits");
        let (mut frames, counters, mut out) = (Frames::default(), Counters::default(), Vec::new());
        let (mut rest, mut cuts) = (stream, cuts.iter().cycle());
        while !rest.is_empty() && limiter.violation.is_none() {
            let (now, later) = rest.split_at(rest.len().min(*cuts.next().expect("cycles")));
            let admitted = limiter.admit(&mut frames, now, &counters);
            out.extend_from_slice(admitted.held_back());
            out.extend_from_slice(&now[..admitted.length]);
            rest = later;
        }
        assert_eq!(counters.values().bytes, out.len() as u64);
        (out, limiter.violation)
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
            prop_assert_eq!(through(limits(Some(201), None), &whole, &cuts), expected(whole.len() - 8, CloseCause::MessageSize));
            prop_assert_eq!(through(limits(Some(100), None), &whole, &cuts), expected(15, CloseCause::MessageSize));
            prop_assert_eq!(through(limits(None, Some(2)), &whole, &cuts), expected(15, CloseCause::MessageRate));
            prop_assert_eq!(through(limits(None, Some(1)), &whole, &cuts), expected(9, CloseCause::MessageRate));
            let ping = [0x89, 0xff, 0, 0, 0, 2, 0, 0, 0, 0, 1, 2, 3, 4, 7, 7];
            prop_assert_eq!(through(limits(Some(202), None), &ping, &cuts), (Vec::new(), Some(CloseCause::MessageSize)));
        }
    }
}
