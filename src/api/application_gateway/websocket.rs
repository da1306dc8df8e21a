//! What an ApplicationGateway asks of WebSocket sessions.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// For WebSocket sessions alone.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebSocketSettings {
    /// Seconds of silence, both directions taken together, after which a session is closed (1001), 0–2592000; 0: no
    /// limit. Default: `requestTimeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2592000))]
    pub idle_timeout: Option<i32>,
    /// What ends that silence. Default: Any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_counts: Option<IdleCounts>,
    /// Seconds of silence of a client or a backend after which the gateway sends it a ping, 0–86400; 0: no pings.
    /// Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub ping_interval: Option<i32>,
    /// Seconds that whoever was sent a ping has for a byte of whatever kind, before it is taken for gone and the
    /// session ends, 1–3600. Default: 10. It has no effect without `pingInterval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub ping_timeout: Option<i32>,
    /// Seconds after which a session is closed (1012), give or take a tenth, so that its client comes back and is given
    /// a backend anew, 0–2592000; 0: no limit. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2592000))]
    pub max_age: Option<i32>,
    /// Seconds after which the sessions on a backend that fails its probe are closed (1012), 0–86400; 0: at once.
    /// Default: they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub unhealthy_grace: Option<i32>,
    /// Sessions a minute that the fullest backend gives up while others have notably fewer, by each replica, 0–60000;
    /// 0: none. Each is closed (1012), so that its client comes back and is given another. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 60000))]
    pub rebalance: Option<i32>,
    /// Sessions that may be open at once for each rule (host and path), by each replica, 1–10000000. Handshakes beyond
    /// are answered 503 with Retry-After. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000000))]
    pub max_sessions: Option<i32>,
    /// Sessions that one client address may have open at once for each rule (host and path), by each replica,
    /// 1–10000000. Handshakes beyond are answered 429 with Retry-After. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000000))]
    pub max_sessions_per_client: Option<i32>,
    /// Handshakes a second for each rule (host and path), by each replica, 1–1000000. Those beyond are answered 429
    /// with Retry-After. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub handshake_rate: Option<i32>,
    /// Bytes of a client's message as it goes over the wire, all fragments together, 1–1099511627776 (1 TiB). A session
    /// with a larger one is closed (1009). Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1099511627776i64))]
    pub max_message_size: Option<i64>,
    /// Messages, pings and pongs a second that the client of a session may send, 1–1000000. A session with more is closed
    /// (1008). Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub message_rate: Option<i32>,
    /// Whether sessions share connections of HTTP/2 to Https backends that offer that (RFC 8441): fewer connections, but some
    /// servers end all of a connection's sessions when one ends. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_http2: Option<bool>,
}

/// What ends a session's silence: Any byte but answers to the gateway's own pings, or Messages alone, so that a session
/// with nothing but pings is idle. Default: Any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum IdleCounts {
    /// Every byte but answers to the gateway's own pings.
    Any,
    /// Messages alone.
    Messages,
}
