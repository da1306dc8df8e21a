//! The model while it is being made.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Host, HostPattern, Listener, Model, PathMatch, Protocol, Route};

use crate::source::Key;
use crate::status::Served;

use super::Translation;
use super::report::Reports;

/// The model, the reports, and which objects are ours, so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) model: Model,
    pub(super) reports: Reports,
    pub(super) served: Served,
}

impl Draft {
    /// The listener of `port`, made if it is new. That one port has one protocol is `Claims`' to see to.
    pub(super) fn listener(&mut self, port: u16, protocol: Protocol) -> &mut Listener {
        self.model.listeners.entry(port).or_insert_with(|| Listener {
            protocol,
            hosts: Default::default(),
            default_certificate: None,
        })
    }

    /// Puts the routes of `host` in place, in their order of precedence.
    pub(super) fn host(
        &mut self,
        port: u16,
        protocol: Protocol,
        host: HostPattern,
        mut routes: Vec<Route>,
    ) -> &mut Host {
        routes.sort_by(|a, b| precedence(&a.path, &b.path));
        let host = self.listener(port, protocol).hosts.entry(host);
        Arc::make_mut(host.or_insert(Arc::new(Host { certificate: None, routes })))
    }

    /// Ends it.
    pub(super) fn finish(mut self) -> Translation {
        // Certificates are read before it is known who serves what.
        let listeners = self.model.listeners.values();
        let shown = listeners.flat_map(|listener| {
            listener.hosts.values().filter_map(|host| host.certificate.as_ref()).chain(&listener.default_certificate)
        });
        let shown: BTreeSet<_> = shown.cloned().collect();
        let certificates = std::mem::take(&mut self.model.certificates);
        self.model.certificates = certificates.into_iter().filter(|(id, _)| shown.contains(id)).collect();
        let listeners = self.model.listeners.values();
        for route in listeners.flat_map(|listener| listener.hosts.values()).flat_map(|host| &host.routes) {
            let key = Key::new(route.owner.namespace.as_str(), route.owner.name.as_str());
            if route.owner.kind == "Ingress"
                && let Some(has_route) = self.served.ingresses.get_mut(&key)
            {
                *has_route = true;
            }
        }
        Translation { model: self.model, reports: self.reports.into_sorted(), served: self.served }
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
