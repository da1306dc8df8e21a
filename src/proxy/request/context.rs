//! What the requests of one client connection have in common, and how many there are.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::headers::Hop;
use super::{BoundListener, WorkerState};

/// What the requests of a connection have in common.
pub(in crate::proxy) struct ConnectionContext {
    pub(in crate::proxy) state: Arc<WorkerState>,
    pub(in crate::proxy) listener: Arc<BoundListener>,
    pub(in crate::proxy) peer: IpAddr,
    /// What backends are told of the client's hop.
    pub(in crate::proxy) hop: Hop,
    /// Server name that the client asked for in its TLS handshake.
    pub(in crate::proxy) server_name: Option<String>,
    /// Held by all that has to end before the process may.
    pub(in crate::proxy) alive: mpsc::Sender<()>,
    pub(in crate::proxy) requests: Arc<RequestCounter>,
}

/// The requests of a connection, counted.
#[derive(Debug, Default)]
pub(in crate::proxy) struct RequestCounter {
    /// How often one has begun or ended.
    moves: AtomicUsize,
    /// Those whose answer has not gone out whole.
    active: AtomicUsize,
}

/// A request, counted until its answer has gone out whole, or its client has.
#[derive(Debug)]
pub(in crate::proxy) struct ActiveRequest(Arc<RequestCounter>);

impl ActiveRequest {
    pub(in crate::proxy) fn new(requests: &Arc<RequestCounter>) -> Self {
        requests.moves.fetch_add(1, Ordering::Relaxed);
        requests.active.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(requests))
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.moves.fetch_add(1, Ordering::Relaxed);
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RequestCounter {
    /// Ends when nothing has been asked or answered for `time`.
    pub(in crate::proxy) async fn quiet(&self, time: Duration) {
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
