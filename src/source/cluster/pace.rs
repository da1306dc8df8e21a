//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// Pauses that double from the first to the longest, with jitter, until something has succeeded.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Pace {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// It has succeeded.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It has failed once more: how long to wait, no less than what the server asks for.
    pub(super) fn failed(&mut self, asked: Option<Duration>) -> Duration {
        let pause = self.longest.min(self.first.saturating_mul(2u32.saturating_pow(self.failures)));
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.5 + 0.5 * fastrand::f64()).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_the_longest_and_the_server_may_ask_for_more() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::new(seconds(1), seconds(10));
        for expected in [1, 2, 4, 8, 10, 10] {
            let pause = pace.failed(None);
            assert!(pause >= seconds(expected) / 2 && pause <= seconds(expected), "{pause:?} of {expected} s");
        }
        assert_eq!(pace.failed(Some(seconds(30))), seconds(30));
        pace.succeeded();
        assert!(pace.failed(None) <= seconds(1));
    }
}
