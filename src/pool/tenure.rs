//! The time of one pod at a member's address.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// The last report of the source on the pod that serves a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodNotice {
    /// The pod stays.
    Staying,
    /// The pod was terminating when the session was opened, because no better pod was there. The session stays open for as long
    /// as the pod serves.
    Expiring,
    /// The pod is going away.
    Departing(Departure),
}

/// How a pod goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// When the departure was reported.
    pub since: Instant,
    /// The rest of the pod's grace period at that moment.
    pub grace: Duration,
}

/// The time of one pod at an address. Each session holds the tenure in which its member was chosen.
#[derive(Debug, Default)]
pub struct Tenure {
    expiring: bool,
    departure: OnceLock<Departure>,
}

impl Tenure {
    /// A tenure that begins now. `expiring`: the pod is terminating already.
    pub(super) fn new(expiring: bool) -> Self {
        Self { expiring, ..Self::default() }
    }

    /// The last report on the pod.
    pub fn pod_notice(&self) -> PodNotice {
        match self.departure.get() {
            Some(departure) => PodNotice::Departing(*departure),
            None if self.expiring => PodNotice::Expiring,
            None => PodNotice::Staying,
        }
    }

    /// Reports that the pod goes away, with this much left of its grace period. Only the first report counts. Tasks that have to
    /// act on it are woken by [`super::Registry::departures`].
    pub(crate) fn depart(&self, grace: Duration) {
        let _ = self.departure.set(Departure { since: Instant::now(), grace });
    }
}
