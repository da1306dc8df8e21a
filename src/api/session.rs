//! What can be asked of WebSocket sessions, by annotations and by an ApplicationGateway alike.

use std::time::Duration;

use super::application_gateway::IdleCounts;

/// What WebSocket sessions are asked for. `None`: nobody asked; zero: what was written, which `translate` reads as
/// "no limit", "off" or "at once".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSettings {
    /// Longest silence.
    pub idle_timeout: Option<Duration>,
    /// What ends a silence.
    pub idle_counts: Option<IdleCounts>,
    /// Silence of a peer after which it is sent a ping.
    pub ping_interval: Option<Duration>,
    /// Time that it then has.
    pub ping_timeout: Option<Duration>,
    /// Age at which a session is closed.
    pub max_age: Option<Duration>,
    /// Time over which sessions are closed that a change has taken the ground from.
    pub drain: Option<Duration>,
    /// Time after which sessions on a member that fails its probe are closed.
    pub unhealthy_grace: Option<Duration>,
    /// Sessions a minute that the fullest member gives up.
    pub rebalance: Option<u32>,
    /// Whether sessions share connections of HTTP/2 to backends that offer that.
    pub backend_http2: Option<bool>,
    /// Sessions open at once.
    pub max_sessions: Option<u32>,
    /// The same, of one client address.
    pub max_sessions_per_client: Option<u32>,
    /// Handshakes a second.
    pub handshake_rate: Option<u32>,
    /// Bytes of a client's message.
    pub max_message_size: Option<u64>,
    /// Messages of a client a second.
    pub message_rate: Option<u32>,
}
