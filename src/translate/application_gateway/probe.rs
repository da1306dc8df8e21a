//! `probes`, read. A value outside its range is reported, and ARM's default is used.

use crate::api::application_gateway::{Probe as Written, ProbeMatch, ProbeProtocol};
use crate::api::value::{ProbeThreshold, ProbeTime};
use crate::model::{HostHeader, MAX_PROBE_BODY_CHARS, ObjectRef, Probe, ProbeKind, StatusRange};
use crate::report::Reason;

use super::element::{Element, in_range, port, read_number};
use crate::translate::report::Reports;

/// The most that `minServers` may be: as many members as a pool may list.
const MAX_MIN_SERVERS: i32 = 1200;

/// Reads one probe. `sent` is the host that the settings which name it send to backends.
pub(super) fn read(
    owner: &ObjectRef,
    Element { field, value }: &Element<'_, Written>,
    sent: &HostHeader,
    reports: &mut Reports,
) -> Probe {
    let Written {
        name: _,
        protocol,
        host,
        path,
        port: number,
        interval,
        timeout,
        unhealthy_threshold,
        pick_host_name_from_backend_http_settings,
        pick_host_name_from_backend_settings,
        min_servers: _,
        expected,
    } = value;
    let default = match protocol {
        ProbeProtocol::Http => Probe::arm_default(false),
        ProbeProtocol::Https => Probe::arm_default(true),
        ProbeProtocol::Tcp => Probe::connection(false),
        ProbeProtocol::Tls => Probe::connection(true),
    };
    let mut time_of = |name: &str, value: &Option<i32>| {
        read_number::<ProbeTime>(owner, format!("{field}.{name}"), (*value)?, reports)
    };
    let interval = time_of("interval", interval);
    let timeout = time_of("timeout", timeout);
    let threshold = unhealthy_threshold
        .and_then(|value| read_number::<ProbeThreshold>(owner, format!("{field}.unhealthyThreshold"), value, reports));
    let number = number.and_then(|number| port(owner, format!("{field}.port"), number, reports));
    let (interval, timeout) = (interval.unwrap_or(default.interval), timeout.unwrap_or(default.timeout));
    let unhealthy_threshold = threshold.unwrap_or(default.unhealthy_threshold);
    if default.kind == ProbeKind::Connection {
        let written = [("host", host.is_some()), ("path", path.is_some()), ("match", expected.is_some())];
        for (name, _) in written.into_iter().filter(|(_, written)| *written) {
            let message =
                format!("it has no effect: a probe of protocol {protocol:?} asks for nothing but a connection");
            let remedy = "remove it, or write protocol Http or Https";
            reports.warning(owner, format!("{field}.{name}"), Reason::InvalidValue, message, remedy);
        }
        return Probe { port: number, interval, timeout, unhealthy_threshold, ..default };
    }
    let picks = [pick_host_name_from_backend_http_settings, pick_host_name_from_backend_settings];
    let picks = picks.into_iter().any(|picks| *picks == Some(true));
    let (statuses, body) = match expected {
        Some(expected) => expectation(owner, field, expected, reports),
        None => (None, None),
    };
    Probe {
        host: self::host(owner, field, host.as_deref(), picks, sent, reports),
        path: checked_path(owner, field, path.as_deref().unwrap_or_default(), reports),
        port: number,
        interval,
        timeout,
        unhealthy_threshold,
        statuses: statuses.unwrap_or(default.statuses),
        body,
        ..default
    }
}

/// How many members count as up whatever a probe says. It belongs to the pool, since each member has its own probe.
pub(super) fn min_servers(
    owner: &ObjectRef,
    Element { field, value }: &Element<'_, Written>,
    reports: &mut Reports,
) -> u32 {
    let read = |number| in_range(owner, format!("{field}.minServers"), number, (0, MAX_MIN_SERVERS), reports);
    value.min_servers.and_then(read).unwrap_or_default()
}

/// ARM's default probe, for settings without one. It sends the host that the settings send, if they name one.
pub(super) fn default(https: bool, sent: &HostHeader) -> Probe {
    let default = Probe::arm_default(https);
    match sent {
        HostHeader::Set(host) => Probe { host: Some(host.clone()), ..default },
        HostHeader::Member => Probe { host: None, ..default },
        HostHeader::Preserve => default,
    }
}

fn host(
    owner: &ObjectRef,
    field: &str,
    host: Option<&str>,
    picks: bool,
    sent: &HostHeader,
    reports: &mut Reports,
) -> Option<String> {
    let default = Probe::arm_default(false).host;
    let field = format!("{field}.pickHostNameFromBackendHttpSettings");
    match (host, picks, sent) {
        (Some(host), false, _) => Some(host.to_owned()),
        (Some(host), true, _) => {
            let message = "host and pickHostNameFromBackendHttpSettings can't stand together; host is used";
            reports.error(owner, field, Reason::InvalidValue, message, "remove one of the two");
            Some(host.to_owned())
        }
        (None, false, _) => default,
        (None, true, HostHeader::Set(host)) => Some(host.clone()),
        (None, true, HostHeader::Member) => None,
        (None, true, HostHeader::Preserve) => {
            let message = "the settings that name this probe send the client's host, so the probe sends 127.0.0.1";
            let remedy = "give the settings a hostName or pickHostNameFromBackendAddress, or the probe a host";
            reports.error(owner, field, Reason::InvalidValue, message, remedy);
            default
        }
    }
}

fn checked_path(owner: &ObjectRef, field: &str, path: &str, reports: &mut Reports) -> String {
    if path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        return path.to_owned();
    }
    let message = format!("{path:?} is not a path, so the probe asks for /");
    reports.error(owner, format!("{field}.path"), Reason::InvalidValue, message, "begin it with '/'");
    "/".to_owned()
}

fn expectation(
    owner: &ObjectRef,
    field: &str,
    ProbeMatch { status_codes, body }: &ProbeMatch,
    reports: &mut Reports,
) -> (Option<Vec<StatusRange>>, Option<String>) {
    let mut ranges: Vec<StatusRange> = Vec::new();
    for (index, text) in status_codes.iter().enumerate() {
        match text.trim().parse() {
            Ok(range) => ranges.push(range),
            Err(error) => reports.error(
                owner,
                format!("{field}.match.statusCodes[{index}]"),
                Reason::InvalidValue,
                format!("{text:?} is left out: {error}"),
                "write a status or a range of statuses",
            ),
        }
    }
    if let Some(body) = body.as_ref().filter(|body| body.chars().count() > MAX_PROBE_BODY_CHARS) {
        reports.error(
            owner,
            format!("{field}.match.body"),
            Reason::InvalidValue,
            format!(
                "the text has {} characters, and at most {MAX_PROBE_BODY_CHARS} are compared; any body will do",
                body.chars().count()
            ),
            "shorten it",
        );
    }
    let body = body.clone().filter(|body| !body.is_empty() && body.chars().count() <= MAX_PROBE_BODY_CHARS);
    (Some(ranges).filter(|ranges| !ranges.is_empty()), body)
}
