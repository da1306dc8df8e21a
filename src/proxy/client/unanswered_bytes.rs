//! The bytes of HTTP/2 requests that no backend has answered yet: counted over all connections, and bounded.

use prometheus_client::metrics::gauge::Gauge;

/// Memory of a DATA frame besides its payload, in bytes. Otherwise many small frames would cost more than is counted.
const FRAME_OVERHEAD_BYTES: usize = 64;
/// How many times the limit may be held before a request fails of which a backend has begun to take the body.
const BEGUN_FACTOR: usize = 4;

/// The bytes of HTTP/2 requests that lie in the gateway before a backend has answered them, and their limit.
///
/// Flow control bounds what one stream may send ahead, but not what all streams of all connections send. Beyond the limit a
/// request fails whose backend has taken nothing of its body. Beyond four times the limit, any request fails that has more to send.
#[derive(Debug)]
pub(in crate::proxy) struct UnansweredBytes {
    limit: usize,
    held: Gauge,
}

/// Whether a backend has begun to take a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Untouched,
    Begun,
}

impl UnansweredBytes {
    /// At most `limit` bytes. `held` shows how many there are now.
    pub(in crate::proxy) fn new(limit: usize, held: Gauge) -> Self {
        Self { limit, held }
    }

    /// Counts a frame. Returns whether its request may go on.
    pub(super) fn add(&self, payload: usize, progress: Progress) -> bool {
        let before = self.held.inc_by(cost(payload));
        let held = before.saturating_add(cost(payload));
        let limit = match progress {
            Progress::Untouched => self.limit,
            Progress::Begun => self.limit.saturating_mul(BEGUN_FACTOR),
        };
        held <= i64::try_from(limit).unwrap_or(i64::MAX)
    }

    /// Counts a frame that is held no more.
    pub(super) fn release(&self, payload: usize) {
        self.held.dec_by(cost(payload));
    }
}

/// What a frame counts for.
fn cost(payload: usize) -> i64 {
    i64::try_from(payload + FRAME_OVERHEAD_BYTES).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_a_backend_takes_may_go_beyond_the_limit() {
        let held = Gauge::default();
        let bytes = UnansweredBytes::new(1000, held.clone());
        assert!(bytes.add(1000 - FRAME_OVERHEAD_BYTES, Progress::Untouched));
        assert!(!bytes.add(0, Progress::Untouched));
        assert!(bytes.add(2000, Progress::Begun));
        assert!(!bytes.add(2000, Progress::Begun));
        for payload in [1000 - FRAME_OVERHEAD_BYTES, 0, 2000, 2000] {
            bytes.release(payload);
        }
        assert_eq!(held.get(), 0);
    }
}
