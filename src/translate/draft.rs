//! What one host of Ingresses, or one ApplicationGateway, comes to.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{CertificateId, Host, HostPattern, PathMatch, Pool, PoolId, Protocol, Route};
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
        routes.sort_by(|a, b| precedence(&a.path, &b.path));
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

/// The order of routes within a host: `Exact`, then `Prefix` from the longest, then patterns as they stand, then `Any`.
fn precedence(a: &PathMatch, b: &PathMatch) -> Ordering {
    use PathMatch::{Any, Exact, PatternExact, PatternPrefix, Prefix};
    let rank = |path: &PathMatch| match path {
        Exact(_) => 0,
        Prefix(_) => 1,
        PatternExact(_) | PatternPrefix(_) => 2,
        Any => 3,
    };
    match (a, b) {
        (Exact(a), Exact(b)) => a.cmp(b),
        (Prefix(a), Prefix(b)) => (Reverse(a.len()), a).cmp(&(Reverse(b.len()), b)),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_then_the_longest_prefix_then_patterns_as_listed_then_any() {
        let path = |path: Result<PathMatch, _>| path.expect("valid");
        let expected = [
            path(PathMatch::exact("/b")),
            path(PathMatch::exact("/long/exact")),
            path(PathMatch::prefix("/long/prefix")),
            path(PathMatch::prefix("/a")),
            path(PathMatch::prefix("/z")),
            path(PathMatch::prefix("/")),
            path(PathMatch::pattern("/z*")),
            path(PathMatch::pattern("/a")),
            PathMatch::Any,
        ];
        let mut paths = expected.clone();
        paths[..6].reverse();
        paths.rotate_right(3);
        paths.sort_by(precedence);
        assert_eq!(paths, expected);
    }
}
