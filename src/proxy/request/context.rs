//! The state that the requests of one client connection share, and the count of those that are under way.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Response;
use tokio::sync::mpsc;

use super::client_requests::RequestSlot;
use super::headers::ClientHop;
use super::state::{BoundListener, WorkerState};
use crate::proxy::client::client_certificate::ClientCertificate;
use crate::proxy::client::tls_connection::NegotiatedTls;

/// The state that the requests of one client connection share.
pub(in crate::proxy) struct ConnectionContext {
    pub(in crate::proxy) state: Arc<WorkerState>,
    pub(in crate::proxy) listener: Arc<BoundListener>,
    /// The peer's address.
    pub(in crate::proxy) peer: IpAddr,
    /// The port that the peer came from.
    pub(in crate::proxy) peer_port: u16,
    /// The hop from the client, as backends are told of it.
    pub(in crate::proxy) hop: ClientHop,
    /// The server name of the client's TLS handshake.
    pub(in crate::proxy) server_name: Option<String>,
    /// What the client's TLS handshake has agreed on. `None`: the connection has no TLS.
    pub(in crate::proxy) tls: Option<NegotiatedTls>,
    /// The certificate that the client has shown.
    pub(in crate::proxy) client_certificate: Option<Arc<ClientCertificate>>,
    /// Whether the certificate, or that there is none, has been refused to a request: the client has to connect again.
    pub(in crate::proxy) is_untrusted: AtomicBool,
    /// Held by everything that has to end before the process may.
    pub(in crate::proxy) alive: mpsc::Sender<()>,
    pub(in crate::proxy) requests: Arc<RequestCounter>,
    /// Interim answers that the client has still to get. Over HTTP/1.1 alone: there, a connection has one request at a time.
    pub(in crate::proxy) interim: InterimAnswers,
}

/// Interim answers (1xx, RFC 9110 section 15.2) of members, on their way to a client.
#[derive(Debug, Default)]
pub(in crate::proxy) struct InterimAnswers(Mutex<Vec<Response<()>>>);

/// Interim answers that are held until the task of the connection takes them, which it does after each poll of the request. Those beyond
/// are dropped: they are hints.
const MAX_HELD_ANSWERS: usize = 16;

impl InterimAnswers {
    /// Adds one.
    pub(in crate::proxy) fn push(&self, answer: Response<()>) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() < MAX_HELD_ANSWERS {
            answers.push(answer);
        }
    }

    /// Takes those that there are.
    pub(in crate::proxy) fn take(&self) -> Vec<Response<()>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts the requests of a connection.
#[derive(Debug, Default)]
pub(in crate::proxy) struct RequestCounter {
    /// How often a request has begun or ended.
    changes: AtomicUsize,
    /// Requests whose answer has not gone out whole.
    active: AtomicUsize,
}

/// A request under way: counted until its answer has gone out whole, or its client has left.
#[derive(Debug)]
pub(in crate::proxy) struct ActiveRequest {
    requests: Arc<RequestCounter>,
    /// Its place among the requests of its client, where these are limited.
    pub(in crate::proxy) slot: Option<RequestSlot>,
}

impl ActiveRequest {
    pub(in crate::proxy) fn new(requests: &Arc<RequestCounter>) -> Self {
        requests.changes.fetch_add(1, Ordering::Relaxed);
        requests.active.fetch_add(1, Ordering::Relaxed);
        Self { requests: Arc::clone(requests), slot: None }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.requests.changes.fetch_add(1, Ordering::Relaxed);
        self.requests.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RequestCounter {
    /// Whether a request is under way. Sessions count.
    pub(in crate::proxy) fn any_active(&self) -> bool {
        self.active.load(Ordering::Relaxed) > 0
    }

    /// Waits until no request has been under way for `time`.
    pub(in crate::proxy) async fn quiet(&self, time: Duration) {
        let mut seen = self.changes.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(time).await;
            let changes = self.changes.load(Ordering::Relaxed);
            if changes == seen && !self.any_active() {
                return;
            }
            seen = changes;
        }
    }
}
