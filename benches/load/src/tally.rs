//! What is counted of requests and messages, and the form in which it is told.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Latencies in nanoseconds, to three digits, up to 100 s.
pub(crate) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        Latency(Histogram::new_with_bounds(1, 100_000_000_000, 3).expect("bounds in order"))
    }
}

impl Latency {
    pub(crate) fn note(&mut self, latency: Duration) {
        self.0.saturating_record(latency.as_nanos() as u64);
    }

    pub(crate) fn add(&mut self, other: &Latency) {
        self.0.add(&other.0).expect("of the same bounds");
    }

    /// In microseconds, to a tenth.
    pub(crate) fn json(&self) -> Value {
        let microseconds = |nanoseconds: u64| (nanoseconds as f64 / 100.0).round() / 10.0;
        let quantile = |quantile| microseconds(self.0.value_at_quantile(quantile));
        json!({
            "p50": quantile(0.5), "p90": quantile(0.9), "p99": quantile(0.99), "p999": quantile(0.999),
            "max": microseconds(self.0.max()), "count": self.0.len(),
        })
    }
}

/// Failures by reason, and the text of the first.
#[derive(Default)]
pub(crate) struct Failures {
    pub(crate) count: u64,
    reasons: BTreeMap<String, u64>,
    first: Option<String>,
}

impl Failures {
    pub(crate) fn note(&mut self, error: &Error) {
        self.add(1, error);
    }

    pub(crate) fn add(&mut self, count: u64, error: &Error) {
        let reason = match error.kind() {
            ErrorKind::ConnectionRefused => "refused",
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => "reset",
            ErrorKind::UnexpectedEof => "closed",
            ErrorKind::TimedOut => "timed out",
            ErrorKind::InvalidData => "invalid",
            _ => &error.to_string(),
        };
        if count > 0 {
            self.count += count;
            *self.reasons.entry(reason.to_owned()).or_default() += count;
            self.first.get_or_insert_with(|| error.to_string());
        }
    }

    /// `failed`, `reasons` and `first_error`, put into an answer.
    pub(crate) fn put(&self, answer: &mut Value) {
        answer["failed"] = self.count.into();
        answer["reasons"] = json!(self.reasons);
        answer["first_error"] = json!(self.first);
    }
}

/// What came of requests.
pub(crate) struct Tally {
    latency: Latency,
    recent: Latency,
    failures: Failures,
    bytes: u64,
    start: Instant,
    succeeded: Instant,
    gap: Duration,
}

impl Tally {
    /// Whose first gap begins now.
    pub(crate) fn new(now: Instant) -> Tally {
        let (latency, recent) = (Latency::default(), Latency::default());
        Tally {
            latency,
            recent,
            failures: Failures::default(),
            bytes: 0,
            start: now,
            succeeded: now,
            gap: Duration::ZERO,
        }
    }

    /// A request that was due then has been answered with so many bytes.
    pub(crate) fn succeed(&mut self, due: Instant, now: Instant, bytes: u64) {
        self.recent.note(now.saturating_duration_since(due));
        self.bytes += bytes;
        self.gap = self.gap.max(now.saturating_duration_since(self.succeeded));
        self.succeeded = now;
    }

    pub(crate) fn fail(&mut self, error: &Error) {
        self.failures.note(error);
    }

    /// Requests that were not answered when time was up.
    pub(crate) fn abandon(&mut self, count: u64) {
        self.failures.add(count, &Error::other("unanswered"));
    }

    /// The latencies since this was asked last, and the counts of all.
    pub(crate) fn recent(&mut self) -> Value {
        let recent = std::mem::take(&mut self.recent);
        self.latency.add(&recent);
        self.json(&recent)
    }

    /// All of it.
    pub(crate) fn total(&mut self, now: Instant) -> Value {
        self.latency.add(&std::mem::take(&mut self.recent));
        self.gap = self.gap.max(now.saturating_duration_since(self.succeeded));
        self.json(&self.latency)
    }

    fn json(&self, latency: &Latency) -> Value {
        let mut answer = json!({
            "requests": self.latency.0.len(), "bytes": self.bytes,
            "seconds": self.start.elapsed().as_secs_f64(), "gap": self.gap.as_secs_f64(), "latency": latency.json(),
        });
        self.failures.put(&mut answer);
        answer
    }
}
