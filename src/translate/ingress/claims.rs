//! What Ingresses claim, answered from their hosts: port 80 for every host with routes, port 443 for those that are served
//! over TLS.

use crate::model::HostPattern;

use super::hosts::IngressHosts;
use super::parsed::ParsedIngress;
use super::{HTTP, HTTPS};
use crate::translate::claim::{CertifiedHost, Claim, LanguageClaims, PortProtocol, Ports, ingress_form, wider};

impl LanguageClaims for IngressHosts {
    fn ports(&self) -> Vec<PortProtocol> {
        let mut ports = Vec::new();
        ports.extend(self.all().any(|host| self.is_served(host)).then_some(HTTP));
        ports.extend(self.has_tls_requests().then_some(HTTPS));
        ports
    }

    fn first_on_port(&self, at: PortProtocol) -> Option<Claim<'_>> {
        if at != HTTP && at != HTTPS {
            return None;
        }
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
        claimant(self, at, &ingress_form(host)?, tenant).map(claim)
    }

    fn first_to_name(&self, host: &HostPattern) -> Option<Claim<'_>> {
        let host = ingress_form(host)?;
        let wildcards = wider(&host).filter(|wide| *wide != HostPattern::Any);
        let first = |host: HostPattern| self.ingresses(&host).first().map(|ingress| &**ingress);
        std::iter::once(host.clone()).chain(wildcards).filter_map(first).map(claim).min()
    }

    fn certified_claim(&self, port: u16, host: &HostPattern, tenant: Option<&str>) -> Option<Claim<'_>> {
        let tls = self.tls(host).filter(|tls| port == HTTPS.port && tls.certificate.is_some())?;
        let tls = Some(tls).filter(|tls| is_of(tls.ingress, tenant))?;
        Some(claim(tls.ingress))
    }

    fn certified_covers(&self, host: &HostPattern) -> Vec<CertifiedHost> {
        let covering = std::iter::once(host.clone()).chain(wider(host));
        let certified = covering.filter(|host| self.certified_claim(HTTPS.port, host, None).is_some());
        certified.map(|host| CertifiedHost { port: HTTPS.port, host }).collect()
    }
}

/// The Ingress whose claim to a host of a port counts among those of Ingresses.
fn claimant<'h>(
    hosts: &'h IngressHosts,
    at: PortProtocol,
    host: &HostPattern,
    tenant: Option<&str>,
) -> Option<&'h ParsedIngress> {
    match at {
        HTTP => hosts.serving(host).find(|ingress| is_of(ingress, tenant)),
        HTTPS => hosts.tls(host).map(|tls| &**tls.ingress).filter(|ingress| is_of(ingress, tenant)),
        _ => None,
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
