//! Settings of WebSocket sessions, with their defaults: from the settings that all languages share, and from the
//! annotations of an Ingress.

use std::time::Duration;

use crate::api::SessionSettings;
use crate::api::annotations::AnnotationSettings;
use crate::api::session::{self, DEFAULT_DRAIN_TIME, DEFAULT_PING_TIMEOUT};
use crate::model::{IdleCounts, Ping, SessionLimits, WebSocket};

/// The idle timeout of sessions where nobody has written a limit. A peer that has gone is found by TCP keep-alive long before, so this
/// bounds sessions alone whose peers live and are silent.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// The settings with their defaults. `request_timeout` is the one that somebody has written: it bounds sessions too.
pub(super) fn with_defaults(settings: &SessionSettings, request_timeout: Option<Duration>) -> WebSocket {
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
        idle_timeout: idle_timeout.or(request_timeout).or(Some(DEFAULT_IDLE_TIMEOUT)).filter(|time| !time.is_zero()),
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

/// The settings that annotations ask for, with defaults.
pub(super) fn from_annotations(settings: &AnnotationSettings) -> WebSocket {
    let draining = settings.connection_draining.unwrap_or_default();
    let drain = draining.then(|| settings.connection_draining_timeout.unwrap_or(DEFAULT_DRAIN_TIME));
    let session = SessionSettings { drain: settings.session.drain.or(drain), ..settings.session.clone() };
    with_defaults(&session, settings.request_timeout)
}
