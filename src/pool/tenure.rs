//! The time of one pod at a member's address, and those who wait for the word that it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use tokio::time::Instant;

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

/// The time of one pod at an address. Sessions hold it, and have a place in it for as long as they wait: 16 bytes each, and
/// nothing to do until the word comes.
#[derive(Debug, Default)]
pub struct Tenure {
    expiring: bool,
    leave: OnceLock<Instant>,
    enlisted: AtomicBool,
    waiting: Mutex<Waiting>,
}

/// Tasks to wake, each at its place.
#[derive(Debug, Default)]
struct Waiting {
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
}

impl Tenure {
    /// One that begins. `expiring`: the pod is going away already.
    pub(super) fn new(expiring: bool) -> Self {
        Self { expiring, ..Self::default() }
    }

    /// What is said now.
    pub fn word(&self) -> Word {
        match self.leave.get() {
            Some(latest) => Word::Leave(*latest),
            None if self.expiring => Word::Expiring,
            None => Word::Stay,
        }
    }

    /// Asks all to leave until then. Said once.
    pub(crate) fn leave(&self, latest: Instant) {
        let _ = self.leave.set(latest);
        self.wake();
    }

    /// Whether it is the first time that somebody asks this: whoever wants to wake everyone keeps a list.
    pub fn enlist(&self) -> bool {
        !self.enlisted.swap(true, Ordering::Relaxed)
    }

    /// Has everyone look.
    pub fn wake(&self) {
        self.lock().wakers.iter().flatten().for_each(Waker::wake_by_ref);
    }

    /// Waits for a word: gives the place. Look only afterwards, lest a word between the two be missed.
    pub fn join(&self, waker: Waker) -> u32 {
        let mut waiting = self.lock();
        if let Some(place) = waiting.free.pop() {
            waiting.wakers[place as usize] = Some(waker);
            return place;
        }
        waiting.wakers.push(Some(waker));
        // 4,294,967,296 sessions have no room in memory.
        waiting.wakers.len() as u32 - 1
    }

    /// Gives the place back.
    pub fn quit(&self, place: u32) {
        let mut waiting = self.lock();
        waiting.wakers[place as usize] = None;
        waiting.free.push(place);
        if waiting.free.len() == waiting.wakers.len() {
            *waiting = Waiting::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn places_are_used_again_and_given_back_and_all_who_wait_are_woken() {
        let (tenure, woken) = (Tenure::new(false), Arc::new(Count::default()));
        let places: Vec<u32> = (0..3).map(|_| tenure.join(Arc::clone(&woken).into())).collect();
        assert_eq!(places, [0, 1, 2]);
        tenure.quit(1);
        tenure.wake();
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        assert_eq!(tenure.join(Arc::clone(&woken).into()), 1);
        (0..3).for_each(|place| tenure.quit(place));
        assert_eq!((Arc::strong_count(&woken), tenure.lock().wakers.capacity()), (1, 0));
    }
}
