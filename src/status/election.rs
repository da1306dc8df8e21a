//! Who holds the lease: the rules of client-go's leader election, without I/O.
//!
//! The clocks of others are never trusted. A record has expired when it has not changed for its duration by our own
//! clock, and the one who holds it stops writing a third of that duration earlier.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// The duration of the lease: how long a record is valid after its last change.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(15);

/// How long the holder goes on writing after its last renewal. Together with [`REQUEST_TIMEOUT`] it is less than
/// [`LEASE_DURATION`]: a write that begins at the last moment has ended before another can take over.
pub(super) const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// The interval between two reads of the record, and between two renewals.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// The longest time that one request to the API server may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// The longest lease duration that is believed of another's record, in seconds.
const MAX_BELIEVED_SECONDS: u64 = 60;

/// One candidate's view.
#[derive(Debug)]
pub(super) struct Election {
    identity: String,
    /// The record as last seen, and when it was first seen so.
    observed: Option<(LeaseSpec, Instant)>,
}

impl Election {
    /// A candidate who has seen nothing yet.
    pub(super) fn new(identity: String) -> Self {
        Self { identity, observed: None }
    }

    /// Takes a look at the record, and gives the one to write in its place if it is ours to take or to renew. The times
    /// in it are for people.
    pub(super) fn consider(&mut self, record: &LeaseSpec, now: Instant, clock: Timestamp) -> Option<LeaseSpec> {
        let since = match &self.observed {
            Some((known, since)) if known == record => *since,
            _ => now,
        };
        self.observed = Some((record.clone(), since));
        let holder = record.holder_identity.as_deref().unwrap_or_default();
        let seconds = record.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(1);
        let stands = now < since + Duration::from_secs(seconds.min(MAX_BELIEVED_SECONDS));
        if holder == self.identity {
            return Some(LeaseSpec {
                renew_time: Some(MicroTime(clock)),
                ..self.first(record.acquire_time.clone(), record)
            });
        }
        if !holder.is_empty() && stands {
            return None;
        }
        let transitions = record.lease_transitions.unwrap_or_default().saturating_add(1);
        let taken = self.first(Some(MicroTime(clock)), record);
        Some(LeaseSpec { lease_transitions: Some(transitions), renew_time: Some(MicroTime(clock)), ..taken })
    }

    /// The record where there is none.
    pub(super) fn create(&self, clock: Timestamp) -> LeaseSpec {
        let record = self.first(Some(MicroTime(clock)), &LeaseSpec::default());
        LeaseSpec { lease_transitions: Some(0), renew_time: Some(MicroTime(clock)), ..record }
    }

    /// The record that lets the next candidate take over at once; `None`: it is not ours.
    pub(super) fn release(&self, record: &LeaseSpec, clock: Timestamp) -> Option<LeaseSpec> {
        (record.holder_identity.as_ref() == Some(&self.identity)).then(|| LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(clock)),
            ..record.clone()
        })
    }

    fn first(&self, acquired: Option<MicroTime>, record: &LeaseSpec) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: acquired,
            ..record.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_begun_at_the_last_moment_ends_before_another_can_take_over() {
        assert!(RENEW_DEADLINE + REQUEST_TIMEOUT < LEASE_DURATION);
        assert!(REQUEST_TIMEOUT + RETRY_INTERVAL < RENEW_DEADLINE, "a renewal that hangs leaves time for another");
    }

    #[test]
    fn a_record_is_taken_once_it_has_not_changed_for_its_duration() {
        let (start, clock) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let mut holder = Election::new("a".to_owned());
        let mut other = Election::new("b".to_owned());
        let first = holder.create(clock);
        // The clock in the record is far behind: it says nothing.
        assert_eq!(other.consider(&first, start, Timestamp::now()), None);
        assert_eq!(other.consider(&first, start + seconds(14), clock), None);
        let renewed = holder.consider(&first, start + seconds(14), Timestamp::now()).expect("renewed");
        assert_eq!(renewed.acquire_time, first.acquire_time);
        assert_eq!(other.consider(&renewed, start + seconds(15), clock), None, "it has changed");
        assert_eq!(other.consider(&renewed, start + seconds(29), clock), None);
        let taken = other.consider(&renewed, start + seconds(30), clock).expect("taken");
        assert_eq!(taken.holder_identity.as_deref(), Some("b"));
        assert_eq!(taken.lease_transitions, Some(1));
        assert_eq!(holder.consider(&taken, start + seconds(30), clock), None, "the one before has lost it");
    }

    #[test]
    fn a_released_record_is_taken_at_once_and_only_its_holder_releases_it() {
        let (start, clock) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let (holder, mut other) = (Election::new("a".to_owned()), Election::new("b".to_owned()));
        let first = holder.create(clock);
        assert_eq!(other.release(&first, clock), None);
        let released = holder.release(&first, clock).expect("ours");
        assert!(other.consider(&released, start, clock).is_some());
    }
}
