//! What one host of Ingresses, or one ApplicationGateway, comes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{CertificateId, Host, HostPattern, Pool, PoolId, Protocol, Route};
use crate::status::Parts;

use super::report::Reports;

/// Hosts, pools and reports, so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) reports: Reports,
    pub(super) hosts: BTreeMap<(u16, HostPattern), DraftHost>,
    /// Pools of a gateway.
    pub(super) pools: BTreeMap<PoolId, Pool>,
    /// What came of the elements of a gateway.
    pub(super) parts: Parts,
}

/// A host of a port.
#[derive(Debug)]
pub(super) struct DraftHost {
    pub(super) protocol: Protocol,
    pub(super) host: Host,
    /// The certificate of the listener, which comes with the host `Any`.
    pub(super) default: Option<CertificateId>,
}

impl Draft {
    /// Puts the routes of `host` in place, in their order of precedence. That one port has one protocol is `Claims`' to
    /// see to.
    pub(super) fn host(&mut self, port: u16, protocol: Protocol, host: HostPattern, mut routes: Vec<Route>) {
        routes.sort_by(|a, b| a.matches.precedence().cmp(&b.matches.precedence()));
        let mut routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
        // They lie where the routes themselves did.
        routes.shrink_to_fit();
        let made = DraftHost { protocol, host: Host { certificate: None, routes }, default: None };
        self.hosts.entry((port, host)).or_insert(made);
    }

    /// Has a host show a certificate.
    pub(super) fn certify(&mut self, port: u16, host: &HostPattern, id: &CertificateId) {
        let Some(drafted) = self.hosts.get_mut(&(port, host.clone())) else { return };
        let shown = if *host == HostPattern::Any { &mut drafted.default } else { &mut drafted.host.certificate };
        *shown = Some(id.clone());
    }
}
