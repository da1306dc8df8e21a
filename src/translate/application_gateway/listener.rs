//! `httpListeners`, read: ports, protocols, hosts, and the certificates of their Secrets.

use std::ops::RangeInclusive;

use crate::api::application_gateway::{CustomErrorConfiguration, HttpListener, Protocol as Spoken, Reference};
use crate::model::{CertificateId, HostPattern, Kind, ObjectRef, Protocol};
use crate::report::Reason;

use super::element::{Element, Elements, in_range};
use super::guard::{self, Guarded, ListenerGuards};
use super::reference;
use super::ssl_profile::Profiles;
use crate::translate::claim::PortProtocol;
use crate::translate::lookup::Lookup;
use crate::translate::report::{Fault, Reports};

/// A listener that has a port and a host, at the least.
#[derive(Debug)]
pub(super) struct ParsedListener<'a> {
    listener: &'a HttpListener,
    /// Its field path.
    pub(super) field: String,
    pub(super) at: PortProtocol,
    /// Its hosts, each with the field that names it.
    pub(super) hosts: Vec<(HostPattern, String)>,
    /// Its certificate, if one can be used.
    pub(super) certificate: Option<CertificateId>,
    /// Whether its requests may be served, and what its connections must be like.
    pub(super) guarded: Guarded,
}

/// How many hosts one listener may name (ARM's limit).
const MAX_HOSTS: usize = 5;

/// The numbers that a frontend port may have.
pub(super) const FRONTEND_PORTS: RangeInclusive<i32> = 1..=64999;

impl ParsedListener<'_> {
    pub(super) fn name(&self) -> &str {
        &self.listener.name
    }

    /// The pages that it has of its own, as they are written.
    pub(super) fn error_pages(&self) -> &[CustomErrorConfiguration] {
        &self.listener.custom_error_configurations
    }

    /// Whether it speaks HTTPS, but has no certificate that can be used.
    pub(super) fn lacks_certificate(&self) -> bool {
        self.at.protocol == Protocol::Https && self.certificate.is_none()
    }
}

/// Reads the listeners, in the order listed.
pub(super) fn read<'a>(
    owner: &ObjectRef,
    elements: &Elements<'a>,
    profiles: &Profiles<'a>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Vec<ParsedListener<'a>> {
    for Element { field, value } in elements.ports.iter() {
        let range = (*FRONTEND_PORTS.start(), *FRONTEND_PORTS.end());
        let _reported: Option<u16> = in_range(owner, format!("{field}.port"), value.port, range, reports);
    }
    let listeners = elements.listeners.iter();
    listeners.filter_map(|element| read_one(owner, elements, profiles, element, lookup, reports)).collect()
}

fn read_one<'a>(
    owner: &ObjectRef,
    elements: &Elements<'a>,
    profiles: &Profiles<'a>,
    Element { field, value: listener }: Element<'a, HttpListener>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<ParsedListener<'a>> {
    let port = port(owner, elements, &listener.frontend_port, &format!("{field}.frontendPort"), reports)?;
    let hosts = hosts(owner, &field, listener.host_name.as_ref(), &listener.host_names, reports);
    if hosts.is_empty() {
        return None;
    }
    let (protocol, certificate) = match listener.protocol {
        Spoken::Http => {
            if listener.ssl_certificate.is_some() {
                reports.warning(
                    owner,
                    format!("{field}.sslCertificate"),
                    Reason::InvalidValue,
                    "a listener of protocol Http has no use for a certificate, and serves clear text",
                    "remove it, or write protocol Https",
                );
            }
            (Protocol::Http, None)
        }
        Spoken::Https => (Protocol::Https, own_certificate(owner, elements, &field, listener, lookup, reports)),
    };
    guard::report_listener(owner, &field, listener, reports);
    let guards = ListenerGuards {
        terminates_tls: protocol == Protocol::Https,
        requires_server_name: listener.require_server_name_indication == Some(true),
        ssl_profile: listener.ssl_profile.as_ref(),
        frontend_ip_configuration: listener.frontend_ip_configuration.as_ref(),
    };
    let guarded = guard::of_guards(owner, elements, profiles, &field, guards, lookup, reports);
    Some(ParsedListener { listener, field, at: PortProtocol { port, protocol }, hosts, certificate, guarded })
}

/// The number of the frontend port that a listener names.
pub(super) fn port(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    reference: &Reference,
    field: &str,
    reports: &mut Reports,
) -> Option<u16> {
    let port = elements.ports.find(owner, reference, field, reports).ok()?;
    // A port out of range has been reported where it stands.
    u16::try_from(port.value.port).ok().filter(|port| FRONTEND_PORTS.contains(&i32::from(*port)))
}

fn own_certificate(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    field: &str,
    listener: &HttpListener,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<CertificateId> {
    let field = format!("{field}.sslCertificate");
    let Some(reference) = &listener.ssl_certificate else {
        reports.error(
            owner,
            field,
            Reason::InvalidValue,
            "a listener of protocol Https needs a certificate, and has none",
            "name an element of spec.sslCertificates",
        );
        return None;
    };
    certificate(owner, elements, &field, reference, lookup, reports)
}

/// The certificate that a listener names, if it can be used.
pub(super) fn certificate(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    field: &str,
    reference: &Reference,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<CertificateId> {
    let Element { field, value } = elements.certificates.find(owner, reference, field, reports).ok()?;
    let field = format!("{field}.secretRef");
    let read = reference::config(lookup.snapshot, owner, Kind::Secret, &value.secret_ref)
        .and_then(|secret| lookup.certificate(secret.namespace(), secret.name()).map_err(Fault::of_name));
    read.map_err(|fault| reports.fault(owner, &field, &fault)).ok()
}

/// The hosts of a listener. There are none if it names hosts of which none is valid: it does not serve every host then.
pub(super) fn hosts(
    owner: &ObjectRef,
    field: &str,
    host_name: Option<&String>,
    host_names: &[String],
    reports: &mut Reports,
) -> Vec<(HostPattern, String)> {
    if host_name.is_some() && !host_names.is_empty() {
        reports.error(
            owner,
            format!("{field}.hostName"),
            Reason::InvalidValue,
            "hostName and hostNames can't stand together, so the listener is not served",
            "list every host in hostNames",
        );
        return Vec::new();
    }
    let named = host_name.into_iter().map(|text| (text, format!("{field}.hostName")));
    let listed = host_names.iter().enumerate().map(|(index, text)| (text, format!("{field}.hostNames[{index}]")));
    let texts: Vec<_> = named.chain(listed).collect();
    if texts.is_empty() {
        return vec![(HostPattern::Any, field.to_owned())];
    }
    let mut hosts: Vec<(HostPattern, String)> = Vec::new();
    for (index, (text, field)) in texts.into_iter().enumerate() {
        if index >= MAX_HOSTS {
            reports.error(
                owner,
                field,
                Reason::InvalidValue,
                format!("a listener has at most {MAX_HOSTS} hosts, so {text:?} is left out"),
                "add a listener for it",
            );
            continue;
        }
        match HostPattern::gateway(text) {
            Ok(host) if hosts.iter().any(|(known, _)| *known == host) => {}
            Ok(host) => hosts.push((host, field)),
            Err(error) => reports.error(
                owner,
                field,
                Reason::InvalidValue,
                format!("{text:?} is not a host, so it is left out: {error}"),
                "correct the host",
            ),
        }
    }
    hosts
}
