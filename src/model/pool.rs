//! Pools: where requests may go, how to speak there, and how to learn whether a member is well.

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

/// Identity of a pool, the same through every edit that leaves the pool what it was. Readable:
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
    /// Where requests may go. An empty list is a pool without members.
    pub endpoints: Endpoints,
    /// How a member is spoken to.
    pub transport: Transport,
    /// How a member is asked whether it is well.
    pub probe: Probe,
    /// Which of the members that are well takes the next request.
    pub balance: Balance,
}

/// The endpoints of a pool, shared with other pools of the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Endpoints(Arc<[Endpoint]>);

impl Endpoints {
    /// Whether anybody else has them too.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// Quick where they are shared.
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

/// One place that requests may go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Endpoint {
    /// Where it is.
    pub address: Address,
    /// Whether it takes requests (always ready for addresses that a user listed).
    pub state: EndpointState,
    /// What it is, for people: `Pod default/chat-7d9f`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What the source says of an endpoint (EndpointSlice `conditions`, KEP-1672). In order of preference: of two that say
/// different things of one address, the smaller is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum EndpointState {
    /// Takes requests.
    Ready,
    /// It is going away, and serves: takes requests where nobody is ready. Its sessions are drained.
    Terminating {
        /// Time that it has from the word to its end.
        grace: Duration,
    },
    /// It is going away, and does not serve any more. Its sessions are drained.
    Ending {
        /// Time that it has from the word to its end.
        grace: Duration,
    },
    /// Takes no requests. Its sessions stay.
    NotReady,
}

impl EndpointState {
    /// Lower-case name, for metrics and dumps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Terminating { .. } => "terminating",
            Self::Ending { .. } => "ending",
            Self::NotReady => "not_ready",
        }
    }

    /// Time that it has, if it is going away.
    pub fn grace(self) -> Option<Duration> {
        match self {
            Self::Terminating { grace } | Self::Ending { grace } => Some(grace),
            Self::Ready | Self::NotReady => None,
        }
    }
}

/// An address of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A DNS name (lower case) and port: resolved, again by its TTL, to any number of members.
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

/// How a member is spoken to. HTTP/1.1 in both cases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Transport {
    /// Clear text.
    Http,
    /// TLS, verified.
    Https(UpstreamTls),
}

/// What a TLS backend has to prove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct UpstreamTls {
    /// Name to send as SNI and to find in the certificate. `None`: the endpoint's own name, or
    /// its IP address.
    pub server_name: Option<String>,
    /// CA certificates (PEM) to trust instead of the well-known ones. Public data.
    pub trusted_roots: Option<SecretBytes>,
}

/// Which member takes the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest requests and WebSocket sessions in progress.
    LeastConnections,
}

/// The longest text that a probe looks for in the body of an answer (ARM's limit), in characters.
pub const MAX_PROBE_BODY_CHARS: usize = 4090;

/// How a member is asked whether it is well (ARM `probes`, a pod's `readinessProbe.httpGet`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Probe {
    /// Whether the probe speaks TLS. Verified as the pool's transport says; where the transport is
    /// clear text, not verified (as the kubelet does).
    pub https: bool,
    /// `Host` to send; `None`: the member's own address.
    pub host: Option<String>,
    /// Path, and query if any.
    pub path: String,
    /// Port to ask, where it is not the member's own.
    pub port: Option<u16>,
    /// Time between two probes.
    pub interval: Duration,
    /// Time in which the whole answer must have come.
    pub timeout: Duration,
    /// Failures in a row that mark a member down (1–20). One success heals.
    pub unhealthy_threshold: u32,
    /// Statuses that count as success.
    pub statuses: Vec<StatusRange>,
    /// Text of at most [`MAX_PROBE_BODY_CHARS`] that the body must contain; `None`: any body. As many bytes of the body are searched as
    /// that many characters can have.
    pub body: Option<String>,
}

/// A range of HTTP statuses, both ends included: `200-399`, `401`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusRange {
    /// First status.
    pub first: u16,
    /// Last status.
    pub last: u16,
}

/// A text that is not a range of statuses.
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
    /// ARM's default: `GET /`, host 127.0.0.1, every 30 s, 30 s to answer, 3 failures, 200–399.
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

    /// Whether `status` counts as success.
    pub fn accepts(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| (range.first..=range.last).contains(&status))
    }
}
