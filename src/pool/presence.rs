//! What the source says of the pod at an address, and the word to those who hold sessions there.
//!
//! An address outlives pods: a new one may take it over. So the time at an address is cut into tenures. A session belongs to the
//! tenure in which its request chose the member; when the pod is said to be going away, that tenure's sessions
//! are told to leave and another begins, whose sessions are not.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::Instant;

use super::Member;
use super::tenure::Tenure;
use crate::model::EndpointState;

/// The pod at an address.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Of the tenure.
    number: AtomicU32,
    /// Whether the source names the address.
    named: AtomicBool,
    inner: Mutex<Inner>,
    /// In progress there, by whichever member.
    pub(super) requests: AtomicUsize,
    pub(super) sessions: AtomicUsize,
    /// The newest member there that a pool names, or the last that one did.
    newest: Mutex<Weak<Member>>,
}

#[derive(Debug)]
struct Inner {
    /// `None`: the source does not name the address.
    state: Option<EndpointState>,
    /// When the pod's grace is over.
    deadline: Option<Instant>,
    tenure: Arc<Tenure>,
    before: Arc<Tenure>,
}

impl Default for Inner {
    fn default() -> Self {
        // Nobody asks for the one before the first.
        let tenure: Arc<Tenure> = Arc::default();
        Self { state: None, deadline: None, before: Arc::clone(&tenure), tenure }
    }
}

impl Presence {
    /// The number of the tenure now.
    pub(super) fn number(&self) -> u32 {
        self.number.load(Ordering::Acquire)
    }

    /// Whether the source names the address.
    pub(super) fn is_named(&self) -> bool {
        self.named.load(Ordering::Acquire)
    }

    /// The tenure with this number; for any that is over, the last of those.
    pub(super) fn tenure(&self, number: u32) -> Arc<Tenure> {
        let inner = self.lock();
        Arc::clone(if number == self.number() { &inner.tenure } else { &inner.before })
    }

    /// Takes in what the source says. A pod that begins to go away, stops serving before its end, or is gone after that
    /// word ends its tenure. One that is not ready does not, nor one that is gone without a word: what is open there
    /// stays, or ends by itself.
    ///
    /// Gives whether connections that wait for a request there are to be dropped.
    pub(super) fn take(&self, state: Option<EndpointState>) -> bool {
        let mut inner = self.lock();
        let before = std::mem::replace(&mut inner.state, state);
        self.named.store(state.is_some(), Ordering::Release);
        if !ends_tenure(before, state) {
            return state.is_none() && before.is_some();
        }
        let grace = |state: Option<EndpointState>| state.and_then(EndpointState::grace);
        let now = Instant::now();
        let begun = inner.deadline.filter(|_| grace(before).is_some());
        let deadline = begun.or(grace(state).map(|grace| now + grace)).unwrap_or(now);
        inner.deadline = grace(state).map(|_| deadline);
        inner.before = std::mem::replace(&mut inner.tenure, Arc::new(Tenure::new(grace(state).is_some())));
        self.number.fetch_add(1, Ordering::Release);
        inner.before.depart(deadline.saturating_duration_since(now));
        true
    }

    /// The newest member there that a pool names, or the last that one did.
    pub(super) fn newest(&self) -> Option<Arc<Member>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    pub(super) fn set_newest(&self, member: &Arc<Member>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(member);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the sessions that are open at an address are told to leave when this is said of it, after that. `None`: it is not
/// named.
pub fn ends_tenure(before: Option<EndpointState>, after: Option<EndpointState>) -> bool {
    let leaving = |state: Option<EndpointState>| state.and_then(EndpointState::grace).is_some();
    before.map(EndpointState::name) != after.map(EndpointState::name) && (leaving(before) || leaving(after))
}

/// What the source says of each address: the best that any Service says. Names that lead there say nothing of the pod, and
/// are heard last.
#[derive(Debug, Clone, Default)]
pub struct Standings(HashMap<SocketAddr, (bool, EndpointState)>);

impl Standings {
    /// Hears what is said of an address, by a name that leads there or not.
    pub fn hear(&mut self, address: SocketAddr, by_name: bool, state: EndpointState) {
        let said = (by_name, state);
        self.0.entry(address).and_modify(|best| *best = said.min(*best)).or_insert(said);
    }

    /// Hears of endpoints of no pool that go away, which matters where nothing else is said.
    pub fn hear_departing(&mut self, departing: &BTreeMap<SocketAddr, EndpointState>) {
        for (address, state) in departing {
            self.0.entry(*address).or_insert((true, *state));
        }
    }

    /// What holds of it.
    pub fn of(&self, address: SocketAddr) -> Option<EndpointState> {
        self.0.get(&address).map(|(_, state)| *state)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pool::{Departure, PodNotice};

    const GRACE: Duration = Duration::from_secs(30);
    const TERMINATING: Option<EndpointState> = Some(EndpointState::Terminating { grace: GRACE });
    const ENDING: Option<EndpointState> = Some(EndpointState::Ending { grace: GRACE });
    const READY: Option<EndpointState> = Some(EndpointState::Ready);

    /// What a tenure that is over now says.
    fn left(grace: Duration) -> PodNotice {
        PodNotice::Departing(Departure { since: Instant::now(), grace })
    }

    fn of(states: &[Option<EndpointState>]) -> Presence {
        let presence = Presence::default();
        for state in states {
            presence.take(*state);
        }
        presence
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_terminates_is_left_within_half_its_grace() {
        let presence = of(&[READY]);
        let tenure = presence.tenure(presence.number());
        assert_eq!(tenure.pod_notice(), PodNotice::Staying);
        assert!(presence.take(TERMINATING), "idle connections go");
        assert_eq!(tenure.pod_notice(), left(GRACE));
        assert!(!presence.take(TERMINATING), "told once");
    }

    #[test]
    fn neither_not_ready_nor_gone_without_a_word_ends_a_tenure() {
        let presence = of(&[READY]);
        let tenure = presence.tenure(presence.number());
        assert!(!presence.take(Some(EndpointState::NotReady)));
        assert!(!presence.take(READY));
        assert!(presence.take(None), "idle connections go");
        assert!(!presence.take(None));
        presence.take(READY);
        assert_eq!(tenure.pod_notice(), PodNotice::Staying);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_was_under_way_is_of_the_tenure_in_which_it_began() {
        let presence = of(&[READY]);
        let begun = presence.number();
        presence.take(TERMINATING);
        assert!(matches!(presence.tenure(begun).pod_notice(), PodNotice::Departing(_)));
        assert_eq!(presence.tenure(presence.number()).pod_notice(), PodNotice::Expiring);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_of_the_last_resort_leave_when_it_stops_serving_and_the_grace_goes_on() {
        let presence = of(&[READY, TERMINATING]);
        let tenure = presence.tenure(presence.number());
        tokio::time::advance(GRACE / 3).await;
        presence.take(ENDING);
        assert_eq!(tenure.pod_notice(), left(GRACE * 2 / 3));
        let tenure = presence.tenure(presence.number());
        tokio::time::advance(GRACE).await;
        presence.take(None);
        assert_eq!(tenure.pod_notice(), left(Duration::ZERO));
    }

    #[test]
    fn a_pod_that_takes_the_address_over_inherits_nothing() {
        for way in [&[READY, TERMINATING, None, READY][..], &[READY, TERMINATING, READY], &[READY, ENDING, READY]] {
            let presence = of(way);
            let tenure = presence.tenure(presence.number());
            assert_eq!(tenure.pod_notice(), PodNotice::Staying);
            presence.take(Some(EndpointState::NotReady));
            assert_eq!(tenure.pod_notice(), PodNotice::Staying);
        }
    }
}
