//! What the source says of the pod behind a member, and the word to those who hold sessions there.
//!
//! An address outlives pods: a new one may take it over. So the time at an address is cut into tenures. A session belongs to the
//! tenure in which its request chose the member; when the pod is said to be going away, that tenure's sessions
//! are told to leave and another begins, whose sessions are not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::EndpointState;

/// What a session is told of the pod that serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The pod stays.
    Stay,
    /// The pod was going away already when the session was opened, for want of a better one: it stays while the pod serves.
    Expiring,
    /// The pod is going away: each session closes at its own moment until then.
    Leave(Instant),
}

/// Where a session hears the word.
pub type Words = watch::Receiver<Word>;

/// The pod behind a member.
#[derive(Debug)]
pub(super) struct Presence {
    tenure: AtomicU32,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None`: the source does not name the address.
    state: Option<EndpointState>,
    /// When the pod's grace is over.
    deadline: Option<Instant>,
    /// To the sessions of this tenure.
    words: watch::Sender<Word>,
    /// The last word to the tenure before.
    last: Word,
}

impl Presence {
    /// Of an address that the source has just named.
    pub(super) fn new() -> Self {
        let inner = Inner { state: None, deadline: None, words: watch::Sender::new(Word::Stay), last: Word::Stay };
        Self { tenure: AtomicU32::new(0), inner: Mutex::new(inner) }
    }

    /// The tenure now.
    pub(super) fn tenure(&self) -> u32 {
        self.tenure.load(Ordering::Acquire)
    }

    /// Whether the source names the address.
    pub(super) fn is_named(&self) -> bool {
        self.lock().state.is_some()
    }

    /// The words to the sessions of a tenure. Those of one that is over hear its last.
    pub(super) fn words(&self, tenure: u32) -> Words {
        let inner = self.lock();
        if tenure == self.tenure() { inner.words.subscribe() } else { watch::Sender::new(inner.last).subscribe() }
    }

    /// Takes in what the source says. A pod that begins to go away, stops serving before its end, or is gone after that
    /// word ends its tenure. One that is not ready does not, nor one that is gone without a word: what is open there
    /// stays, or ends by itself.
    ///
    /// Gives whether connections that wait for a request there are to be dropped.
    pub(super) fn take(&self, state: Option<EndpointState>) -> bool {
        let mut inner = self.lock();
        let before = std::mem::replace(&mut inner.state, state);
        let grace = |state: Option<EndpointState>| state.and_then(EndpointState::grace);
        let same = before.map(EndpointState::name) == state.map(EndpointState::name);
        if same || (grace(before).is_none() && grace(state).is_none()) {
            return state.is_none() && before.is_some();
        }
        let now = Instant::now();
        let begun = inner.deadline.filter(|_| grace(before).is_some());
        let deadline = begun.or(grace(state).map(|grace| now + grace)).unwrap_or(now);
        inner.deadline = grace(state).map(|_| deadline);
        let next = if grace(state).is_some() { Word::Expiring } else { Word::Stay };
        // The second half of the grace is for the answers, and for those who come late.
        inner.last = Word::Leave(now + deadline.saturating_duration_since(now) / 2);
        let ended = std::mem::replace(&mut inner.words, watch::Sender::new(next));
        ended.send_replace(inner.last);
        self.tenure.fetch_add(1, Ordering::Release);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const GRACE: Duration = Duration::from_secs(30);
    const TERMINATING: Option<EndpointState> = Some(EndpointState::Terminating { grace: GRACE });
    const ENDING: Option<EndpointState> = Some(EndpointState::Ending { grace: GRACE });
    const READY: Option<EndpointState> = Some(EndpointState::Ready);

    fn of(states: &[Option<EndpointState>]) -> Presence {
        let presence = Presence::new();
        for state in states {
            presence.take(*state);
        }
        presence
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_terminates_is_left_within_half_its_grace() {
        let presence = of(&[READY]);
        let words = presence.words(presence.tenure());
        assert_eq!(*words.borrow(), Word::Stay);
        assert!(presence.take(TERMINATING), "idle connections go");
        assert_eq!(*words.borrow(), Word::Leave(Instant::now() + GRACE / 2));
        assert!(!presence.take(TERMINATING), "told once");
    }

    #[test]
    fn neither_not_ready_nor_gone_without_a_word_ends_a_tenure() {
        let presence = of(&[READY]);
        let words = presence.words(presence.tenure());
        assert!(!presence.take(Some(EndpointState::NotReady)));
        assert!(!presence.take(READY));
        assert!(presence.take(None), "idle connections go");
        assert!(!presence.take(None));
        presence.take(READY);
        assert_eq!(*words.borrow(), Word::Stay);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_was_under_way_is_of_the_tenure_in_which_it_began() {
        let presence = of(&[READY]);
        let begun = presence.tenure();
        presence.take(TERMINATING);
        assert!(matches!(*presence.words(begun).borrow(), Word::Leave(_)));
        assert_eq!(*presence.words(presence.tenure()).borrow(), Word::Expiring);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_of_the_last_resort_leave_when_it_stops_serving_and_the_grace_goes_on() {
        let presence = of(&[READY, TERMINATING]);
        let words = presence.words(presence.tenure());
        tokio::time::advance(GRACE / 3).await;
        presence.take(ENDING);
        assert_eq!(*words.borrow(), Word::Leave(Instant::now() + GRACE / 3));
        let words = presence.words(presence.tenure());
        tokio::time::advance(GRACE).await;
        presence.take(None);
        assert_eq!(*words.borrow(), Word::Leave(Instant::now()));
    }

    #[test]
    fn a_pod_that_takes_the_address_over_inherits_nothing() {
        for way in [&[READY, TERMINATING, None, READY][..], &[READY, TERMINATING, READY], &[READY, ENDING, READY]] {
            let presence = of(way);
            let words = presence.words(presence.tenure());
            assert_eq!(*words.borrow(), Word::Stay);
            presence.take(Some(EndpointState::NotReady));
            assert_eq!(*words.borrow(), Word::Stay);
        }
    }
}
