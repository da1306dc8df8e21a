//! Who has which port and which host: the object that came first.
//!
//! A claim is data: a port, its protocol, a host and the object that wants them. This module compares claims. It knows no
//! language: what the objects of a language claim it asks through [`LanguageClaims`], and the crossing of languages is
//! nowhere else. It reads no object and makes no route.

mod age;
mod host;
mod listeners;
mod port;

use super::Tenancy;
use crate::model::{HostPattern, Kind, ObjectRef, Protocol};

pub(super) use age::Age;
pub(super) use host::{covers, equivalents, wider};
pub(super) use listeners::{CertifiedHost, ListenerClaim, ListenerClaims, ObjectClaims};
pub(super) use port::{PortProtocol, Ports};

/// The claim of one object to a port, or to a host of a port. The order is from the oldest to the youngest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim<'a> {
    /// The age of the object.
    pub(super) age: Age<'a>,
    /// Which listener of the object claims; 0 for an object that has none.
    pub(super) listener: usize,
}

impl<'a> Claim<'a> {
    /// The object that claims.
    pub(super) fn owner(&self) -> &'a ObjectRef {
        self.age.object()
    }
}

/// The claims of the objects of one language.
///
/// A language answers from the index that suits it. There may be 100,000 hosts of Ingresses, and what is known of them
/// is not written down a second time for others; a language of listeners, which are few, has a [`ListenerClaims`].
pub(super) trait LanguageClaims {
    /// The ports that its objects take, each once.
    fn ports(&self) -> Vec<PortProtocol>;

    /// The oldest claim to a port for this protocol.
    fn first_on_port(&self, at: PortProtocol) -> Option<Claim<'_>>;

    /// The oldest claim to a host of a port. A claim of an object that could serve counts only where `ports` has the port
    /// for its protocol; and where the host belongs to a namespace, `tenant`, only the claims of that one count.
    fn first_on_host(
        &self,
        at: PortProtocol,
        host: &HostPattern,
        ports: &Ports,
        tenant: Option<&str>,
    ) -> Option<Claim<'_>>;

    /// The oldest claim to a host on any port, or to a wildcard that covers it; but not the claim to all hosts.
    fn first_to_name(&self, host: &HostPattern) -> Option<Claim<'_>>;

    /// The claim to a host of an HTTPS port that brings a certificate that can be used, whether or not others came first.
    /// Only claims of `tenant` count, if there is one.
    fn certified_claim(&self, port: u16, host: &HostPattern, tenant: Option<&str>) -> Option<Claim<'_>>;

    /// The hosts that cover `host`, it itself among them, and for which a claim brings a certificate that can be used,
    /// whether or not others came first.
    fn certified_covers(&self, host: &HostPattern) -> Vec<CertifiedHost>;
}

/// All claims, of all languages.
pub(super) struct Claims<'a> {
    languages: Vec<&'a dyn LanguageClaims>,
    ports: &'a Ports,
    tenancy: Tenancy,
}

impl<'a> Claims<'a> {
    /// The claims of `languages`, where `ports` are decided already.
    pub(super) fn new(languages: Vec<&'a dyn LanguageClaims>, ports: &'a Ports, tenancy: Tenancy) -> Self {
        Self { languages, ports, tenancy }
    }

    /// Whether objects of several namespaces may serve one host.
    pub(super) fn has_shared_hosts(&self) -> bool {
        self.tenancy == Tenancy::Shared
    }

    /// The object whose namespace a host belongs to, where that is another than `namespace`. There is none if hosts are shared.
    pub(super) fn foreign_tenant(&self, namespace: &str, host: &HostPattern) -> Option<&'a ObjectRef> {
        self.tenant(host).filter(|owner| owner.namespace() != namespace)
    }

    /// The object whose namespace a host belongs to: the first to name it, or a wildcard that covers it. There is none if hosts
    /// are shared.
    fn tenant(&self, host: &HostPattern) -> Option<&'a ObjectRef> {
        // The hosts that nobody names are everybody's.
        if self.has_shared_hosts() || *host == HostPattern::Any {
            return None;
        }
        let first = self.languages.iter().filter_map(|language| language.first_to_name(host)).min();
        first.map(|claim| claim.owner())
    }

    /// The object that has the port for another protocol, if one has.
    pub(super) fn winner_of_port(&self, at: PortProtocol) -> Option<&'a ObjectRef> {
        self.ports.winner_over(at)
    }

    /// Whether the port is taken for this protocol.
    pub(super) fn speaks(&self, at: PortProtocol) -> bool {
        self.ports.speaks(at)
    }

    /// The claim that holds a host of a port: the oldest, of those whom the host belongs to.
    pub(super) fn holder(&self, at: PortProtocol, host: &HostPattern) -> Option<Claim<'a>> {
        let tenant = self.tenant(host).map(ObjectRef::namespace);
        self.languages.iter().filter_map(|language| language.first_on_host(at, host, self.ports, tenant)).min()
    }

    /// Whether the claim that holds a host of a port is of an object of this kind.
    pub(super) fn is_held_by(&self, kind: Kind, at: PortProtocol, host: &HostPattern) -> bool {
        self.holder(at, host).is_some_and(|claim| claim.owner().kind == kind)
    }

    /// Whether the claim that holds a host of an HTTPS port brings a certificate that can be used.
    pub(super) fn is_certified(&self, port: u16, host: &HostPattern) -> bool {
        let at = PortProtocol { port, protocol: Protocol::Https };
        let tenant = self.tenant(host).map(ObjectRef::namespace);
        let mut certified = self.languages.iter().filter_map(|language| language.certified_claim(port, host, tenant));
        certified.any(|claim| self.holder(at, host) == Some(claim))
    }

    /// The port on which `host`, or a wider host of the same namespace that covers it, is served over TLS with a certificate: 443
    /// before others, then the lowest.
    pub(super) fn https_port(&self, namespace: &str, host: &HostPattern) -> Option<u16> {
        let certified = self.languages.iter().flat_map(|language| language.certified_covers(host));
        let held = certified.filter(|CertifiedHost { port, host: wide }| {
            let at = PortProtocol { port: *port, protocol: Protocol::Https };
            let owner = || self.holder(at, wide).map(|claim| claim.owner());
            self.is_certified(*port, wide)
                && (equivalents(wide).any(|form| form == *host)
                    || owner().is_some_and(|owner| owner.namespace() == namespace))
        });
        held.map(|certified| certified.port).min_by_key(|port| (*port != 443, *port))
    }
}
