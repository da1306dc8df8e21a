//! Hosts of which several namespaces have Ingresses: who may serve one, and who is reported.

use super::hosts::IngressHosts;
use super::parsed::ParsedIngress;
use crate::model::{HostPattern, ObjectRef};
use crate::report::Reason;
use crate::translate::claim::Claims;
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
        let named = || self.hosts.ingresses(host).iter().filter_map(|ingress| Some((ingress, ingress.field_of(host)?)));
        // The oldest Ingress, and the oldest of another namespace: each other Ingress shares the host with one of the two.
        let oldest = named().next().map(|(ingress, _)| &ingress.owner);
        let other = oldest.and_then(|oldest| {
            named().map(|(ingress, _)| &ingress.owner).find(|owner| owner.namespace() != oldest.namespace())
        });
        for (ingress, field) in named() {
            let (owner, namespace) = (&ingress.owner, ingress.owner.namespace());
            if let Some(tenant) = self.foreign_tenant(ingress) {
                reports.foreign_tenant(owner, &field.to_string(), host, tenant);
                continue;
            }
            if !self.claims.has_shared_hosts() {
                continue;
            }
            let shares = [oldest, other].into_iter().flatten().find(|with| with.namespace() != namespace);
            let shares = shares.map(|with| format!("{with} of another namespace serves paths of host {host} too"));
            if let Some(message) = shares.or_else(|| self.foreign_wildcard(namespace)) {
                reports.warning(
                    owner,
                    field.to_string(),
                    Reason::SharedHost,
                    message,
                    "nothing, if both namespaces may; else remove it from one of the two, or give hosts to the namespace that \
                     came first (--tenancy strict)",
                );
            }
        }
    }

    /// Which wildcard of another namespace covers the host, if one does.
    fn foreign_wildcard(&self, namespace: &str) -> Option<String> {
        let wildcards = self.hosts.wider(self.host).into_iter().filter(|wide| *wide != HostPattern::Any);
        let mut covering = wildcards.filter_map(|wide| Some((&self.hosts.first(&wide)?.owner, wide)));
        let (owner, wide) = covering.find(|(owner, _)| owner.namespace() != namespace)?;
        Some(format!("{owner} of another namespace serves {wide}, which covers host {}", self.host))
    }

    fn foreign_tenant(&self, ingress: &ParsedIngress) -> Option<&ObjectRef> {
        self.claims.foreign_tenant(ingress.owner.namespace(), self.host)
    }
}
