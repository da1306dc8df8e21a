//! Gateway API: Gateways with their listeners, and the HTTPRoutes that are attached to them.
//!
//! The Gateways of all classes of this controller share the gateway's ports: a host of a port is the oldest object's, as it is
//! among all languages. A Gateway is built as a whole, with its routes, whenever something changes that it refers to, or that
//! others claim too. What a route can't have is reported on the route; the Gateway and its other routes do not notice.

mod attachment;
mod backend;
mod class;
mod filter;
mod gateway;
mod host_names;
mod listener;
mod matching;
mod namespaces;
mod parents;
mod rule;
mod timeout;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{HostPattern, Kind, ObjectRef, PoolId};
use crate::report::Report;
use crate::source::{Key, Snapshot};
use crate::status::ServedListeners;

use super::assembly::{Assembly, Replaced};
use super::change::Changes;
use super::claim::{Claims, LanguageClaims, ListenerClaims, ObjectClaims};
use super::class::Classes;
use super::draft::Draft;
use super::language::{BuildUnit, ChangedObjects, Language, ReadContext, TouchedHosts};
use super::lookup::Lookup;
use super::refs::Refs;
use super::report::Reports;
use gateway::ServedGateway;
use parents::Parents;

/// Every Gateway that is served or that a route names, and those that have a report.
#[derive(Debug, Default)]
pub(super) struct GatewayApi {
    entries: BTreeMap<Key, GatewayEntry>,
    parents: Parents,
    claims: ListenerClaims,
}

/// What is kept of one Gateway.
#[derive(Debug, Default)]
struct GatewayEntry {
    is_served: bool,
    /// What it and its routes refer to, and may refer to.
    refs: Refs,
    /// Its reports, and those of its routes.
    reports: Box<[Report]>,
    /// The hosts that it was built to the last time, each with its port.
    hosts: BTreeSet<(u16, HostPattern)>,
    /// The pools that it was built to the last time.
    pools: BTreeSet<PoolId>,
}

impl GatewayApi {
    /// Reads a Gateway and its routes again. Gives the hosts that it claims or claimed, where its claims have changed.
    fn replace(&mut self, key: &Key, context: &mut ReadContext<'_>) -> BTreeSet<HostPattern> {
        let ReadContext { lookup, refs, .. } = context;
        let owner = owner(key);
        let gateway = ServedGateway::read(&owner, &self.parents, lookup, &mut Reports::default());
        let entry = self.entries.entry(key.clone()).or_default();
        entry.is_served = gateway.is_some();
        let now = gateway.as_ref().map(ServedGateway::refs).unwrap_or_default();
        let before = std::mem::replace(&mut entry.refs, now);
        refs.replace(&owner, &before, &entry.refs);
        let claims = gateway.map(|gateway| ObjectClaims {
            owner: owner.clone(),
            created: gateway.created().cloned(),
            listeners: gateway.claims(),
        });
        self.claims.replace(key, claims)
    }
}

impl Language for GatewayApi {
    fn kind(&self) -> Kind {
        Kind::Gateway
    }

    fn changed<'c>(&self, changes: &'c Changes, snapshot: &Snapshot) -> Cow<'c, BTreeSet<Key>> {
        let Changes { gateways, gateway_classes, http_routes, namespaces, reference_grants, .. } = changes;
        // Each of these may change what any Gateway has.
        let all = [gateway_classes, namespaces, reference_grants].iter().any(|names| !names.is_empty());
        if !all && http_routes.is_empty() {
            return Cow::Borrowed(gateways);
        }
        let all = all.then(|| snapshot.gateways.keys().chain(self.entries.keys())).into_iter().flatten();
        let before = http_routes.iter().flat_map(|route| self.parents.of(route));
        let now = http_routes.iter().filter_map(|route| Some(parents::named(route, snapshot.http_routes.get(route)?)));
        Cow::Owned(gateways.iter().chain(all).chain(before).cloned().chain(now.flatten()).collect())
    }

    fn refs(&self, key: &Key, snapshot: &Snapshot, _classes: &Classes) -> Refs {
        snapshot.gateways.get(key).map(|object| listener::refs(&owner(key), object, snapshot)).unwrap_or_default()
    }

    fn read(
        &mut self,
        changed: &ChangedObjects<'_>,
        context: &mut ReadContext<'_>,
        units: &mut BTreeSet<BuildUnit>,
    ) -> BTreeSet<HostPattern> {
        self.parents.update(&changed.changes.http_routes, context.lookup.snapshot);
        let mut touched = BTreeSet::new();
        for key in changed.all() {
            touched.extend(self.replace(key, context));
            units.insert(BuildUnit::Object(key.clone()));
        }
        touched
    }

    fn claims(&self) -> &dyn LanguageClaims {
        &self.claims
    }

    fn all_units(&self) -> BTreeSet<BuildUnit> {
        self.entries.keys().cloned().map(BuildUnit::Object).collect()
    }

    /// Hosts of Gateways lead nobody to HTTPS, so nothing is touched in turn.
    fn mark_dependents(
        &self,
        touched: &TouchedHosts,
        _claims: &Claims<'_>,
        units: &mut BTreeSet<BuildUnit>,
    ) -> TouchedHosts {
        units.extend(self.claims.claimants(&touched.hosts).into_iter().map(BuildUnit::Object));
        TouchedHosts::default()
    }

    fn build(&self, unit: &BuildUnit, claims: &Claims<'_>, lookup: &Lookup<'_>) -> Draft {
        let mut draft = Draft::default();
        let BuildUnit::Object(key) = unit else { return draft };
        let owner = owner(key);
        match ServedGateway::read(&owner, &self.parents, lookup, &mut draft.reports) {
            Some(gateway) => gateway.build(lookup, claims, &mut draft),
            None => parents::report_missing(&owner, &self.parents, lookup, &mut draft.reports),
        }
        draft
    }

    fn put(&mut self, unit: &BuildUnit, draft: Draft, assembly: &mut Assembly, replaced: &mut Vec<Replaced>) {
        let BuildUnit::Object(key) = unit else { return };
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Draft { reports, hosts, pools, parts: _, listeners } = draft;
        assembly.reports.replace(&mut entry.reports, reports.into_sorted());
        note_served(key, listeners, assembly);
        let hosts_before = std::mem::replace(&mut entry.hosts, hosts.keys().cloned().collect());
        let pools_before = std::mem::replace(&mut entry.pools, pools.keys().cloned().collect());
        let gone: Vec<_> = hosts_before.difference(&entry.hosts).cloned().collect();
        let gone_pools: Vec<_> = pools_before.difference(&entry.pools).cloned().collect();

        for at in gone {
            // Another Gateway may have taken the host over before, in this same update.
            if !self.entries.values().any(|other| other.hosts.contains(&at)) {
                replaced.extend(assembly.remove_host(at.0, &at.1, is_ours));
            }
        }
        for ((port, host), built) in hosts {
            replaced.extend(assembly.put_host(port, host, built));
        }
        for id in gone_pools {
            assembly.put_pool(&id, None);
        }
        for (id, pool) in pools {
            if assembly.pool(&id).is_none_or(|known| **known != pool) {
                assembly.put_pool(&id, Some(&Arc::new(pool)));
            }
        }
        if let Some(entry) = self.entries.get(key)
            && !entry.is_served
            && entry.reports.is_empty()
        {
            self.entries.remove(key);
        }
    }
}

/// Notes which listeners of a Gateway are served; `None`: it is another controller's.
fn note_served(key: &Key, listeners: Option<ServedListeners>, assembly: &mut Assembly) {
    let served = &mut assembly.served.gateways;
    match listeners {
        None => {
            served.remove(key);
        }
        Some(listeners) if served.get(key).is_some_and(|known| **known == listeners) => {}
        Some(listeners) => {
            served.insert(key.clone(), Arc::new(listeners));
        }
    }
}

/// Whether a host is of this language, by the owner of its first route.
fn is_ours(first: Option<&ObjectRef>) -> bool {
    first.is_some_and(|owner| matches!(owner.kind, Kind::Gateway | Kind::HTTPRoute))
}

fn owner(key: &Key) -> ObjectRef {
    ObjectRef { kind: Kind::Gateway, key: key.clone() }
}
