//! The settings of a route's WebSocket sessions.

use std::time::Duration;

use serde::Serialize;

/// The settings of the sessions of one route. A session keeps the settings that it was opened with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WebSocket {
    /// The longest silence, over both directions. `None`: no limit.
    pub idle_timeout: Option<Duration>,
    /// What ends a silence.
    #[serde(skip_serializing_if = "is_default")]
    pub idle_counts: IdleCounts,
    /// How the gateway pings silent peers. `None`: it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping: Option<Ping>,
    /// Age at which a session is closed (1012), give or take a tenth, so that clients choose their member anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// The time over which the sessions of a terminating pod or of a removed route are closed (1001). `None`: half of the pod's
    /// grace period; for a route, 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Duration>,
    /// The time after which sessions on a member that fails its probe are closed (1012). `None`: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_grace: Option<Duration>,
    /// The number of sessions a minute that the fullest member gives up (1012) while others have notably fewer. `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<u32>,
    /// Whether sessions share HTTP/2 connections to members that offer it (RFC 8441).
    #[serde(skip_serializing_if = "is_default")]
    pub backend_http2: bool,
    /// The limits of sessions.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: SessionLimits,
}

/// What ends a session's silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum IdleCounts {
    /// Every byte, except the answers to the gateway's own pings.
    #[default]
    Any,
    /// Data frames only: an application that only pings is idle.
    Messages,
}

/// Pings (RFC 6455 section 5.5.2) to silent peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// The silence of a peer after which it is pinged.
    pub interval: Duration,
    /// The time in which a byte of any kind must arrive then. Otherwise the peer is taken for gone.
    pub timeout: Duration,
}

/// The limits of sessions: what exceeds them is refused or closed. `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SessionLimits {
    /// Open sessions (503).
    pub sessions: Option<u32>,
    /// Open sessions of one client address (429).
    pub sessions_per_client: Option<u32>,
    /// Handshakes a second (429).
    pub handshake_rate: Option<u32>,
    /// Bytes of a client's message on the wire, over all of its fragments (1009).
    pub message_size: Option<u64>,
    /// Messages, pings and pongs of a client a second (1008).
    pub message_rate: Option<u32>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
