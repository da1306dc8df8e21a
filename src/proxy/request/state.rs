//! What outlives connections: the operator's settings, the state that all workers read, a listener's binding.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::watch;
use tokio::task::coop::unconstrained;

use super::client_requests::ClientRequests;
use super::metrics::Metrics;
use super::metrics::RefusedFor;
use crate::jwks::KeySets;
use crate::proxy::client::connections::{ClientConnections, ConnectionLimits, ConnectionRefused};
use crate::proxy::client::unanswered_bytes::UnansweredBytes;
use crate::table::Handle;
use crate::websocket::Sessions;

/// Time between two lines of the log about connections that are refused.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Settings that the operator makes for all listeners.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Peers that are believed about who the client is and how it came (`X-Forwarded-*`, `X-Real-IP`, `Forwarded`).
    pub trusted_proxies: Vec<IpNet>,
    /// Whether clear-text listeners take HTTP/2 with prior knowledge.
    pub clear_text_http2: bool,
    /// Whether an answer without `Server` gets the gateway's.
    pub server_header: bool,
    /// Whether a record of each request and session is logged.
    pub access_log: bool,
    /// Time limit for a request's header, and for an idle client connection.
    pub header_timeout: Duration,
    /// The limits of client connections.
    pub connections: ConnectionLimits,
    /// The most bytes of HTTP/2 requests that are held before a backend has answered.
    pub max_unanswered_bytes: usize,
    /// Frontend ports whose connections begin with a header of the PROXY protocol, from trusted proxies.
    pub proxy_protocol: BTreeSet<u16>,
}

/// What all clients have together, where that is limited.
#[derive(Debug)]
pub struct Clients {
    /// Their connections.
    pub(in crate::proxy) connections: Arc<ClientConnections>,
    /// What they have sent ahead of the answers.
    pub(in crate::proxy) unanswered_bytes: Arc<UnansweredBytes>,
    /// Their requests for routes that limit them.
    pub(in crate::proxy) requests: Arc<ClientRequests>,
    /// When connections that were refused were logged last.
    refusal_logged: Mutex<Option<Instant>>,
}

/// The state that every worker reads.
#[derive(Debug)]
pub struct WorkerState {
    /// The routing table.
    pub table: Handle,
    /// Live sessions.
    pub sessions: Sessions,
    /// The keys of tokens that are fetched from URLs.
    pub key_sets: KeySets,
    /// Counters.
    pub metrics: Metrics,
    /// The operator's settings.
    pub settings: ProxySettings,
    /// What all clients have, and may have.
    pub clients: Clients,
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
            server_header: true,
            access_log: true,
            header_timeout: Duration::from_secs(60),
            connections: ConnectionLimits::default(),
            max_unanswered_bytes: Self::DEFAULT_MAX_UNANSWERED_BYTES,
            proxy_protocol: BTreeSet::new(),
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

impl Clients {
    /// None yet. `metrics` shows what they have.
    pub fn new(settings: &ProxySettings, metrics: &Metrics) -> Self {
        let unanswered = UnansweredBytes::new(settings.max_unanswered_bytes, metrics.unanswered_bytes.clone());
        let connections = ClientConnections::new(settings.connections, metrics.connections.clone());
        let (connections, unanswered_bytes) = (Arc::new(connections), Arc::new(unanswered));
        Self { connections, unanswered_bytes, requests: Arc::default(), refusal_logged: Mutex::default() }
    }

    /// Counts a connection that was refused, and logs it, unless another has been logged just before.
    pub(in crate::proxy) fn refused(&self, refused: ConnectionRefused, metrics: &Metrics) {
        let (cause, option) = match refused {
            ConnectionRefused::All => (RefusedFor::Connections, "--max-connections"),
            ConnectionRefused::Address => (RefusedFor::ConnectionsPerAddress, "--max-connections-per-address"),
            ConnectionRefused::Descriptors => (RefusedFor::Descriptors, "the limit of open files (ulimit -n)"),
        };
        metrics.client_refused(cause);
        let now = Instant::now();
        let Ok(mut logged) = self.refusal_logged.lock() else { return };
        if logged.is_none_or(|logged| now.duration_since(logged) >= REFUSAL_LOG_INTERVAL) {
            *logged = Some(now);
            let open = metrics.connections.get();
            tracing::warn!(
                limit = option,
                open,
                "connections of clients are refused; steadygate_clients_refused_total counts them"
            );
        }
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
