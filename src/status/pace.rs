//! The pace of status writes: of all writes together, and of the writes to each object.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::DesiredStatus;
use crate::model::ObjectRef;

/// The shortest interval between two writes to one object.
const OBJECT_INTERVAL: Duration = Duration::from_secs(1);

/// The longest pause after failures.
const MAX_FAILURE_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause between two writes of the same status, where another writer undoes them.
const MAX_FIGHT_PAUSE: Duration = Duration::from_secs(300);

/// The rate of all writes together, and the pause after the API server could not take them.
#[derive(Debug)]
pub(super) struct WriteRate {
    every: Duration,
    next: Instant,
    failures: u32,
}

impl WriteRate {
    /// At most one in `every`.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, next: Instant::now(), failures: 0 }
    }

    /// The time of the next write.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// A write begins now.
    pub(super) fn take(&mut self, now: Instant) {
        self.next = self.next.max(now) + self.every;
    }

    /// A write has succeeded.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The API server is away or overloaded: all writes pause, longer each time, or as long as the server asks (`asked`).
    pub(super) fn failed(&mut self, now: Instant, asked: Option<Duration>) {
        // Writes that were in flight together fail together, and count once.
        if self.next <= now + self.every {
            self.failures = self.failures.saturating_add(1);
        }
        let pause = asked.unwrap_or_else(|| backoff(self.failures, MAX_FAILURE_PAUSE / 2));
        self.next = self.next.max(now + pause);
    }
}

/// 1 s, 2 s, 4 s, … up to `longest`, each up to a quarter longer so that replicas don't go in step.
pub(super) fn backoff(failures: u32, longest: Duration) -> Duration {
    let pause = Duration::from_secs(1 << failures.saturating_sub(1).min(16)).min(longest);
    pause + pause.mul_f64(0.25 * fastrand::f64())
}

/// The pace of the writes to one object.
#[derive(Debug)]
struct ObjectPace {
    not_before: Instant,
    failures: u32,
    /// The status that was written last.
    last: Option<DesiredStatus>,
    /// How often in a row that status was written again.
    repeats: u32,
}

/// The earliest time of the next write to each object. Holds only objects that were written to lately.
#[derive(Debug, Default)]
pub(super) struct ObjectPaces(BTreeMap<ObjectRef, ObjectPace>);

impl ObjectPaces {
    /// The earliest time of the next write to this object; `None`: at once.
    pub(super) fn not_before(&self, object: &ObjectRef) -> Option<Instant> {
        self.0.get(object).map(|pace| pace.not_before)
    }

    /// A write has succeeded. Gives how often in a row this status had to be written again because another writer undid it.
    pub(super) fn succeeded(&mut self, object: &ObjectRef, status: &DesiredStatus, now: Instant) -> u32 {
        let pace = self.pace(object, now);
        pace.failures = 0;
        pace.repeats = if pace.last.as_ref() == Some(status) { pace.repeats.saturating_add(1) } else { 0 };
        pace.last = Some(status.clone());
        pace.not_before =
            now + if pace.repeats == 0 { OBJECT_INTERVAL } else { backoff(pace.repeats, MAX_FIGHT_PAUSE) };
        pace.repeats
    }

    /// A write has failed.
    pub(super) fn failed(&mut self, object: &ObjectRef, now: Instant) {
        let pace = self.pace(object, now);
        pace.failures = pace.failures.saturating_add(1);
        pace.not_before = now + backoff(pace.failures, MAX_FAILURE_PAUSE);
    }

    /// Forgets objects that were written to long ago.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0.retain(|_, pace| now < pace.not_before + 2 * MAX_FIGHT_PAUSE);
    }

    fn pace(&mut self, object: &ObjectRef, now: Instant) -> &mut ObjectPace {
        let first = ObjectPace { not_before: now, failures: 0, last: None, repeats: 0 };
        self.0.entry(object.clone()).or_insert(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn an_object_that_is_changed_back_is_written_to_ever_more_seldom() {
        let (object, now) = (ObjectRef::new(Kind::Ingress, "a", "b"), Instant::now());
        let mut paces = ObjectPaces::default();
        assert_eq!(paces.not_before(&object), None);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            paces.succeeded(&object, &DesiredStatus::Nothing, now);
            pauses.push(paces.not_before(&object).expect("known") - now);
        }
        assert_eq!(pauses[0], OBJECT_INTERVAL);
        assert!(pauses[3] >= 4 * OBJECT_INTERVAL && pauses[11] >= MAX_FIGHT_PAUSE, "{pauses:?}");
        paces.succeeded(&object, &DesiredStatus::Ingress(Vec::new()), now);
        assert_eq!(paces.not_before(&object), Some(now + OBJECT_INTERVAL), "something else is written at once");
        paces.forget(now + 3 * MAX_FIGHT_PAUSE);
        assert_eq!(paces.not_before(&object), None);
    }

    #[test]
    fn failures_that_come_together_count_once() {
        let now = Instant::now();
        let mut rate = WriteRate::new(Duration::from_millis(10));
        for _ in 0..8 {
            rate.failed(now, None);
        }
        assert!(rate.next() <= now + Duration::from_secs(2), "{:?}", rate.next() - now);
        rate.failed(now, Some(Duration::from_secs(7)));
        assert_eq!(rate.next(), now + Duration::from_secs(7));
    }
}
