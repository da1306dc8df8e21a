//! What narrow hosts depend on of the wildcard hosts that cover them.
//!
//! For example `a.example.com` may be served over TLS since `*.example.com` is in some `spec.tls`. It is built again when
//! the state of that wildcard changes, and not whenever the wildcard is built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{HostPattern, Kind, ObjectRef, Protocol};

use super::Ingresses;
use super::host_tls::TlsRequest;
use super::tls_policy::AskedTls;
use crate::translate::claim::{Claims, PortProtocol, covers};
use crate::translate::draft::DraftHost;

/// The state of each wildcard host as the narrower hosts were built with it; those in the default state are left out.
#[derive(Debug, Default)]
pub(super) struct WildcardHosts(BTreeMap<HostPattern, WildcardState>);

/// What narrower hosts depend on of one wildcard host. Whether it has a certificate follows from it, but for the
/// certificate of another language, of which all hosts that it covers take notice anyway.
#[derive(Debug, Default, PartialEq)]
pub(super) struct WildcardState {
    tls_requests: Box<[TlsRequest]>,
    /// What the Ingress of each request asks of connections.
    tls: Box<[Option<AskedTls>]>,
    /// The ports at which it has routes of its own.
    served: BTreeSet<PortProtocol>,
    /// The oldest Ingress that serves it.
    first: Option<Arc<ObjectRef>>,
    /// The ports at which the claim of the Ingresses holds it.
    held: BTreeSet<PortProtocol>,
}

impl WildcardState {
    /// The state in which the claims of Ingresses hold a host at the ports that `holds` accepts.
    fn of(host: &HostPattern, ingresses: &Ingresses, holds: impl Fn(PortProtocol) -> bool) -> Self {
        let all = &ingresses.hosts;
        let frontends = all.frontends(host);
        let tls_requests = all.tls_requests(host);
        let asked = |request: &TlsRequest| Some(ingresses.policies(request.tls().ingress)?.tls.clone());
        Self {
            tls_requests: tls_requests.into(),
            tls: tls_requests.iter().map(asked).collect(),
            served: frontends.iter().copied().filter(|at| all.is_served(host, *at)).collect(),
            first: all.first(host).map(|ingress| Arc::clone(&ingress.owner)),
            held: frontends.into_iter().filter(|at| holds(*at)).collect(),
        }
    }

    /// The state in which a host has been built.
    pub(super) fn built(
        host: &HostPattern,
        built: &BTreeMap<(u16, HostPattern), DraftHost>,
        ingresses: &Ingresses,
    ) -> Self {
        // A host that is not served itself may be on a port in clear text to be redirected.
        Self::of(host, ingresses, |at| {
            built.contains_key(&(at.port, host.clone()))
                && (at.protocol == Protocol::Https || ingresses.hosts.is_served(host, at))
        })
    }
}

impl WildcardHosts {
    /// The hosts that have to be built again since wildcards among `hosts` are built with another state than before.
    pub(super) fn dependents(
        &self,
        hosts: &BTreeSet<HostPattern>,
        ingresses: &Ingresses,
        claims: &Claims<'_>,
    ) -> BTreeSet<HostPattern> {
        let all = &ingresses.hosts;
        let wildcards = hosts.iter().filter(|host| is_wildcard(host));
        let mut dependents = BTreeSet::new();
        if wildcards.clone().next().is_none() {
            return dependents;
        }
        let changed: BTreeSet<&HostPattern> =
            wildcards.filter(|host| self.has_changed(host, ingresses, claims)).collect();
        if changed.contains(&HostPattern::Any) {
            dependents.extend(all.all().cloned());
        } else if !changed.is_empty() {
            let parents = changed.iter().filter_map(|host| match host {
                HostPattern::SingleLabel(parent) => Some(&**parent),
                _ => None,
            });
            let parents: BTreeSet<&str> = parents.collect();
            let globs: Vec<&HostPattern> =
                changed.iter().copied().filter(|host| matches!(host, HostPattern::Glob(_))).collect();
            let is_below =
                |host: &&HostPattern| is_below(host, &parents) || globs.iter().any(|glob| covers(glob, host));
            dependents.extend(all.all().filter(is_below).cloned());
        }
        // A host without routes of its own is served by the routes of the wildcard.
        let borrowing = all.borrowing().filter(|host| all.wider(host).iter().any(|wide| hosts.contains(wide)));
        dependents.extend(borrowing.cloned());
        dependents
    }

    fn has_changed(&self, host: &HostPattern, ingresses: &Ingresses, claims: &Claims<'_>) -> bool {
        let now = WildcardState::of(host, ingresses, |at| claims.is_held_by(Kind::Ingress, at, host));
        now != *self.0.get(host).unwrap_or(&WildcardState::default())
    }

    /// Records the state in which a wildcard is built.
    pub(super) fn record(&mut self, host: &HostPattern, state: WildcardState) {
        if state == WildcardState::default() {
            self.0.remove(host);
        } else {
            self.0.insert(host.clone(), state);
        }
    }
}

/// Whether other hosts depend on the state of this one.
pub(super) fn is_wildcard(host: &HostPattern) -> bool {
    !matches!(host, HostPattern::Exact(_))
}

/// Whether a host is one label below one of `parents`.
fn is_below(host: &HostPattern, parents: &BTreeSet<&str>) -> bool {
    let HostPattern::Exact(name) = host else { return false };
    name.split_once('.').is_some_and(|(_, parent)| parents.contains(parent))
}
