//! Pools: their endpoints, the transport to members and the balancing.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::probe::Probe;
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
    /// The health probe of each member. `None`: members are not probed, and the readiness of their endpoints decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// How requests are shared among members.
    pub balance: Balance,
    /// The number of members that count as up whatever their probes say (ARM `minServers`): where fewer are up, all ready members take requests.
    #[serde(skip_serializing_if = "is_zero")]
    pub min_up: u32,
    /// Whether it takes requests only as a part of other pools, which its members are counted with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_component: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
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
    /// The share of requests that each member of the endpoint takes, relative to other members of the pool. 1 for nearly all.
    #[serde(skip_serializing_if = "Weight::is_one")]
    pub weight: Weight,
    /// The object behind the address, for people: `Pod default/chat-7d9f`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// The weight of an endpoint: from 1. The weights of two pools that have an address both are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Weight(NonZeroU16);

impl Weight {
    /// The weight of members that share requests evenly.
    pub const ONE: Self = Self(NonZeroU16::MIN);

    /// A weight; `None` for 0.
    pub fn new(weight: u16) -> Option<Self> {
        NonZeroU16::new(weight).map(Self)
    }

    /// The number.
    pub fn number(self) -> u16 {
        self.0.get()
    }

    /// Both weights together.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.number()))
    }

    fn is_one(&self) -> bool {
        *self == Self::ONE
    }
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
    /// The member that a hash of the client's address gives (`sessionAffinity: ClientIP` of a Service, `IpHash` of an
    /// ApplicationGateway).
    ClientAddress,
}
