//! What a route asks of its WebSocket sessions, whoever asked.

use std::time::Duration;

use crate::api::SessionSettings;
use crate::api::session::{self, DEFAULT_PING_TIMEOUT};
use crate::model::{IdleCounts, Ping, SessionLimits, WebSocket};

/// The settings with their defaults.
pub(super) fn with_defaults(settings: &SessionSettings, request_timeout: Duration) -> WebSocket {
    let &SessionSettings {
        idle_timeout,
        idle_counts,
        ping_interval,
        ping_timeout,
        max_age,
        drain,
        unhealthy_grace,
        rebalance,
        backend_http2,
        max_sessions,
        max_sessions_per_client,
        handshake_rate,
        max_message_size,
        message_rate,
    } = settings;
    let timeout = ping_timeout.unwrap_or(DEFAULT_PING_TIMEOUT);
    WebSocket {
        idle_timeout: Some(idle_timeout.unwrap_or(request_timeout)).filter(|time| !time.is_zero()),
        idle_counts: match idle_counts {
            None | Some(session::IdleCounts::Any) => IdleCounts::Any,
            Some(session::IdleCounts::Messages) => IdleCounts::Messages,
        },
        ping: ping_interval.filter(|time| !time.is_zero()).map(|interval| Ping { interval, timeout }),
        max_age: max_age.filter(|time| !time.is_zero()),
        drain,
        unhealthy_grace,
        rebalance: rebalance.filter(|sessions| *sessions > 0),
        backend_http2: backend_http2.unwrap_or_default(),
        limits: SessionLimits {
            sessions: max_sessions,
            sessions_per_client: max_sessions_per_client,
            handshake_rate,
            message_size: max_message_size,
            message_rate,
        },
    }
}
