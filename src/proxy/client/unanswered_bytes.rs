//! The bytes of HTTP/2 requests that no backend has answered yet: counted over all connections, and bounded.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory of a DATA frame besides its payload, in bytes. Otherwise many small frames would cost more than is counted.
const FRAME_OVERHEAD_BYTES: usize = 64;
/// How many times the limit may be held before a request fails of which a backend has begun to take the body.
const BEGUN_FACTOR: usize = 4;

/// The bytes of HTTP/2 requests that lie in the gateway before a backend has answered them, and their limit.
///
/// Flow control bounds what one stream may send ahead, but not what all streams of all connections send. Beyond the limit a
/// request fails whose backend has taken nothing of its body. Beyond four times the limit, any request fails that has more to send.
#[derive(Debug)]
pub struct UnansweredBytes {
    limit: usize,
    held: AtomicUsize,
}

/// Whether a backend has begun to take a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Untouched,
    Begun,
}

impl UnansweredBytes {
    /// None held, and at most `limit` taken.
    pub fn new(limit: usize) -> Self {
        Self { limit, held: AtomicUsize::new(0) }
    }

    /// The bytes that are held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Counts a frame. Returns whether its request may go on.
    pub(super) fn add(&self, payload: usize, progress: Progress) -> bool {
        let cost = payload + FRAME_OVERHEAD_BYTES;
        let held = self.held.fetch_add(cost, Ordering::Relaxed) + cost;
        let limit = match progress {
            Progress::Untouched => self.limit,
            Progress::Begun => self.limit.saturating_mul(BEGUN_FACTOR),
        };
        held <= limit
    }

    /// Counts a frame that is held no more.
    pub(super) fn release(&self, payload: usize) {
        self.held.fetch_sub(payload + FRAME_OVERHEAD_BYTES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_a_backend_takes_may_go_beyond_the_limit() {
        let bytes = UnansweredBytes::new(1000);
        assert!(bytes.add(1000 - FRAME_OVERHEAD_BYTES, Progress::Untouched));
        assert!(!bytes.add(0, Progress::Untouched));
        assert!(bytes.add(2000, Progress::Begun));
        assert!(!bytes.add(2000, Progress::Begun));
        for payload in [1000 - FRAME_OVERHEAD_BYTES, 0, 2000, 2000] {
            bytes.release(payload);
        }
        assert_eq!(bytes.held(), 0);
    }
}
