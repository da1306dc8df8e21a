//! `listeners`, read: ports, protocols, server names, and what becomes of the clients' TLS.

use crate::api::application_gateway::{StreamListener, StreamProtocol};
use crate::model::{CertificateId, HostPattern, ObjectRef, Protocol, TlsMode};
use crate::report::Reason;

use super::super::element::{Element, Elements};
use super::super::guard::{self, Guarded, ListenerGuards};
use super::super::listener;
use super::super::ssl_profile::Profiles;
use crate::translate::claim::PortProtocol;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// A listener that has a port and a host, at the least.
#[derive(Debug)]
pub(super) struct ParsedStreamListener<'a> {
    listener: &'a StreamListener,
    /// Its field path.
    pub(super) field: String,
    pub(super) at: PortProtocol,
    /// Its hosts, each with the field that names it. In clear text: that of the port.
    pub(super) hosts: Vec<(HostPattern, String)>,
    pub(super) tls: Option<TlsMode>,
    /// Its certificate, if it has one that can be used.
    pub(super) certificate: Option<CertificateId>,
    /// Whether its connections may be served, and what they must be like.
    pub(super) guarded: Guarded,
}

impl ParsedStreamListener<'_> {
    pub(super) fn name(&self) -> &str {
        &self.listener.name
    }

    /// Whether it is to terminate TLS, but has no certificate that can be used. It passes nothing through then.
    pub(super) fn lacks_certificate(&self) -> bool {
        self.tls == Some(TlsMode::Terminate) && self.certificate.is_none()
    }
}

/// Reads the listeners, in the order listed.
pub(super) fn read<'a>(
    owner: &ObjectRef,
    elements: &Elements<'a>,
    profiles: &Profiles<'a>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Vec<ParsedStreamListener<'a>> {
    let listeners = elements.stream_listeners.iter();
    listeners.filter_map(|element| read_one(owner, elements, profiles, element, lookup, reports)).collect()
}

fn read_one<'a>(
    owner: &ObjectRef,
    elements: &Elements<'a>,
    profiles: &Profiles<'a>,
    Element { field, value }: Element<'a, StreamListener>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<ParsedStreamListener<'a>> {
    let StreamListener {
        name: _,
        frontend_ip_configuration,
        frontend_port,
        protocol,
        host_names,
        ssl_certificate,
        ssl_profile,
    } = value;
    let port = listener::port(owner, elements, frontend_port, &format!("{field}.frontendPort"), reports)?;
    let (protocol, hosts, tls, certificate) = match protocol {
        StreamProtocol::Tcp => {
            if !host_names.is_empty() {
                reports.error(
                    owner,
                    format!("{field}.hostNames"),
                    Reason::InvalidValue,
                    "clients name no host without TLS, so the listener is not served",
                    "remove the names, or write protocol Tls",
                );
                return None;
            }
            if ssl_certificate.is_some() {
                reports.warning(
                    owner,
                    format!("{field}.sslCertificate"),
                    Reason::InvalidValue,
                    "a listener of protocol Tcp has no use for a certificate, and passes on clear text",
                    "remove it, or write protocol Tls",
                );
            }
            (Protocol::Tcp, vec![(HostPattern::of_port(port), field.clone())], None, None)
        }
        StreamProtocol::Tls => {
            let hosts = listener::hosts(owner, &field, None, host_names, reports);
            let certificate = ssl_certificate.as_ref().and_then(|reference| {
                listener::certificate(owner, elements, &format!("{field}.sslCertificate"), reference, lookup, reports)
            });
            let mode = if ssl_certificate.is_some() { TlsMode::Terminate } else { TlsMode::Passthrough };
            (Protocol::Tls, hosts, Some(mode), certificate)
        }
    };
    if hosts.is_empty() {
        return None;
    }
    let guards = ListenerGuards {
        terminates_tls: tls == Some(TlsMode::Terminate),
        requires_server_name: false,
        ssl_profile: ssl_profile.as_ref(),
        frontend_ip_configuration: frontend_ip_configuration.as_ref(),
    };
    let guarded = guard::of_guards(owner, elements, profiles, &field, guards, lookup, reports);
    let at = PortProtocol { port, protocol };
    Some(ParsedStreamListener { listener: value, field, at, hosts, tls, certificate, guarded })
}
