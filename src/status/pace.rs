//! How fast is written: all together, and each object.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Desired;
use crate::model::ObjectRef;

/// Shortest time between two writes to one object.
const EACH: Duration = Duration::from_secs(1);

/// Longest pause after failures.
const LONGEST: Duration = Duration::from_secs(60);

/// Longest pause between two writes of the same thing, where someone else undoes them.
const LONGEST_FIGHT: Duration = Duration::from_secs(300);

/// The rate of all writes together, and the pause after the API server could not take them.
#[derive(Debug)]
pub(super) struct Rate {
    every: Duration,
    next: Instant,
    failures: u32,
}

impl Rate {
    /// At most one in `every`.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, next: Instant::now(), failures: 0 }
    }

    /// When the next may go.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// One goes now.
    pub(super) fn take(&mut self, now: Instant) {
        self.next = self.next.max(now) + self.every;
    }

    /// The API server took one.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It is away or overloaded: a pause for all, longer each time, or as long as it asks for.
    pub(super) fn failed(&mut self, now: Instant, asked: Option<Duration>) {
        // What was under way together fails together, and counts once.
        if self.next <= now + self.every {
            self.failures = self.failures.saturating_add(1);
        }
        let pause = asked.unwrap_or_else(|| backoff(self.failures, LONGEST / 2));
        self.next = self.next.max(now + pause);
    }
}

/// 1 s, 2 s, 4 s, … up to `longest`, each up to a quarter longer so that replicas don't go in step.
pub(super) fn backoff(failures: u32, longest: Duration) -> Duration {
    let pause = Duration::from_secs(1 << failures.saturating_sub(1).min(16)).min(longest);
    pause + pause.mul_f64(0.25 * fastrand::f64())
}

/// One object.
#[derive(Debug)]
struct Pace {
    not_before: Instant,
    failures: u32,
    /// What was written last, and how often the same was written again.
    last: Option<Desired>,
    again: u32,
}

/// When each object may be written to. Holds only objects that were written to lately.
#[derive(Debug, Default)]
pub(super) struct Paces(BTreeMap<ObjectRef, Pace>);

impl Paces {
    /// When this object may be written to; `None`: at once.
    pub(super) fn not_before(&self, object: &ObjectRef) -> Option<Instant> {
        self.0.get(object).map(|pace| pace.not_before)
    }

    /// It was written to. Gives how often in a row the same thing had to be written: someone else changes it back.
    pub(super) fn succeeded(&mut self, object: &ObjectRef, status: &Desired, now: Instant) -> u32 {
        let pace = self.pace(object, now);
        pace.failures = 0;
        pace.again = if pace.last.as_ref() == Some(status) { pace.again.saturating_add(1) } else { 0 };
        pace.last = Some(status.clone());
        pace.not_before = now + if pace.again == 0 { EACH } else { backoff(pace.again, LONGEST_FIGHT) };
        pace.again
    }

    /// It could not be written to.
    pub(super) fn failed(&mut self, object: &ObjectRef, now: Instant) {
        let pace = self.pace(object, now);
        pace.failures = pace.failures.saturating_add(1);
        pace.not_before = now + backoff(pace.failures, LONGEST);
    }

    /// Forgets what was long ago.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0.retain(|_, pace| now < pace.not_before + 2 * LONGEST_FIGHT);
    }

    fn pace(&mut self, object: &ObjectRef, now: Instant) -> &mut Pace {
        let first = Pace { not_before: now, failures: 0, last: None, again: 0 };
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
        let mut paces = Paces::default();
        assert_eq!(paces.not_before(&object), None);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            paces.succeeded(&object, &Desired::Nothing, now);
            pauses.push(paces.not_before(&object).expect("known") - now);
        }
        assert_eq!(pauses[0], EACH);
        assert!(pauses[3] >= 4 * EACH && pauses[11] >= LONGEST_FIGHT, "{pauses:?}");
        paces.succeeded(&object, &Desired::Ingress(Vec::new()), now);
        assert_eq!(paces.not_before(&object), Some(now + EACH), "something else is written at once");
        paces.forget(now + 3 * LONGEST_FIGHT);
        assert_eq!(paces.not_before(&object), None);
    }

    #[test]
    fn failures_that_come_together_count_once() {
        let now = Instant::now();
        let mut rate = Rate::new(Duration::from_millis(10));
        for _ in 0..8 {
            rate.failed(now, None);
        }
        assert!(rate.next() <= now + Duration::from_secs(2), "{:?}", rate.next() - now);
        rate.failed(now, Some(Duration::from_secs(7)));
        assert_eq!(rate.next(), now + Duration::from_secs(7));
    }
}
