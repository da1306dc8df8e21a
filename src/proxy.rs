//! The data plane: listeners, TLS, requests, and what becomes of them.
//!
//! One worker thread a core, each with its own single-threaded runtime, its own sockets on every listener's
//! port and its own idle connections to members. A request reads the table once, takes its route out of it, and
//! goes `request in -> decision -> forward`. Knows nothing of Kubernetes.

mod access;
mod affinity;
mod body;
mod client;
mod connection;
mod context;
mod decision;
mod extended;
mod forward;
mod headers;
mod listeners;
mod metrics;
mod patience;
mod peer;
mod refusal;
mod request;
mod rewrite;
mod shared;
mod tls;
mod upgrade;
mod upstream;
mod worker;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::watch;
use tokio::task::coop::unconstrained;

use crate::table::Handle;
use crate::websocket::Sessions;

pub use listeners::{Bindings, Listeners};
pub use metrics::Metrics;
pub use request::normalise_host;

/// What an operator can set for all listeners.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Peers whose `X-Forwarded-*` headers are believed and added to; their `Forwarded` header is passed on.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether clear-text listeners take HTTP/2 with prior knowledge.
    pub clear_text_http2: bool,
    /// Whether a record of each request and session is logged.
    pub access_log: bool,
    /// Time for a request's header, and for which an idle client connection is kept.
    pub header_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            clear_text_http2: false,
            access_log: true,
            header_timeout: Duration::from_secs(60),
        }
    }
}

impl Settings {
    fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

/// What every worker reads.
#[derive(Debug)]
pub struct Shared {
    /// The routing table.
    pub table: Handle,
    /// Live sessions.
    pub sessions: Sessions,
    /// Counters.
    pub metrics: Metrics,
    /// The operator's settings.
    pub settings: Settings,
    /// Where each frontend port is really bound.
    pub addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
    /// Becomes true when connections should end after the request at hand.
    pub draining: watch::Receiver<bool>,
    /// Changes when members have begun to go away, or have gone.
    pub departures: watch::Receiver<()>,
}

impl Shared {
    /// Whether connections should end after the request at hand. No lock is taken until they should: nobody marks the value as
    /// seen here.
    fn is_draining(&self) -> bool {
        !matches!(self.draining.has_changed(), Ok(false)) && *self.draining.borrow()
    }

    /// Ends when they should. Its task is woken for much else: a lock is taken at the first look, and once the word has come.
    async fn drained(&self) {
        let mut draining = self.draining.clone();
        let mut told = pin!(unconstrained(async { drop(draining.wait_for(|draining| *draining).await) }));
        let mut waits = false;
        poll_fn(|cx| {
            if waits && matches!(self.draining.has_changed(), Ok(false)) {
                return Poll::Pending;
            }
            waits = true;
            told.as_mut().poll(cx)
        })
        .await;
    }
}

/// One listener, as its connections see it.
#[derive(Debug)]
struct Front {
    /// Frontend port, as users name it.
    port: u16,
    /// Where it is bound.
    bound: SocketAddr,
    /// TLS, where the listener speaks it.
    tls: Arc<rustls::ServerConfig>,
}
