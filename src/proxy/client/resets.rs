//! The budget of streams that an HTTP/2 client may reset: a request that is begun and abandoned costs the client nothing, and the
//! gateway a connection to a member.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use crate::proxy::limits::{MAX_CLIENT_RESETS, MAX_CLIENT_RESETS_PER_SECOND};

/// The resets of one connection. What is left fills up over time, as in a token bucket.
#[derive(Debug)]
pub(in crate::proxy) struct ResetBudget {
    bucket: Mutex<Bucket>,
    /// How many times the usual budget the connection has.
    factor: u32,
    exceeded: AtomicBool,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl ResetBudget {
    /// A full budget, of `factor` times the usual size.
    pub(in crate::proxy) fn new(factor: u32) -> Self {
        let left = f64::from(MAX_CLIENT_RESETS * factor);
        let bucket = Mutex::new(Bucket { left, filled: Instant::now() });
        Self { bucket, factor, exceeded: AtomicBool::new(false) }
    }

    /// Notes that the client has reset a stream.
    pub(in crate::proxy) fn note(&self) {
        let Ok(mut bucket) = self.bucket.lock() else { return };
        let now = Instant::now();
        let filled = now.saturating_duration_since(bucket.filled).as_secs_f64();
        let added = filled * f64::from(MAX_CLIENT_RESETS_PER_SECOND * self.factor);
        bucket.filled = now;
        bucket.left = (bucket.left + added).min(f64::from(MAX_CLIENT_RESETS * self.factor)) - 1.0;
        if bucket.left < 0.0 {
            self.exceeded.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the client has ever reset more than the budget.
    pub(in crate::proxy) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_budget_takes_a_burst_and_then_a_rate() {
        let budget = ResetBudget::new(1);
        for _ in 0..MAX_CLIENT_RESETS {
            budget.note();
        }
        assert!(!budget.is_exceeded());
        for _ in 0..3 * MAX_CLIENT_RESETS_PER_SECOND {
            tokio::time::advance(Duration::from_secs(1) / MAX_CLIENT_RESETS_PER_SECOND).await;
            budget.note();
        }
        assert!(!budget.is_exceeded(), "at the rate");
        for _ in 0..2 {
            budget.note();
        }
        assert!(budget.is_exceeded());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_of_many_clients_has_a_larger_budget() {
        let budget = ResetBudget::new(10);
        for _ in 0..10 * MAX_CLIENT_RESETS {
            budget.note();
        }
        assert!(!budget.is_exceeded());
        budget.note();
        assert!(budget.is_exceeded());
    }
}
