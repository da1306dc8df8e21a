//! Settings of WebSocket sessions in `backendHttpSettingsCollection`: values in their ranges, or nothing and a report.

use std::time::Duration;

use crate::api::SessionSettings;
use crate::api::application_gateway::ConnectionDraining;
use crate::api::session::{DEFAULT_DRAIN_TIME, DrainTime, WebSocketSettings};
use crate::model::ObjectRef;
use crate::report::Reason;

use super::element::{out_of_range, read_number};
use crate::translate::report::Reports;

/// Reads the settings of sessions at `session_field`, and `connectionDraining` of the element at `field`.
pub(super) fn read(
    owner: &ObjectRef,
    field: &str,
    session_field: &str,
    web_socket: Option<&WebSocketSettings>,
    draining: Option<&ConnectionDraining>,
    reports: &mut Reports,
) -> SessionSettings {
    let drain = draining.and_then(|draining| drain(owner, field, draining, reports));
    let Some(web_socket) = web_socket else { return SessionSettings { drain, ..SessionSettings::default() } };
    let settings = web_socket.read(|refused| {
        out_of_range(owner, format!("{session_field}.{}", refused.field), refused.value, refused.range, reports);
    });
    if settings.ping_timeout.is_some() && web_socket.ping_interval.is_none() {
        let field = format!("{session_field}.pingTimeout");
        let message = "it has no effect without pingInterval";
        reports.warning(owner, field, Reason::InvalidValue, message, "add that, or remove this");
    }
    SessionSettings { drain, ..settings }
}

/// The time for draining, if it is enabled.
fn drain(owner: &ObjectRef, field: &str, draining: &ConnectionDraining, reports: &mut Reports) -> Option<Duration> {
    let &ConnectionDraining { enabled, drain_timeout_in_sec } = draining;
    let field = format!("{field}.connectionDraining.drainTimeoutInSec");
    let time = drain_timeout_in_sec.and_then(|seconds| read_number::<DrainTime>(owner, field, seconds, reports));
    enabled.then(|| time.unwrap_or(DEFAULT_DRAIN_TIME))
}
