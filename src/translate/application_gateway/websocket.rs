//! What `backendHttpSettingsCollection` asks of WebSocket sessions: values in their ranges, or nothing and a report.

use std::fmt::Display;
use std::time::Duration;

use crate::api::SessionSettings;
use crate::api::application_gateway::{ConnectionDraining, WebSocketSettings};
use crate::model::ObjectRef;
use crate::report::Reason;

use super::element::in_range;
use crate::translate::report::Reports;
use crate::translate::websocket::DEFAULT_DRAIN;

/// Most sessions, and most bytes of a message.
const SESSIONS: i32 = 10_000_000;
const MESSAGE: i64 = 1 << 40;

/// Reads `webSocket` and `connectionDraining` of the element at `field`.
pub(super) fn read(
    owner: &ObjectRef,
    field: &str,
    web_socket: Option<&WebSocketSettings>,
    draining: Option<&ConnectionDraining>,
    reports: &mut Reports,
) -> SessionSettings {
    let drain = draining.and_then(|draining| drain(owner, field, draining, reports));
    let Some(web_socket) = web_socket else { return SessionSettings { drain, ..SessionSettings::default() } };
    let &WebSocketSettings {
        idle_timeout,
        idle_counts,
        ping_interval,
        ping_timeout,
        max_age,
        unhealthy_grace,
        rebalance,
        max_sessions,
        max_sessions_per_client,
        handshake_rate,
        max_message_size,
        message_rate,
        backend_http2,
    } = web_socket;
    let mut of = Fields { owner, field: format!("{field}.webSocket"), reports };
    let settings = SessionSettings {
        idle_timeout: of.seconds("idleTimeout", idle_timeout, (0, 2_592_000)),
        idle_counts,
        ping_interval: of.seconds("pingInterval", ping_interval, (0, 86_400)),
        ping_timeout: of.seconds("pingTimeout", ping_timeout, (1, 3600)),
        max_age: of.seconds("maxAge", max_age, (0, 2_592_000)),
        drain,
        unhealthy_grace: of.seconds("unhealthyGrace", unhealthy_grace, (0, 86_400)),
        rebalance: of.number("rebalance", rebalance, (0, 60_000)),
        max_sessions: of.number("maxSessions", max_sessions, (1, SESSIONS)),
        max_sessions_per_client: of.number("maxSessionsPerClient", max_sessions_per_client, (1, SESSIONS)),
        handshake_rate: of.number("handshakeRate", handshake_rate, (1, 1_000_000)),
        max_message_size: of.number("maxMessageSize", max_message_size, (1, MESSAGE)),
        message_rate: of.number("messageRate", message_rate, (1, 1_000_000)),
        backend_http2,
    };
    if settings.ping_timeout.is_some() && ping_interval.is_none() {
        let field = format!("{field}.webSocket.pingTimeout");
        let message = "it has no effect without pingInterval";
        reports.warning(owner, field, Reason::InvalidValue, message, "add that, or remove this");
    }
    settings
}

/// The time for draining, if it is enabled.
fn drain(owner: &ObjectRef, field: &str, draining: &ConnectionDraining, reports: &mut Reports) -> Option<Duration> {
    let &ConnectionDraining { enabled, drain_timeout_in_sec } = draining;
    let mut of = Fields { owner, field: format!("{field}.connectionDraining"), reports };
    let time = of.seconds("drainTimeoutInSec", drain_timeout_in_sec, (1, 3600));
    enabled.then(|| time.unwrap_or(DEFAULT_DRAIN))
}

/// The numbers below one field.
struct Fields<'a> {
    owner: &'a ObjectRef,
    field: String,
    reports: &'a mut Reports,
}

impl Fields<'_> {
    fn number<T, N>(&mut self, name: &str, value: Option<T>, range: (T, T)) -> Option<N>
    where
        T: Copy + PartialOrd + Display,
        N: TryFrom<T>,
    {
        in_range(self.owner, format!("{}.{name}", self.field), value?, range, self.reports)
    }

    fn seconds(&mut self, name: &str, value: Option<i32>, range: (i32, i32)) -> Option<Duration> {
        self.number::<_, u64>(name, value, range).map(Duration::from_secs)
    }
}
