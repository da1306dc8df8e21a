//! Hosts of which several namespaces have Ingresses: who may serve one, and who is reported.

use super::hosts::IngressHosts;
use super::parsed::ParsedIngress;
use crate::model::{HostPattern, ObjectRef};
use crate::report::Reason;
use crate::translate::claim::{Claims, wider};
use crate::translate::report::Reports;

/// One host, and the claims that say whom it belongs to.
pub(super) struct Tenants<'a> {
    pub(super) claims: &'a Claims<'a>,
    pub(super) hosts: &'a IngressHosts,
    pub(super) host: &'a HostPattern,
}

impl Tenants<'_> {
    /// Whether some Ingress serves the host and may.
    pub(super) fn has_any(&self) -> bool {
        let mut ingresses = self.hosts.ingresses(self.host).iter();
        ingresses.any(|ingress| ingress.serves(self.host) && self.foreign_tenant(ingress).is_none())
    }

    /// Reports Ingresses that may not serve the host, or that share it with another namespace.
    pub(super) fn report(&self, reports: &mut Reports) {
        let host = self.host;
        for ingress in self.hosts.ingresses(host) {
            let Some(field) = ingress.field_of(host).map(|field| field.to_string()) else { continue };
            if let Some(tenant) = self.foreign_tenant(ingress) {
                reports.foreign_tenant(&ingress.owner, &field, host, tenant);
            } else if self.claims.has_shared_hosts()
                && let Some(shares) = self.other_namespace(ingress.owner.namespace())
            {
                reports.warning(
                    &ingress.owner,
                    field,
                    Reason::SharedHost,
                    shares,
                    "nothing, if both namespaces may; else remove it from one of the two, or give hosts to the namespace that \
                     came first (--tenancy strict)",
                );
            }
        }
    }

    /// With whom a namespace shares the host: with another that has it too, or that has a wildcard which covers it.
    fn other_namespace(&self, namespace: &str) -> Option<String> {
        let host = self.host;
        let ingresses = self.hosts.ingresses(host).iter().filter(|ingress| ingress.field_of(host).is_some());
        let mut others = ingresses.filter(|ingress| ingress.owner.namespace() != namespace);
        if let Some(other) = others.next() {
            return Some(format!("{} of another namespace serves paths of host {host} too", other.owner));
        }
        let wildcards = wider(host).filter(|wide| *wide != HostPattern::Any);
        let mut covering = wildcards.filter_map(|wide| Some((self.hosts.first(&wide)?, wide)));
        let (other, wide) = covering.find(|(ingress, _)| ingress.owner.namespace() != namespace)?;
        Some(format!("{} of another namespace serves {wide}, which covers host {host}", other.owner))
    }

    fn foreign_tenant(&self, ingress: &ParsedIngress) -> Option<&ObjectRef> {
        self.claims.foreign_tenant(ingress.owner.namespace(), self.host)
    }
}
