//! What the requests of one client connection have in common, and how many there are.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::headers::Hop;
use super::{Front, Shared};

/// What the requests of a connection have in common.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) front: Arc<Front>,
    pub(super) peer: IpAddr,
    /// What backends are told of the client's hop.
    pub(super) hop: Hop,
    /// Server name that the client asked for in its TLS handshake.
    pub(super) server_name: Option<String>,
    /// Held by all that has to end before the process may.
    pub(super) alive: mpsc::Sender<()>,
    pub(super) requests: Arc<Requests>,
}

/// The requests of a connection, counted.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// How often one has begun or ended.
    moves: AtomicUsize,
    /// Those whose answer has not gone out whole.
    active: AtomicUsize,
}

/// A request, counted until its answer has gone out whole, or its client has.
#[derive(Debug)]
pub(super) struct Active(Arc<Requests>);

impl Active {
    pub(super) fn new(requests: &Arc<Requests>) -> Self {
        requests.moves.fetch_add(1, Ordering::Relaxed);
        requests.active.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(requests))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.moves.fetch_add(1, Ordering::Relaxed);
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Requests {
    /// Ends when nothing has been asked or answered for `time`.
    pub(super) async fn quiet(&self, time: Duration) {
        let mut seen = self.moves.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(time).await;
            let moves = self.moves.load(Ordering::Relaxed);
            if moves == seen && self.active.load(Ordering::Relaxed) == 0 {
                return;
            }
            seen = moves;
        }
    }
}
