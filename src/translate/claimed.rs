//! The hosts of a listener, of HTTP or of streams, as claims: which of them it holds, and what is reported of the others. What the
//! languages of listeners share.

use crate::model::{HostPattern, ObjectRef};
use crate::report::Reason;

use super::claim::{Claims, PortProtocol};
use super::report::Reports;

/// A listener as it claims its port and hosts.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClaimedListener<'l> {
    pub(super) owner: &'l ObjectRef,
    /// Its number among the claims of the gateway.
    pub(super) index: usize,
    /// Its field path.
    pub(super) field: &'l str,
    pub(super) at: PortProtocol,
    /// Its hosts, each with the field that names it.
    pub(super) hosts: &'l [(HostPattern, String)],
    /// Whether it can serve anything.
    pub(super) serves: bool,
}

impl<'l> ClaimedListener<'l> {
    /// Those of its hosts that it holds.
    pub(super) fn held(self, claims: &Claims<'_>) -> Vec<&'l HostPattern> {
        let holds = |host: &&HostPattern| {
            claims.foreign_tenant(self.owner.namespace(), host).is_none()
                && claims
                    .holder(self.at, host)
                    .is_some_and(|claim| claim.owner() == self.owner && claim.listener == self.index)
        };
        self.hosts.iter().map(|(host, _)| host).filter(holds).collect()
    }

    /// Reports the port and the hosts that others had first.
    pub(super) fn report_lost(self, claims: &Claims<'_>, reports: &mut Reports) {
        let Self { owner, index, field, at, hosts, serves } = self;
        let port = at.port;
        if serves && let Some(winner) = claims.winner_of_port(at) {
            let winner = call(owner, winner);
            reports.error(
                owner,
                format!("{field}.protocol"),
                Reason::Conflict,
                format!("{winner} has port {port} for another protocol, so the listener is not served"),
                "give one of the two another port",
            );
            return;
        }
        for (host, field) in hosts {
            if let Some(tenant) = claims.foreign_tenant(owner.namespace(), host) {
                reports.foreign_tenant(owner, field, host, tenant);
                continue;
            }
            let holder = claims.holder(at, host);
            let winner = holder.filter(|claim| claim.owner() != owner || claim.listener != index);
            if let Some(winner) = winner {
                let winner = call(owner, winner.owner());
                reports.error(
                    owner,
                    field,
                    Reason::Conflict,
                    format!("{winner} already serves host {host} on port {port}, so this listener does not"),
                    "remove the host from one of the two",
                );
            }
        }
    }
}

/// How a report on a gateway calls the object that came first.
fn call(owner: &ObjectRef, winner: &ObjectRef) -> String {
    if winner == owner { "another listener of this gateway".to_owned() } else { winner.to_string() }
}
