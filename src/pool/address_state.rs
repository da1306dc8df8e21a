//! The state of an address as the source reports it, and the tenures of the pods there.
//!
//! An address outlives pods: a new pod may take it over. The time at an address is therefore cut into tenures, which are numbered.
//! A session belongs to the tenure in which its request chose the member. When the pod begins to go away, its tenure ends: the
//! sessions of that tenure are closed, and those that are opened afterwards belong to the next.
//!
//! ```text
//! reported   Ready     Terminating       Ending              nothing             Ready
//! tenure     0 ──────▶ 1 (expiring) ───▶ 2 (expiring) ─────▶ 3 ────────────────────────▶
//! departs              0: all its grace  1: what is left     2: what is left
//! ```

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::tenure::Tenure;
use crate::model::EndpointState;

/// The state of one address.
///
/// `tenure_number` and `is_reported` follow from `history`: they are copies for requests, which read them without its lock.
/// [`Self::update`] alone writes them, while it holds that lock.
#[derive(Debug, Default)]
pub(super) struct AddressState {
    /// The number of the current tenure.
    tenure_number: AtomicU32,
    /// Whether the source reports the address.
    is_reported: AtomicBool,
    history: Mutex<TenureHistory>,
}

/// The last report of an address, and its last two tenures.
#[derive(Debug)]
struct TenureHistory {
    /// `None`: the source does not report the address.
    state: Option<EndpointState>,
    /// When the pod's grace period is over.
    deadline: Option<Instant>,
    tenure: Arc<Tenure>,
    previous: Arc<Tenure>,
}

impl Default for TenureHistory {
    fn default() -> Self {
        // Nothing belongs to a tenure before the first.
        let tenure: Arc<Tenure> = Arc::default();
        Self { state: None, deadline: None, previous: Arc::clone(&tenure), tenure }
    }
}

impl AddressState {
    /// The number of the current tenure.
    pub(super) fn tenure_number(&self) -> u32 {
        self.tenure_number.load(Ordering::Acquire)
    }

    /// Whether the source reports the address.
    pub(super) fn is_reported(&self) -> bool {
        self.is_reported.load(Ordering::Acquire)
    }

    /// The tenure with this number. For a tenure that has ended, the last one that has.
    pub(super) fn tenure(&self, number: u32) -> Arc<Tenure> {
        let history = self.lock();
        Arc::clone(if number == self.tenure_number() { &history.tenure } else { &history.previous })
    }

    /// Takes the next report of the source. A tenure ends when its pod begins to go away, when such a pod stops serving, and when it
    /// is gone. A pod that is not ready does not end its tenure, nor does one that is gone without having been terminating: what is
    /// open there stays, or ends by itself.
    ///
    /// Gives whether idle connections to the address have to be dropped.
    pub(super) fn update(&self, state: Option<EndpointState>) -> bool {
        let mut history = self.lock();
        let before = std::mem::replace(&mut history.state, state);
        self.is_reported.store(state.is_some(), Ordering::Release);
        if !ends_tenure(before, state) {
            return state.is_none() && before.is_some();
        }
        // The grace period began with the first report that the pod goes away.
        let grace = |state: Option<EndpointState>| state.and_then(EndpointState::grace);
        let now = Instant::now();
        let begun = history.deadline.filter(|_| grace(before).is_some());
        let deadline = begun.or(grace(state).map(|grace| now + grace)).unwrap_or(now);
        history.deadline = grace(state).map(|_| deadline);

        let next = Arc::new(Tenure::new(grace(state).is_some()));
        history.previous = std::mem::replace(&mut history.tenure, next);
        self.tenure_number.fetch_add(1, Ordering::Release);
        history.previous.depart(deadline.saturating_duration_since(now));
        true
    }

    fn lock(&self) -> MutexGuard<'_, TenureHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the sessions that are open at an address are closed when its reported state changes so. `None`: it is not reported.
pub fn ends_tenure(before: Option<EndpointState>, after: Option<EndpointState>) -> bool {
    let leaving = |state: Option<EndpointState>| state.and_then(EndpointState::grace).is_some();
    before.map(EndpointState::name) != after.map(EndpointState::name) && (leaving(before) || leaving(after))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pool::tenure::{Departure, PodNotice};

    const GRACE: Duration = Duration::from_secs(30);
    const TERMINATING: Option<EndpointState> = Some(EndpointState::Terminating { grace: GRACE });
    const ENDING: Option<EndpointState> = Some(EndpointState::Ending { grace: GRACE });
    const READY: Option<EndpointState> = Some(EndpointState::Ready);

    /// The notice of a tenure that ends now.
    fn departed(grace: Duration) -> PodNotice {
        PodNotice::Departing(Departure { since: Instant::now(), grace })
    }

    fn of(states: &[Option<EndpointState>]) -> AddressState {
        let address = AddressState::default();
        for state in states {
            address.update(*state);
        }
        address
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_terminates_is_left_within_half_its_grace() {
        let address = of(&[READY]);
        let tenure = address.tenure(address.tenure_number());
        assert_eq!(tenure.pod_notice(), PodNotice::Staying);
        assert!(address.update(TERMINATING), "idle connections go");
        assert_eq!(tenure.pod_notice(), departed(GRACE));
        assert!(!address.update(TERMINATING), "reported once");
    }

    #[test]
    fn neither_not_ready_nor_gone_without_a_word_ends_a_tenure() {
        let address = of(&[READY]);
        let tenure = address.tenure(address.tenure_number());
        assert!(!address.update(Some(EndpointState::NotReady)));
        assert!(!address.update(READY));
        assert!(address.update(None), "idle connections go");
        assert!(!address.update(None));
        address.update(READY);
        assert_eq!(tenure.pod_notice(), PodNotice::Staying);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_was_under_way_is_of_the_tenure_in_which_it_began() {
        let address = of(&[READY]);
        let begun = address.tenure_number();
        address.update(TERMINATING);
        assert!(matches!(address.tenure(begun).pod_notice(), PodNotice::Departing(_)));
        assert_eq!(address.tenure(address.tenure_number()).pod_notice(), PodNotice::Expiring);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_of_the_last_resort_leave_when_it_stops_serving_and_the_grace_goes_on() {
        let address = of(&[READY, TERMINATING]);
        let tenure = address.tenure(address.tenure_number());
        tokio::time::advance(GRACE / 3).await;
        address.update(ENDING);
        assert_eq!(tenure.pod_notice(), departed(GRACE * 2 / 3));
        let tenure = address.tenure(address.tenure_number());
        tokio::time::advance(GRACE).await;
        address.update(None);
        assert_eq!(tenure.pod_notice(), departed(Duration::ZERO));
    }

    #[test]
    fn a_pod_that_takes_the_address_over_inherits_nothing() {
        for states in [&[READY, TERMINATING, None, READY][..], &[READY, TERMINATING, READY], &[READY, ENDING, READY]] {
            let address = of(states);
            let tenure = address.tenure(address.tenure_number());
            assert_eq!(tenure.pod_notice(), PodNotice::Staying);
            address.update(Some(EndpointState::NotReady));
            assert_eq!(tenure.pod_notice(), PodNotice::Staying);
        }
    }
}
