//! The sessions of the process: how many there are, and the word to all of them that it is time to go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// Sessions closed a second at most while draining, so that their clients don't come back all at once.
const CLOSINGS_A_SECOND: f64 = 1000.0;

/// All sessions. Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: AtomicUsize,
    drain: watch::Sender<Option<Drain>>,
}

/// The word to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Each session closes at its own moment within this time.
    pub window: Duration,
}

impl Default for Sessions {
    fn default() -> Self {
        Self(Arc::new(Inner { open: AtomicUsize::new(0), drain: watch::Sender::new(None) }))
    }
}

impl Sessions {
    /// Counts a session while the guard lives.
    pub fn open(&self) -> SessionGuard {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        SessionGuard { sessions: self.clone(), drain: self.0.drain.subscribe() }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Asks every session to close (1001), spread over as much of `limit` as their number needs.
    pub fn drain(&self, limit: Duration) {
        let needed = Duration::from_secs_f64(self.count() as f64 / CLOSINGS_A_SECOND);
        self.0.drain.send_replace(Some(Drain { window: needed.min(limit) }));
    }
}

/// A session that is open.
#[derive(Debug)]
pub struct SessionGuard {
    sessions: Sessions,
    drain: watch::Receiver<Option<Drain>>,
}

impl SessionGuard {
    /// Ends when it is this session's moment to close.
    pub async fn drained(&mut self) {
        let window = match self.drain.wait_for(Option::is_some).await {
            Ok(order) => order.map_or(Duration::ZERO, |order| order.window),
            Err(_) => Duration::ZERO,
        };
        tokio::time::sleep(window.mul_f64(fastrand::f64())).await;
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.sessions.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
