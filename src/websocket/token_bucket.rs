//! A token bucket: at most a rate over time, and at once no more than one second's worth of it.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket that holds one second's worth of tokens.
#[derive(Debug)]
pub(super) struct TokenBucket {
    tokens: f64,
    /// Tokens a second.
    rate: u32,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { tokens: f64::from(rate), rate, filled: now }
    }

    /// Takes a token, if there is one. The bucket fills at `rate` a second from now on.
    pub(super) fn take(&mut self, rate: u32, now: Instant) -> bool {
        self.rate = rate;
        self.fill(now);
        let available = self.tokens >= 1.0;
        if available {
            self.tokens -= 1.0;
        }
        available
    }

    /// Whether it holds as many tokens as it can.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.filled) >= Duration::from_secs(1)
    }

    fn fill(&mut self, now: Instant) {
        let added = now.saturating_duration_since(self.filled).as_secs_f64() * f64::from(self.rate);
        self.tokens = (self.tokens + added).min(f64::from(self.rate));
        self.filled = now;
    }
}
