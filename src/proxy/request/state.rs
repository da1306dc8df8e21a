//! What outlives connections: the operator's settings, the state that all workers read, a listener's binding.

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

use super::metrics::Metrics;
use crate::proxy::client::unanswered_bytes::UnansweredBytes;
use crate::table::Handle;
use crate::websocket::Sessions;

/// Settings that the operator makes for all listeners.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Peers whose `X-Forwarded-*` headers are believed and added to; their `Forwarded` header is passed on.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether clear-text listeners take HTTP/2 with prior knowledge.
    pub clear_text_http2: bool,
    /// Whether a record of each request and session is logged.
    pub access_log: bool,
    /// Time limit for a request's header, and for an idle client connection.
    pub header_timeout: Duration,
    /// The most bytes of HTTP/2 requests that are held before a backend has answered.
    pub max_unanswered_bytes: usize,
}

/// The state that every worker reads.
#[derive(Debug)]
pub struct WorkerState {
    /// The routing table.
    pub table: Handle,
    /// Live sessions.
    pub sessions: Sessions,
    /// Counters.
    pub metrics: Metrics,
    /// The operator's settings.
    pub settings: ProxySettings,
    /// What clients have sent ahead of the answers.
    pub unanswered_bytes: Arc<UnansweredBytes>,
    /// The bound address of each frontend port.
    pub addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
    /// Becomes true when connections should end after their current request.
    pub draining: watch::Receiver<bool>,
    /// Changes when members have begun to go away, or have gone.
    pub departures: watch::Receiver<()>,
}

/// A listener, as its connections see it.
#[derive(Debug)]
pub(in crate::proxy) struct BoundListener {
    /// The frontend port, as users name it.
    pub(in crate::proxy) port: u16,
    /// The address where it is bound.
    pub(in crate::proxy) bound: SocketAddr,
    /// TLS, which connections use where the listener's protocol is HTTPS.
    pub(in crate::proxy) tls: Arc<rustls::ServerConfig>,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            clear_text_http2: false,
            access_log: true,
            header_timeout: Duration::from_secs(60),
            max_unanswered_bytes: Self::DEFAULT_MAX_UNANSWERED_BYTES,
        }
    }
}

impl ProxySettings {
    /// The usual limit of [`Self::max_unanswered_bytes`].
    pub const DEFAULT_MAX_UNANSWERED_BYTES: usize = 32 * 1024 * 1024;

    pub(in crate::proxy) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&peer))
    }
}

impl WorkerState {
    /// Whether connections should end after their current request. No lock is taken until then: nobody marks the value as
    /// seen here.
    pub(in crate::proxy) fn is_draining(&self) -> bool {
        !matches!(self.draining.has_changed(), Ok(false)) && *self.draining.borrow()
    }

    /// Waits until connections should end. The task that waits is woken for many other reasons, so the lock is taken
    /// at the first poll, and again only once the value has changed.
    pub(in crate::proxy) async fn drained(&self) {
        let mut draining = self.draining.clone();
        let mut changed = pin!(unconstrained(async { drop(draining.wait_for(|draining| *draining).await) }));
        let mut polled_before = false;
        poll_fn(|cx| {
            if polled_before && matches!(self.draining.has_changed(), Ok(false)) {
                return Poll::Pending;
            }
            polled_before = true;
            changed.as_mut().poll(cx)
        })
        .await;
    }
}
