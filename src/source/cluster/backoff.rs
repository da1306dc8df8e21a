//! Exponential backoff: how long to wait before something that failed is tried again.

use std::time::Duration;

/// Pauses that double from the first to the longest, with jitter, until something has succeeded.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// A backoff for requests to an API server: 250 ms, doubled up to 10 s.
    pub(super) fn for_requests() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(10))
    }

    fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Notes a success: the next pause is the first one again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Notes a failure, and gives the pause after it: no less than `retry_after`, which is what the server asks for.
    pub(super) fn next_pause(&mut self, retry_after: Option<Duration>) -> Duration {
        let pause = self.longest.min(self.first.saturating_mul(2u32.saturating_pow(self.failures)));
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.5 + 0.5 * fastrand::f64()).max(retry_after.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_the_longest_and_the_server_may_ask_for_more() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(10));
        for expected in [1, 2, 4, 8, 10, 10] {
            let pause = backoff.next_pause(None);
            assert!(pause >= seconds(expected) / 2 && pause <= seconds(expected), "{pause:?} of {expected} s");
        }
        assert_eq!(backoff.next_pause(Some(seconds(30))), seconds(30));
        backoff.reset();
        assert!(backoff.next_pause(None) <= seconds(1));
    }
}
