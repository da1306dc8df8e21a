//! The sessions of the process: how many there are, and the word to each that it is time to go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::pool::{Tenure, Word};

/// Time between two closings, so that clients don't come back all at once: a thousand a second over all drains, unless
/// their limits ask for more.
const SPACING: Duration = Duration::from_millis(1);

/// All sessions. Cheap to clone; one a process.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: AtomicUsize,
    /// When all have to have gone.
    drain: OnceLock<Instant>,
    /// Those that sessions have been opened in.
    tenures: Mutex<Vec<Weak<Tenure>>>,
    /// The next moment that no session has been given for its closing.
    free: Mutex<Option<Instant>>,
}

/// Why a session is asked to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// The gateway is going away.
    Gateway,
    /// The backend's pod is.
    Member,
}

impl Sessions {
    /// Counts a session while the guard lives, which is in this tenure of its member's pod.
    pub fn open(&self, tenure: Arc<Tenure>) -> SessionGuard {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        if tenure.enlist() {
            let mut tenures = self.0.tenures.lock().unwrap_or_else(PoisonError::into_inner);
            tenures.retain(|tenure| tenure.strong_count() > 0);
            tenures.push(Arc::downgrade(&tenure));
            drop(tenures);
            // A drain that came between the two has not seen it, but others may wait there already.
            if self.0.drain.get().is_some() {
                tenure.wake();
            }
        }
        SessionGuard {
            sessions: self.clone(),
            tenure,
            place: None,
            gateway_heard: false,
            pod_heard: false,
            moment: None,
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Asks every session to close (1001), those that open later too, spread over as much of `limit` as their number
    /// needs.
    pub fn drain(&self, limit: Duration) {
        let _ = self.0.drain.set(Instant::now() + limit);
        let tenures = self.0.tenures.lock().unwrap_or_else(PoisonError::into_inner);
        tenures.iter().filter_map(Weak::upgrade).for_each(|tenure| tenure.wake());
    }

    /// Gives a session the moment of its closing: the next that is free, or any where there is none before `latest`.
    fn moment(&self, latest: Instant) -> Instant {
        let now = Instant::now();
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        let next = free.map_or(now, |free| free.max(now));
        if next > latest {
            return now + latest.saturating_duration_since(now).mul_f64(fastrand::f64());
        }
        *free = Some(next + SPACING);
        next
    }
}

/// A session that is open.
#[derive(Debug)]
pub struct SessionGuard {
    sessions: Sessions,
    tenure: Arc<Tenure>,
    /// Among those who wait, and the task that does.
    place: Option<(u32, Waker)>,
    gateway_heard: bool,
    pod_heard: bool,
    /// When it is to close, and why, once it has been asked to.
    moment: Option<(Instant, Drain)>,
}

impl SessionGuard {
    /// When this session is to close, and why, if it has been asked to.
    pub fn moment(&self) -> Option<(Instant, Drain)> {
        self.moment
    }

    /// Whether the backend's pod is said to be going away.
    pub fn expires(&self) -> bool {
        self.tenure.word() != Word::Stay
    }

    /// Ready when the session has been asked to close: [`Self::moment`] is another, and [`Self::expires`] may be.
    pub fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.place.as_ref().is_none_or(|(_, waker)| !waker.will_wake(cx.waker())) {
            self.quit();
            self.place = Some((self.tenure.join(cx.waker().clone()), cx.waker().clone()));
        }
        let mut told = false;
        if !self.gateway_heard
            && let Some(latest) = self.sessions.0.drain.get().copied()
        {
            self.gateway_heard = true;
            told = true;
            self.close_by(latest, Drain::Gateway);
        }
        if !self.pod_heard
            && let Word::Leave(latest) = self.tenure.word()
        {
            self.pod_heard = true;
            told = true;
            self.close_by(latest, Drain::Member);
        }
        if told { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Takes the earlier of two moments.
    fn close_by(&mut self, latest: Instant, why: Drain) {
        let moment = self.sessions.moment(latest);
        if self.moment.is_none_or(|(earlier, _)| moment < earlier) {
            self.moment = Some((moment, why));
        }
    }

    fn quit(&mut self) {
        if let Some((place, _)) = self.place.take() {
            self.tenure.quit(place);
        }
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.quit();
        self.sessions.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn open(sessions: &Sessions, tenure: &Arc<Tenure>, count: usize) -> Vec<SessionGuard> {
        (0..count).map(|_| sessions.open(Arc::clone(tenure))).collect()
    }

    /// Waits until each has been told.
    async fn moments(guards: &mut [SessionGuard]) -> Vec<Instant> {
        let mut moments = Vec::new();
        for guard in guards {
            poll_fn(|cx| guard.poll_told(cx)).await;
            moments.extend(guard.moment().map(|(moment, _)| moment));
        }
        moments.sort();
        moments
    }

    #[tokio::test(start_paused = true)]
    async fn closings_are_a_thousand_a_second_over_all_drains() {
        let (sessions, tenures) = (Sessions::default(), [Arc::<Tenure>::default(), Arc::default()]);
        let mut guards = open(&sessions, &tenures[0], 500);
        guards.extend(open(&sessions, &tenures[1], 500));
        let began = Instant::now();
        tenures.iter().for_each(|tenure| tenure.leave(began + Duration::from_secs(15)));
        let moments = moments(&mut guards).await;
        assert!(moments.windows(2).all(|pair| pair[1] - pair[0] == SPACING));
        assert_eq!(moments[999].duration_since(began), 999 * SPACING);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_whatever_the_number() {
        let (sessions, tenure) = (Sessions::default(), Arc::<Tenure>::default());
        let mut guards = open(&sessions, &tenure, 1_000);
        let latest = Instant::now() + Duration::from_millis(300);
        tenure.leave(latest);
        let moments = moments(&mut guards).await;
        assert!(moments.iter().all(|moment| *moment <= latest));
        let half = moments.iter().filter(|moment| **moment < latest - Duration::from_millis(150)).count();
        assert!((350..650).contains(&half), "{half} of 1,000 in the first half");
    }

    #[tokio::test(start_paused = true)]
    async fn the_word_wakes_who_waits_reaches_who_comes_late_and_the_gateways_can_bring_the_moment_forward() {
        let (sessions, tenure) = (Sessions::default(), Arc::<Tenure>::default());
        *sessions.0.free.lock().expect("not poisoned") = Some(Instant::now() + Duration::from_secs(60));
        let mut guard = sessions.open(Arc::clone(&tenure));
        let waiting = tokio::spawn(async move {
            poll_fn(|cx| guard.poll_told(cx)).await;
            let first = guard.moment().map(|(_, why)| why);
            poll_fn(|cx| guard.poll_told(cx)).await;
            (first, guard.moment())
        });
        tokio::task::yield_now().await;
        tenure.leave(Instant::now() + Duration::from_secs(3600));
        tokio::task::yield_now().await;
        sessions.drain(Duration::ZERO);
        let now = Instant::now();
        assert_eq!(waiting.await.expect("told"), (Some(Drain::Member), Some((now, Drain::Gateway))));
        assert_eq!(moments(&mut open(&sessions, &Arc::default(), 1)).await, [now], "one that opens during the drain");
        assert_eq!(moments(&mut open(&sessions, &tenure, 1)).await, [now]);
        assert_eq!(sessions.count(), 0);
    }
}
