//! What Ingresses claim, answered from their hosts: the ports in clear text for every host with routes, the others for those that are
//! served over TLS.

use crate::model::{HostPattern, Protocol};

use super::hosts::IngressHosts;
use super::parsed::ParsedIngress;
use crate::translate::claim::{CertifiedHost, Claim, LanguageClaims, PortProtocol, Ports, equivalents};

impl LanguageClaims for IngressHosts {
    fn ports(&self) -> Vec<PortProtocol> {
        self.ports().collect()
    }

    fn first_on_port(&self, at: PortProtocol) -> Option<Claim<'_>> {
        self.all().filter_map(|host| claimant(self, at, host, None)).map(claim).min()
    }

    fn first_on_host(
        &self,
        at: PortProtocol,
        host: &HostPattern,
        ports: &Ports,
        tenant: Option<&str>,
    ) -> Option<Claim<'_>> {
        if !ports.speaks(at) {
            return None;
        }
        equivalents(host).filter_map(|host| claimant(self, at, &host, tenant)).map(claim).min()
    }

    fn first_to_name(&self, host: &HostPattern) -> Option<Claim<'_>> {
        let wildcards = |host: &HostPattern| self.wider(host).into_iter().filter(|wide| *wide != HostPattern::Any);
        let covering = equivalents(host).flat_map(|host| wildcards(&host).chain([host]));
        let first = |host: HostPattern| self.ingresses(&host).first().map(|ingress| &**ingress);
        covering.filter_map(first).map(claim).min()
    }

    fn certified_claim(&self, port: u16, host: &HostPattern, tenant: Option<&str>) -> Option<Claim<'_>> {
        let tls = self.tls(host, port).filter(|tls| tls.certificate.is_some() && is_of(tls.ingress, tenant))?;
        Some(claim(tls.ingress))
    }

    fn certified_covers(&self, host: &HostPattern) -> Vec<CertifiedHost> {
        let covering: Vec<HostPattern> = self.wider(host).into_iter().chain([host.clone()]).collect();
        let secure = self.ports().filter(|at| at.protocol == Protocol::Https);
        let on_port = |at: PortProtocol| {
            let certified = covering.iter().filter(move |host| self.certified_claim(at.port, host, None).is_some());
            certified.map(move |host| CertifiedHost { port: at.port, host: host.clone() })
        };
        secure.flat_map(on_port).collect()
    }
}

/// The Ingress whose claim to a host of a port counts among those of Ingresses.
fn claimant<'h>(
    hosts: &'h IngressHosts,
    at: PortProtocol,
    host: &HostPattern,
    tenant: Option<&str>,
) -> Option<&'h ParsedIngress> {
    match at.protocol {
        Protocol::Http => hosts.serving(host, at).find(|ingress| is_of(ingress, tenant)),
        Protocol::Https => hosts.tls(host, at.port).map(|tls| &**tls.ingress).filter(|ingress| is_of(ingress, tenant)),
        Protocol::Tcp | Protocol::Tls => None,
    }
}

/// Whether an Ingress is of a namespace. `None`: of any.
fn is_of(ingress: &ParsedIngress, namespace: Option<&str>) -> bool {
    namespace.is_none_or(|namespace| ingress.owner.namespace() == namespace)
}

/// An Ingress has no listeners: its claims are those of listener 0.
fn claim(ingress: &ParsedIngress) -> Claim<'_> {
    Claim { age: ingress.age(), listener: 0 }
}
