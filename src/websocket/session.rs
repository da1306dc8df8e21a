//! The sessions of the process: how many there are, and the word to each that it is time to go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::pool::{Word, Words};

/// Time between two closings, so that clients don't come back all at once: a thousand a second over all drains, unless
/// their limits ask for more.
const SPACING: Duration = Duration::from_millis(1);

/// All sessions. Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: AtomicUsize,
    /// When all have to have gone.
    drain: watch::Sender<Option<Instant>>,
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

impl Default for Sessions {
    fn default() -> Self {
        Self(Arc::new(Inner { open: AtomicUsize::new(0), drain: watch::Sender::new(None), free: Mutex::default() }))
    }
}

impl Sessions {
    /// Counts a session while the guard lives. `words` are those to who holds on to its member.
    pub fn open(&self, mut words: Words) -> SessionGuard {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        let mut drain = self.0.drain.subscribe();
        // What has been said before is news as well.
        drain.mark_changed();
        words.mark_changed();
        SessionGuard { sessions: self.clone(), drain, words, moment: None }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Asks every session to close (1001), those that open later too, spread over as much of `limit` as their number
    /// needs.
    pub fn drain(&self, limit: Duration) {
        self.0.drain.send_replace(Some(Instant::now() + limit));
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
    drain: watch::Receiver<Option<Instant>>,
    words: Words,
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
        *self.words.borrow() != Word::Stay
    }

    /// Ends when something new has been said; what [`Self::moment`] and [`Self::expires`] tell may be another then.
    pub async fn told(&mut self) {
        let (latest, why) = tokio::select! {
            () = changed(&mut self.drain) => match *self.drain.borrow_and_update() {
                Some(latest) => (latest, Drain::Gateway),
                None => return,
            },
            () = changed(&mut self.words) => match *self.words.borrow_and_update() {
                Word::Leave(latest) => (latest, Drain::Member),
                Word::Stay | Word::Expiring => return,
            },
        };
        let moment = self.sessions.moment(latest);
        if self.moment.is_none_or(|(earlier, _)| moment < earlier) {
            self.moment = Some((moment, why));
        }
    }
}

/// Nothing new comes from one who has gone.
async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending().await
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.sessions.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens sessions under one word.
    fn open(sessions: &Sessions, words: &watch::Sender<Word>, count: usize) -> Vec<SessionGuard> {
        (0..count).map(|_| sessions.open(words.subscribe())).collect()
    }

    /// Waits until each knows its moment.
    async fn moments(guards: &mut [SessionGuard]) -> Vec<Instant> {
        let mut moments = Vec::new();
        for guard in guards {
            while guard.moment().is_none() {
                guard.told().await;
            }
            moments.extend(guard.moment().map(|(moment, _)| moment));
        }
        moments.sort();
        moments
    }

    #[tokio::test(start_paused = true)]
    async fn closings_are_a_thousand_a_second_over_all_drains() {
        let (sessions, words) = (Sessions::default(), [watch::Sender::new(Word::Stay), watch::Sender::new(Word::Stay)]);
        let mut guards = open(&sessions, &words[0], 500);
        guards.extend(open(&sessions, &words[1], 500));
        let began = Instant::now();
        for words in &words {
            words.send_replace(Word::Leave(began + Duration::from_secs(15)));
        }
        let moments = moments(&mut guards).await;
        assert!(moments.windows(2).all(|pair| pair[1] - pair[0] == SPACING));
        assert_eq!(moments.last().expect("some").duration_since(began), 999 * SPACING);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_whatever_the_number() {
        let sessions = Sessions::default();
        let words = watch::Sender::new(Word::Stay);
        let mut guards = open(&sessions, &words, 1_000);
        let latest = Instant::now() + Duration::from_millis(300);
        words.send_replace(Word::Leave(latest));
        let moments = moments(&mut guards).await;
        assert!(moments.iter().all(|moment| *moment <= latest));
        let half = moments.iter().filter(|moment| **moment < latest - Duration::from_millis(150)).count();
        assert!((350..650).contains(&half), "{half} of 1,000 in the first half");
    }

    #[tokio::test(start_paused = true)]
    async fn the_word_is_heard_by_who_opens_after_it_and_the_gateway_can_bring_the_moment_forward() {
        let sessions = Sessions::default();
        let words = watch::Sender::new(Word::Leave(Instant::now() + Duration::from_secs(3600)));
        *sessions.0.free.lock().expect("not poisoned") = Some(Instant::now() + Duration::from_secs(60));
        let mut guards = open(&sessions, &words, 1);
        drop(words);
        moments(&mut guards).await;
        assert_eq!(guards[0].moment().map(|(_, why)| why), Some(Drain::Member));
        sessions.drain(Duration::ZERO);
        while guards[0].moment() != Some((Instant::now(), Drain::Gateway)) {
            guards[0].told().await;
        }
        let mut late = open(&sessions, &watch::Sender::new(Word::Stay), 1);
        assert_eq!(moments(&mut late).await, [Instant::now()]);
    }
}
