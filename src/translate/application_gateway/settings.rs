//! `backendHttpSettingsCollection`, read. A value outside its range is reported, and its default is used.

use std::sync::Arc;
use std::time::Duration;

use crate::api::application_gateway::{
    BackendHttpSettings, CookieBasedAffinity, LoadDistributionAlgorithm, Protocol, Reference,
};
use crate::api::cookie;
use crate::api::value::RequestTimeout;
use crate::model::{Affinity, HostHeader, HostPattern, ObjectRef, UpgradeProtocols, WebSocket};
use crate::report::Reason;

use super::element::{Element, port, read_number};
use super::websocket;
use crate::translate::affinity;
use crate::translate::report::Reports;
use crate::translate::upgrade;
use crate::translate::websocket::with_defaults;

/// One element of `backendHttpSettingsCollection`.
#[derive(Debug)]
pub(super) struct BackendSettings<'a> {
    /// The port of the backends; `None`: it is out of range, and was reported.
    pub(super) port: Option<u16>,
    pub(super) https: bool,
    pub(super) host: HostHeader,
    pub(super) affinity: Option<Arc<Affinity>>,
    pub(super) path: Option<&'a str>,
    pub(super) request_timeout: Duration,
    pub(super) websocket: Arc<WebSocket>,
    pub(super) upgrade_protocols: Option<Arc<UpgradeProtocols>>,
    pub(super) load_distribution: Option<LoadDistributionAlgorithm>,
    pub(super) probe: Option<&'a Reference>,
    pub(super) roots: &'a [Reference],
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads one element.
pub(super) fn read<'a>(
    owner: &ObjectRef,
    Element { field, value }: &Element<'a, BackendHttpSettings>,
    reports: &mut Reports,
) -> BackendSettings<'a> {
    let BackendHttpSettings {
        name: _,
        port: number,
        protocol,
        request_timeout,
        path,
        host_name,
        pick_host_name_from_backend_address,
        probe,
        trusted_root_certificates,
        cookie_based_affinity,
        affinity_cookie_name,
        load_distribution_algorithm,
        connection_draining,
        web_socket,
        upgrade_protocols,
    } = value;
    let request_timeout = request_timeout
        .and_then(|value| read_number::<RequestTimeout>(owner, format!("{field}.requestTimeout"), value, reports));
    let session_field = format!("{field}.webSocket");
    let session =
        websocket::read(owner, field, &session_field, web_socket.as_ref(), connection_draining.as_ref(), reports);
    let field_of_protocols = format!("{field}.upgradeProtocols");
    upgrade::check(owner, &field_of_protocols, upgrade_protocols, reports);
    upgrade::check_limits(owner, &field_of_protocols, upgrade_protocols, &session, reports);
    let picks = pick_host_name_from_backend_address.unwrap_or_default();
    BackendSettings {
        port: port(owner, format!("{field}.port"), *number, reports),
        https: *protocol == Protocol::Https,
        affinity: affinity(owner, field, *cookie_based_affinity, affinity_cookie_name.as_deref(), reports),
        host: host(owner, field, host_name.as_deref(), picks, reports),
        path: path.as_deref().and_then(|path| checked_path(owner, field, path, reports)),
        request_timeout: request_timeout.unwrap_or(DEFAULT_TIMEOUT),
        websocket: Arc::new(with_defaults(&session, request_timeout)),
        upgrade_protocols: upgrade::protocols(upgrade_protocols),
        load_distribution: *load_distribution_algorithm,
        probe: probe.as_ref(),
        roots: trusted_root_certificates,
    }
}

fn host(owner: &ObjectRef, field: &str, name: Option<&str>, picks: bool, reports: &mut Reports) -> HostHeader {
    let Some(name) = name else {
        return if picks { HostHeader::Member } else { HostHeader::Preserve };
    };
    let field = format!("{field}.hostName");
    if picks {
        reports.error(
            owner,
            &field,
            Reason::InvalidValue,
            "hostName and pickHostNameFromBackendAddress can't stand together; hostName is used",
            "remove one of the two",
        );
    }
    match HostPattern::ingress(name) {
        Ok(HostPattern::Exact(name)) => HostHeader::Set(name.to_string()),
        _ => {
            reports.error(
                owner,
                field,
                Reason::InvalidValue,
                format!("{name:?} is not a host name, so backends see the client's"),
                "correct the name",
            );
            HostHeader::Preserve
        }
    }
}

fn affinity(
    owner: &ObjectRef,
    field: &str,
    affinity: Option<CookieBasedAffinity>,
    name: Option<&str>,
    reports: &mut Reports,
) -> Option<Arc<Affinity>> {
    let name = cookie_name(owner, field, name, reports).unwrap_or(affinity::AZURE_NAME);
    let enabled = affinity == Some(CookieBasedAffinity::Enabled);
    enabled.then(|| Arc::new(affinity::azure(name.to_owned())))
}

/// The name of the cookie, if one is written that can be a cookie's.
pub(super) fn cookie_name<'n>(
    owner: &ObjectRef,
    field: &str,
    name: Option<&'n str>,
    reports: &mut Reports,
) -> Option<&'n str> {
    let valid = name.filter(|name| cookie::is_name(name));
    if let (Some(name), None) = (name, valid) {
        reports.error(
            owner,
            format!("{field}.affinityCookieName"),
            Reason::InvalidValue,
            format!("{name:?} can't be a cookie's name, so it is {}", affinity::AZURE_NAME),
            "write letters, digits, '-' and '_'",
        );
    }
    valid
}

fn checked_path<'a>(owner: &ObjectRef, field: &str, path: &'a str, reports: &mut Reports) -> Option<&'a str> {
    if path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '?' | '#')) {
        return Some(path);
    }
    reports.error(
        owner,
        format!("{field}.path"),
        Reason::InvalidValue,
        format!("{path:?} is not a path, so paths stay as they are"),
        "begin it with '/'",
    );
    None
}
