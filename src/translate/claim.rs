//! Who has which port and host: whoever came first.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use crate::model::{HostPattern, ObjectRef, Protocol};

/// When an object came: its creation, those without one last; then kind, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age<'a> {
    undated: bool,
    created: Option<&'a Time>,
    object: &'a ObjectRef,
}

impl<'a> Age<'a> {
    /// The age of `object`.
    pub(super) fn of(metadata: &'a ObjectMeta, object: &'a ObjectRef) -> Self {
        let created = metadata.creation_timestamp.as_ref();
        Self { undated: created.is_none(), created, object }
    }
}

/// Who serves a host of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// Every Ingress that names it, together.
    Ingresses,
    /// One listener of one ApplicationGateway, by their indices.
    Listener(usize, usize),
}

/// Ports and hosts that are taken.
#[derive(Debug, Default)]
pub(super) struct Claims {
    ports: BTreeMap<u16, (Protocol, ObjectRef)>,
    hosts: BTreeMap<(u16, Protocol, HostPattern), (Holder, ObjectRef)>,
    /// Hosts of ports that have a certificate of their own.
    certified: BTreeSet<(u16, HostPattern)>,
}

/// What a host is claimed under. `*.example.com` is one host, whether an Ingress writes it (one label) or a gateway
/// (any number): in tables the narrower would take the requests of the wider.
fn key(host: &HostPattern) -> HostPattern {
    let HostPattern::SingleLabel(parent) = host else { return host.clone() };
    HostPattern::Glob(format!("*.{parent}"))
}

impl Claims {
    /// Takes `port` for `protocol`, or names the object that has it for the other protocol.
    pub(super) fn port(&mut self, port: u16, protocol: Protocol, owner: &ObjectRef) -> Result<(), ObjectRef> {
        let (held, holder) = self.ports.entry(port).or_insert_with(|| (protocol, owner.clone()));
        if *held == protocol { Ok(()) } else { Err(holder.clone()) }
    }

    /// Whether `port` is taken for `protocol`.
    pub(super) fn speaks(&self, port: u16, protocol: Protocol) -> bool {
        self.ports.get(&port).is_some_and(|(held, _)| *held == protocol)
    }

    /// Takes a host of a port, or names the object that has it. It counts where the port speaks `protocol`.
    pub(super) fn host(
        &mut self,
        port: u16,
        protocol: Protocol,
        host: &HostPattern,
        holder: Holder,
        owner: &ObjectRef,
    ) -> Result<(), ObjectRef> {
        let entry = self.hosts.entry((port, protocol, key(host))).or_insert_with(|| (holder.clone(), owner.clone()));
        let (held, first) = entry;
        if *held == holder { Ok(()) } else { Err(first.clone()) }
    }

    /// Whether `holder` serves this host of this port.
    pub(super) fn holds(&self, port: u16, protocol: Protocol, host: &HostPattern, holder: &Holder) -> bool {
        self.hosts.get(&(port, protocol, key(host))).is_some_and(|(held, _)| held == holder)
    }

    /// Whether anyone serves this host of this port.
    pub(super) fn is_held(&self, port: u16, protocol: Protocol, host: &HostPattern) -> bool {
        self.hosts.contains_key(&(port, protocol, key(host)))
    }

    /// Notes that a host, which has been taken, has a certificate.
    pub(super) fn certify(&mut self, port: u16, host: &HostPattern) {
        self.certified.insert((port, host.clone()));
    }

    /// Whether a host of a port has a certificate.
    pub(super) fn is_certified(&self, port: u16, host: &HostPattern) -> bool {
        self.certified.contains(&(port, host.clone()))
    }

    /// The port on which `host` is served over TLS with a certificate, if any: 443 before others.
    pub(super) fn https_port(&self, host: &HostPattern) -> Option<u16> {
        let ports = self.certified.iter().filter(|(_, held)| covers(held, host)).map(|(port, _)| *port);
        ports.min_by_key(|port| (*port != 443, *port))
    }
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

    #[test]
    fn the_first_has_the_port_and_the_host() {
        let [first, second] = ["a", "b"].map(|name| ObjectRef::new("Ingress", "default", name));
        let mut claims = Claims::default();
        assert_eq!(claims.port(80, Protocol::Http, &first), Ok(()));
        assert_eq!(claims.port(80, Protocol::Http, &second), Ok(()));
        assert_eq!(claims.port(80, Protocol::Https, &second), Err(first.clone()));
        assert_eq!(claims.host(80, Protocol::Http, &HostPattern::Any, Holder::Ingresses, &first), Ok(()));
        assert_eq!(claims.host(80, Protocol::Http, &HostPattern::Any, Holder::Ingresses, &second), Ok(()));
        assert_eq!(claims.host(80, Protocol::Http, &HostPattern::Any, Holder::Listener(0, 0), &second), Err(first));
    }
}
