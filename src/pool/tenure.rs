//! The time of one pod at a member's address.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// What is said of the pod that serves a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The pod stays.
    Stay,
    /// The pod was going away already when the session was opened, for want of a better one: it stays while the pod serves.
    Expiring,
    /// The pod is going away.
    Leave(Leave),
}

/// How a pod goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// When that was said.
    pub since: Instant,
    /// What it had left of its grace then.
    pub grace: Duration,
}

/// The time of one pod at an address. Sessions hold it.
#[derive(Debug, Default)]
pub struct Tenure {
    expiring: bool,
    leave: OnceLock<Leave>,
}

impl Tenure {
    /// One that begins. `expiring`: the pod is going away already.
    pub(super) fn new(expiring: bool) -> Self {
        Self { expiring, ..Self::default() }
    }

    /// What is said now.
    pub fn word(&self) -> Word {
        match self.leave.get() {
            Some(leave) => Word::Leave(*leave),
            None if self.expiring => Word::Expiring,
            None => Word::Stay,
        }
    }

    /// The pod goes away, and has this much left of its grace. Said once; whoever has to act on it is told by
    /// [`super::Registry::departures`].
    pub(crate) fn leave(&self, grace: Duration) {
        let _ = self.leave.set(Leave { since: Instant::now(), grace });
    }
}
