//! What a route asks of its WebSocket sessions.

use std::time::Duration;

use serde::Serialize;

/// For the sessions of one route. A session keeps what stood when it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WebSocket {
    /// Longest silence, both directions taken together; `None`: no limit.
    pub idle_timeout: Option<Duration>,
    /// What ends a silence.
    #[serde(skip_serializing_if = "is_default")]
    pub idle_counts: IdleCounts,
    /// Whether the gateway asks silent peers if they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping: Option<Ping>,
    /// Age at which a session is closed (1012), give or take a tenth, so that clients choose their member anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// Time over which the sessions of a pod that goes away, or of a route that is removed, are closed (1001). `None`: half
    /// the pod's grace; for a route, half of 30 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Duration>,
    /// Time after which sessions on a member that fails its probe are closed (1012); `None`: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_grace: Option<Duration>,
    /// Sessions a minute that the fullest member gives up (1012) while others have notably fewer; `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<u32>,
    /// Whether sessions share connections of HTTP/2 to members that offer that (RFC 8441).
    #[serde(skip_serializing_if = "is_default")]
    pub backend_http2: bool,
    /// What is refused.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: SessionLimits,
}

/// What ends a session's silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum IdleCounts {
    /// Every byte but answers to the gateway's own pings.
    #[default]
    Any,
    /// Data frames alone: an application that only pings is idle.
    Messages,
}

/// Pings (RFC 6455 section 5.5.2) to a peer that has said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// Silence of a peer after which it is asked.
    pub interval: Duration,
    /// Time that it has for a byte of whatever kind, before it is taken for gone.
    pub timeout: Duration,
}

/// What is refused. `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SessionLimits {
    /// Sessions open at once (503).
    pub sessions: Option<u32>,
    /// The same, of one client address (429).
    pub sessions_per_client: Option<u32>,
    /// Handshakes a second (429).
    pub handshake_rate: Option<u32>,
    /// Bytes of a client's message as it goes over the wire, all fragments together (1009).
    pub message_size: Option<u64>,
    /// Messages, pings and pongs of a client a second (1008).
    pub message_rate: Option<u32>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
