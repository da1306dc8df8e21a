//! `backendSettingsCollection`, read. A value outside its range is reported, and its default is used.

use std::sync::Arc;

use crate::api::SessionSettings;
use crate::api::application_gateway::{Reference, StreamBackendSettings, StreamProtocol};
use crate::api::value::RequestTimeout;
use crate::model::{HostPattern, ObjectRef, WebSocket};
use crate::report::Reason;

use super::element::{Element, port, read_number};
use super::websocket;
use crate::translate::report::Reports;
use crate::translate::websocket::with_defaults;

/// One element of `backendSettingsCollection`.
#[derive(Debug)]
pub(super) struct StreamSettings<'a> {
    /// The port of the backends; `None`: it is out of range, and was reported.
    pub(super) port: Option<u16>,
    /// Whether the backends speak TLS.
    pub(super) is_tls: bool,
    /// The name that the certificates of the backends must have. `None`: that of the backend itself.
    pub(super) server_name: Option<String>,
    pub(super) sessions: Arc<WebSocket>,
    pub(super) probe: Option<&'a Reference>,
    pub(super) roots: &'a [Reference],
}

impl<'a> StreamSettings<'a> {
    /// Reads one element.
    pub(super) fn read(
        owner: &ObjectRef,
        Element { field, value }: &Element<'a, StreamBackendSettings>,
        reports: &mut Reports,
    ) -> Self {
        let StreamBackendSettings {
            name: _,
            port: number,
            protocol,
            timeout,
            host_name,
            pick_host_name_from_backend_address,
            probe,
            trusted_root_certificates,
            connection_draining,
            sessions,
        } = value;
        let timeout =
            timeout.and_then(|value| read_number::<RequestTimeout>(owner, format!("{field}.timeout"), value, reports));
        let field_of_sessions = format!("{field}.sessions");
        let session =
            websocket::read(owner, field, &field_of_sessions, sessions.as_ref(), connection_draining.as_ref(), reports);
        report_frames(owner, &field_of_sessions, &session, reports);
        let picks = pick_host_name_from_backend_address.unwrap_or_default();
        // Nobody expects a database to close what is silent: without a timeout there is none.
        let idle_timeout = session.idle_timeout.or(timeout).filter(|time| !time.is_zero());
        Self {
            port: port(owner, format!("{field}.port"), *number, reports),
            is_tls: *protocol == StreamProtocol::Tls,
            server_name: server_name(owner, field, host_name.as_deref(), picks, reports),
            sessions: Arc::new(WebSocket { idle_timeout, ..with_defaults(&session, None) }),
            probe: probe.as_ref(),
            roots: trusted_root_certificates,
        }
    }
}

/// Reports settings that are about frames and messages, which streams do not have.
fn report_frames(owner: &ObjectRef, field: &str, session: &SessionSettings, reports: &mut Reports) {
    let written = [
        ("idleCounts", session.idle_counts.is_some()),
        ("pingInterval", session.ping_interval.is_some()),
        ("pingTimeout", session.ping_timeout.is_some()),
        ("maxMessageSize", session.max_message_size.is_some()),
        ("messageRate", session.message_rate.is_some()),
        ("backendHttp2", session.backend_http2.is_some()),
    ];
    for (name, _) in written.into_iter().filter(|(_, written)| *written) {
        let message = "it has no effect: a stream has no messages, and nothing can be inserted into it";
        reports.warning(owner, format!("{field}.{name}"), Reason::Unsupported, message, "remove it");
    }
}

fn server_name(
    owner: &ObjectRef,
    field: &str,
    name: Option<&str>,
    picks: bool,
    reports: &mut Reports,
) -> Option<String> {
    let name = name?;
    let field = format!("{field}.hostName");
    if picks {
        let message = "hostName and pickHostNameFromBackendAddress can't stand together; hostName is used";
        reports.error(owner, &field, Reason::InvalidValue, message, "remove one of the two");
    }
    match HostPattern::ingress(name) {
        Ok(HostPattern::Exact(name)) => Some(name.to_string()),
        _ => {
            let message = format!("{name:?} is not a host name, so a certificate must have the backend's own");
            reports.error(owner, field, Reason::InvalidValue, message, "correct the name");
            None
        }
    }
}
