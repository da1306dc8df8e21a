//! Who has which port and host: whoever came first.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::model::{HostPattern, ObjectRef, Protocol};

use super::application_gateway::Frontends;
use super::ingress::{HTTP, HTTPS, Hosts, ParsedIngress};

/// When an object came: its creation, those without one last; then kind, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age<'a> {
    undated: bool,
    created: Option<&'a Time>,
    object: &'a ObjectRef,
}

impl<'a> Age<'a> {
    /// The age of `object`.
    pub(super) fn of(created: Option<&'a Time>, object: &'a ObjectRef) -> Self {
        Self { undated: created.is_none(), created, object }
    }

    /// The object itself.
    pub(super) fn object(&self) -> &'a ObjectRef {
        self.object
    }
}

/// Who serves a host of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    /// Every Ingress that names it, together; this one came first.
    Ingresses(&'a ObjectRef),
    /// A listener of an ApplicationGateway, by its place there.
    Listener(&'a ObjectRef, usize),
}

impl<'a> Holder<'a> {
    /// The object that came first.
    pub(super) fn owner(self) -> &'a ObjectRef {
        match self {
            Self::Ingresses(owner) | Self::Listener(owner, _) => owner,
        }
    }
}

/// The protocol of each port that is taken, and who came first to it.
pub(super) type Ports = BTreeMap<u16, (Protocol, ObjectRef)>;

/// Ports and hosts that are taken: found out for each that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claims<'a> {
    pub(super) hosts: &'a Hosts,
    pub(super) frontends: &'a Frontends,
    pub(super) ports: &'a Ports,
}

/// What a host is claimed under. `*.example.com` is one host, whether an Ingress writes it (one label) or a gateway
/// (any number): in tables the narrower would take the requests of the wider.
pub(super) fn key(host: &HostPattern) -> HostPattern {
    let HostPattern::SingleLabel(parent) = host else { return host.clone() };
    HostPattern::Glob(format!("*.{parent}").into())
}

/// The same host as an Ingress writes it, if one can.
pub(super) fn of_ingress(host: &HostPattern) -> Option<HostPattern> {
    let HostPattern::Glob(text) = host else { return Some(host.clone()) };
    let parent = text.strip_prefix("*.").filter(|parent| !parent.contains(['*', '?']))?;
    Some(HostPattern::SingleLabel(parent.into()))
}

impl<'a> Claims<'a> {
    /// Who has `port` for another protocol than `protocol`.
    pub(super) fn other_protocol(&self, port: u16, protocol: Protocol) -> Option<&'a ObjectRef> {
        self.ports.get(&port).filter(|(held, _)| *held != protocol).map(|(_, owner)| owner)
    }

    /// Whether `port` is taken for `protocol`.
    pub(super) fn speaks(&self, port: u16, protocol: Protocol) -> bool {
        self.ports.get(&port).is_some_and(|(held, _)| *held == protocol)
    }

    /// Who serves this host of this port: whoever came first. It counts where the port speaks `protocol`.
    pub(super) fn holder(&self, port: u16, protocol: Protocol, host: &HostPattern) -> Option<Holder<'a>> {
        let ingress = self.first_ingress(port, protocol, host);
        let frontend = self.frontends.first(port, protocol, host);
        match (ingress, frontend) {
            (Some(ingress), Some((gateway, _))) if ingress.age() < gateway.age() => {
                Some(Holder::Ingresses(&ingress.owner))
            }
            (_, Some((gateway, place))) => Some(Holder::Listener(&gateway.owner, place)),
            (Some(ingress), None) => Some(Holder::Ingresses(&ingress.owner)),
            (None, None) => None,
        }
    }

    /// The Ingress that came first to this host of this port.
    fn first_ingress(&self, port: u16, protocol: Protocol, host: &HostPattern) -> Option<&'a ParsedIngress> {
        if !self.speaks(port, protocol) {
            return None;
        }
        let host = of_ingress(host)?;
        match (port, protocol) {
            (HTTP, Protocol::Http) => self.hosts.first(&host),
            (HTTPS, Protocol::Https) => self.hosts.tls(&host).map(|tls| &**tls.ingress),
            _ => None,
        }
    }

    /// Whether the Ingresses serve this host of this port.
    pub(super) fn ingresses_hold(&self, port: u16, protocol: Protocol, host: &HostPattern) -> bool {
        matches!(self.holder(port, protocol, host), Some(Holder::Ingresses(_)))
    }

    /// Whether a host of a port has a certificate.
    pub(super) fn is_certified(&self, port: u16, host: &HostPattern) -> bool {
        let by_ingress = || {
            port == HTTPS
                && self.hosts.tls(host).is_some_and(|tls| tls.certificate.is_some())
                && self.ingresses_hold(port, Protocol::Https, host)
        };
        self.frontends.is_certified(port, host) || by_ingress()
    }

    /// The port on which `host` is served over TLS with a certificate, if any: 443 before others.
    pub(super) fn https_port(&self, host: &HostPattern) -> Option<u16> {
        let wider = Some(host.clone()).into_iter().chain(wider(host));
        if wider.into_iter().any(|wide| self.is_certified(HTTPS, &wide)) {
            return Some(HTTPS);
        }
        self.frontends.certified_ports(host).min_by_key(|port| (*port != HTTPS, *port))
    }
}

/// The other hosts of Ingresses that match whatever `host` matches, in the order of their precedence.
pub(super) fn wider(host: &HostPattern) -> impl Iterator<Item = HostPattern> {
    let parent = match host {
        HostPattern::Exact(name) => name.split_once('.').map(|(_, parent)| HostPattern::SingleLabel(parent.into())),
        _ => None,
    };
    parent.into_iter().chain((*host != HostPattern::Any).then_some(HostPattern::Any))
}

/// Whether every host that `narrow` means is one that `wide` means.
pub(super) fn covers(wide: &HostPattern, narrow: &HostPattern) -> bool {
    match (wide, narrow) {
        (HostPattern::Any, _) => true,
        (wide, HostPattern::Exact(name)) => wide.matches(name),
        // A label in place of `*` has no character that a name could not have.
        (HostPattern::Glob(_), HostPattern::SingleLabel(parent)) => {
            wide == narrow || wide.to_string() == format!("*.{parent}")
        }
        (wide, narrow) => wide == narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wider_hosts_of_ingresses_are_those_that_cover() {
        let ingress = |text| HostPattern::ingress(text).expect("valid");
        let all = ["", "*.example", "*.a.example", "b.a.example", "a.example"].map(ingress);
        for host in &all {
            let wider: Vec<_> = wider(host).collect();
            assert!(wider.is_sorted_by_key(HostPattern::precedence), "{wider:?}");
            for wide in all.iter().filter(|wide| *wide != host) {
                assert_eq!(covers(wide, host), wider.contains(wide), "{wide} {host}");
            }
        }
    }

    #[test]
    fn a_wide_host_covers_the_narrow_ones_within() {
        let ingress = |text| HostPattern::ingress(text).expect("valid");
        let gateway = |text| HostPattern::gateway(text).expect("valid");
        for (wide, narrow, expected) in [
            (ingress(""), ingress("*.a.example"), true),
            (ingress("*.a.example"), ingress("b.a.example"), true),
            (ingress("*.a.example"), ingress("c.b.a.example"), false),
            (ingress("*.a.example"), ingress(""), false),
            (ingress("b.a.example"), ingress("*.a.example"), false),
            (gateway("*.a.example"), ingress("*.a.example"), true),
            (gateway("*.a.example"), ingress("c.b.a.example"), true),
            (gateway("shop?.a.example"), ingress("*.a.example"), false),
        ] {
            assert_eq!(covers(&wide, &narrow), expected, "{wide} {narrow}");
        }
    }
}
