//! Drafts: what translation makes of one host of Ingresses, or of one ApplicationGateway, before `assembly` puts it
//! into the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{CertificateId, Host, HostPattern, Pool, PoolId, Protocol, Route, TlsPolicy};
use crate::status::{ServedElements, ServedListeners};

use super::report::Reports;

/// Hosts, pools and reports of one draft.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) reports: Reports,
    /// Hosts by port and pattern.
    pub(super) hosts: BTreeMap<(u16, HostPattern), DraftHost>,
    /// Pools of an ApplicationGateway. Those of Ingresses are not made host by host.
    pub(super) pools: BTreeMap<PoolId, Pool>,
    /// Which listeners and rules of an ApplicationGateway are served.
    pub(super) parts: ServedElements,
    /// Which listeners of a Gateway are served; `None`: it is another controller's.
    pub(super) listeners: Option<ServedListeners>,
}

/// A host on one port.
#[derive(Debug)]
pub(super) struct DraftHost {
    pub(super) protocol: Protocol,
    pub(super) host: Host,
    /// The default certificate of the listener, which the host `Any` brings.
    pub(super) default_certificate: Option<CertificateId>,
}

impl Draft {
    /// Adds a host with its routes, which are sorted by precedence. A host that is there already stays. It is up to
    /// `claim` that all hosts of a port have one protocol.
    pub(super) fn add_host(&mut self, port: u16, protocol: Protocol, host: HostPattern, mut routes: Vec<Route>) {
        routes.sort_by(|a, b| a.matches.precedence().cmp(&b.matches.precedence()));
        let mut routes: Vec<_> = routes.into_iter().map(Arc::new).collect();
        // `collect` reuses the memory of the routes themselves, which is several times too much.
        routes.shrink_to_fit();
        let draft =
            DraftHost { protocol, host: Host { certificate: None, tls: None, routes }, default_certificate: None };
        self.hosts.entry((port, host)).or_insert(draft);
    }

    /// Sets the certificate that a host shows. For the host `Any` this is the default of the listener.
    pub(super) fn set_certificate(&mut self, port: u16, host: &HostPattern, id: &CertificateId) {
        let Some(draft) = self.hosts.get_mut(&(port, host.clone())) else { return };
        let shown =
            if *host == HostPattern::Any { &mut draft.default_certificate } else { &mut draft.host.certificate };
        *shown = Some(id.clone());
    }

    /// Sets what the connections of a host must be like.
    pub(super) fn set_tls(&mut self, port: u16, host: &HostPattern, policy: Option<&Arc<TlsPolicy>>) {
        if let Some(draft) = self.hosts.get_mut(&(port, host.clone())) {
            draft.host.tls = policy.cloned();
        }
    }
}
