//! Pools: their endpoints, the transport to members, the health probe and the balancing.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::tls::SecretBytes;

/// The identity of a pool. It stays through every change of the pool's content, and can be read by people:
/// `default/chat:http (Ingress default/site)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PoolId(pub Arc<str>);

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of endpoints that serve the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Pool {
    /// The endpoints. An empty list is a pool without members.
    pub endpoints: Endpoints,
    /// The protocol to members.
    pub transport: Transport,
    /// The health probe of each member.
    pub probe: Probe,
    /// How requests are shared among members.
    pub balance: Balance,
}

/// The endpoints of a pool. Pools with equal endpoints share one list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Endpoints(Arc<[Endpoint]>);

impl Endpoints {
    /// Whether the list has another owner.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// One comparison of pointers where both share a list.
impl Ord for Endpoints {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Endpoints {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Deref for Endpoints {
    type Target = [Endpoint];

    fn deref(&self) -> &[Endpoint] {
        &self.0
    }
}

impl Borrow<[Endpoint]> for Endpoints {
    fn borrow(&self) -> &[Endpoint] {
        &self.0
    }
}

impl FromIterator<Endpoint> for Endpoints {
    fn from_iter<I: IntoIterator<Item = Endpoint>>(endpoints: I) -> Self {
        Self(endpoints.into_iter().collect())
    }
}

impl From<Vec<Endpoint>> for Endpoints {
    fn from(endpoints: Vec<Endpoint>) -> Self {
        Self(endpoints.into())
    }
}

impl<'a> IntoIterator for &'a Endpoints {
    type Item = &'a Endpoint;
    type IntoIter = std::slice::Iter<'a, Endpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// An address that requests may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Endpoint {
    /// IP address or DNS name, with a port.
    pub address: Address,
    /// Whether the endpoint takes requests. An address that a user listed is always ready.
    pub state: EndpointState,
    /// The object behind the address, for people: `Pod default/chat-7d9f`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// The state of an endpoint according to the source (EndpointSlice `conditions`, KEP-1672). The order is that of preference: where
/// two endpoints have one address and different states, the lesser state counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum EndpointState {
    /// The endpoint takes requests.
    Ready,
    /// The endpoint is terminating and still serves: it takes requests where none is ready. Its sessions are drained.
    Terminating {
        /// The time from the notice of the termination until the pod is killed.
        grace: Duration,
    },
    /// The endpoint is terminating and does not serve any more. Its sessions are drained.
    Ending {
        /// The time from the notice of the termination until the pod is killed.
        grace: Duration,
    },
    /// The endpoint takes no requests. Its sessions stay.
    NotReady,
}

impl EndpointState {
    /// The name in lower case, for metrics and dumps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Terminating { .. } => "terminating",
            Self::Ending { .. } => "ending",
            Self::NotReady => "not_ready",
        }
    }

    /// The time from the notice until the pod is killed, if the endpoint is terminating.
    pub fn grace(self) -> Option<Duration> {
        match self {
            Self::Terminating { grace } | Self::Ending { grace } => Some(grace),
            Self::Ready | Self::NotReady => None,
        }
    }
}

/// The address of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A DNS name (lower case) and port. It is resolved to any number of members, and again when its TTL is over.
    Name(String, u16),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "{address}"),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The transport to members. HTTP/1.1 is spoken over both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Transport {
    /// Clear text.
    Http,
    /// TLS. The member's certificate is verified.
    Https(UpstreamTls),
}

/// How the certificate of a member is verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct UpstreamTls {
    /// The name that is sent as SNI and must be in the certificate. `None`: the endpoint's own name, or its IP address.
    pub server_name: Option<String>,
    /// CA certificates (PEM) that are trusted instead of the well-known ones. They are public.
    pub trusted_roots: Option<SecretBytes>,
}

/// The choice of the member for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub enum Balance {
    /// Members take turns.
    #[default]
    RoundRobin,
    /// The member with the fewest requests and WebSocket sessions in progress.
    LeastConnections,
}

/// The longest text that a probe looks for in the body of an answer (ARM's limit), in characters.
pub const MAX_PROBE_BODY_CHARS: usize = 4090;

/// The health probe of members (ARM `probes`, a pod's `readinessProbe.httpGet`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Probe {
    /// Whether the probe speaks TLS. The certificate is verified as the pool's transport says; if the transport is clear text, it
    /// is not verified, as with the kubelet.
    pub https: bool,
    /// The `Host` of the request. `None`: the member's own address.
    pub host: Option<String>,
    /// The path of the request, with the query if there is one.
    pub path: String,
    /// The port. `None`: the member's own port.
    pub port: Option<u16>,
    /// The time between two probes.
    pub interval: Duration,
    /// The time in which the whole answer must have arrived.
    pub timeout: Duration,
    /// The number of failures in a row after which a member is down (1–20). One success brings it up.
    pub unhealthy_threshold: u32,
    /// The statuses of a successful answer.
    pub statuses: Vec<StatusRange>,
    /// A text of at most [`MAX_PROBE_BODY_CHARS`] that the body must contain. `None`: any body. As many bytes of the body are searched
    /// as that many characters can have.
    pub body: Option<String>,
}

/// A range of HTTP statuses, both ends included: `200-399`, `401`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusRange {
    /// The first status.
    pub first: u16,
    /// The last status.
    pub last: u16,
}

/// The error of a text that is not a range of statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a status range is one status (401) or two (200-399), each from 100 to 599, the lower first")]
pub struct StatusRangeError;

impl FromStr for StatusRange {
    type Err = StatusRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let read = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..600).contains(status));
        match (read(first), read(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(StatusRangeError),
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl Serialize for StatusRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Probe {
    /// The default probe of ARM: `GET /` with host 127.0.0.1 every 30 s, 30 s to answer, 3 failures, 200–399.
    pub fn arm_default(https: bool) -> Self {
        Self {
            https,
            host: Some("127.0.0.1".to_owned()),
            path: "/".to_owned(),
            port: None,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            unhealthy_threshold: 3,
            statuses: vec![StatusRange { first: 200, last: 399 }],
            body: None,
        }
    }

    /// Whether `status` is in the range.
    pub fn accepts(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| (range.first..=range.last).contains(&status))
    }
}
