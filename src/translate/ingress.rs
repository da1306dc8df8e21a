//! Ingresses: from all of them together to hosts and routes.
//!
//! Port 80 serves every host in clear text. Port 443 serves the hosts that some Ingress covers in `spec.tls`, with
//! the same routes. Several Ingresses share a host; of two routes with the same host and path the oldest stays.
//!
//! An Ingress is read once a version (`parsed`), and what its backends lead to is found out again only where one of their
//! Services changes. Hosts are what is made (`build`), each by itself.

mod backend;
mod backend_ref;
mod build;
mod host_field;
mod host_tls;
mod hosts;
mod merge;
mod parsed;
mod read;
mod recent;
mod redirect;
mod session;
mod tls_hosts;
mod wide;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::Ingress;

use crate::model::{Host, HostPattern, Kind, ObjectRef, Pool, PoolId, Route, alternating};
use crate::report::Report;
use crate::source::Key;

use super::assembly::{Assembly, Replaced};
use super::class::Classes;
use super::lookup::Lookup;
use super::report::Reports;
use super::user::{User, Users};
use backend::ResolvedBackend;
use recent::RecentSettings;

pub(super) use build::Builder;
pub(super) use hosts::Hosts;
pub(super) use parsed::ParsedIngress;
pub(super) use wide::Wide;

pub(super) const HTTP: u16 = 80;
pub(super) const HTTPS: u16 = 443;

/// Every Ingress that is served, and those of which something is told.
#[derive(Debug, Default)]
pub(super) struct Ingresses {
    entries: BTreeMap<Key, Entry>,
    /// How many there were when they were last put close together.
    close: usize,
    recent: RecentSettings,
}

#[derive(Debug, Default)]
struct Entry {
    ingress: Option<Arc<ParsedIngress>>,
    /// Its backends, in the order of its references to them.
    backends: Box<[RoutedBackend]>,
    /// How many routes it has.
    routes: usize,
    told: Box<[Report]>,
}

/// A backend, and the routes that lead to its pool.
#[derive(Debug)]
struct RoutedBackend {
    resolved: ResolvedBackend,
    /// Count of the routes. Of several backends with one pool, the first has the routes of them all.
    routes: usize,
}

impl Ingresses {
    /// Every Ingress that is known here.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys()
    }

    /// Puts them close together, now that there may be many more.
    pub(super) fn settle(&mut self) {
        put_close(&mut self.entries, &mut self.close);
    }

    /// The hosts that an Ingress covers in `spec.tls`.
    pub(super) fn covered(&self, key: &Key) -> impl Iterator<Item = &HostPattern> {
        let ingress = self.entries.get(key).and_then(|entry| entry.ingress.as_ref());
        ingress.into_iter().flat_map(|ingress| ingress.tls_hosts()).map(|covered| &covered.host)
    }

    /// Reads a new version of an Ingress, or forgets it. Gives the hosts that it has and had to do with.
    pub(super) fn replace(
        &mut self,
        key: &Key,
        object: Option<&Ingress>,
        classes: &Classes,
        lookup: &Lookup<'_>,
        (hosts, users, assembly): (&mut Hosts, &mut Users, &mut Assembly),
    ) -> BTreeSet<HostPattern> {
        let (key, mut entry) = self.entries.remove_entry(key).unwrap_or_else(|| (key.clone(), Entry::default()));
        let mut reports = Reports::default();
        let ingress = object.and_then(|object| {
            // The same for as long as there is one: whoever counts routes holds it.
            let known = entry.ingress.as_ref().map(|ingress| Arc::clone(&ingress.owner));
            let owner = known.unwrap_or_else(|| Arc::new(ObjectRef { kind: Kind::Ingress, key: key.clone() }));
            let named = object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
            let class = classes.of(&owner, &object.metadata, named, &mut reports)?;
            Some(Arc::new(ParsedIngress::read(owner, object, class, &mut self.recent, &mut reports)))
        });
        assembly.told.replace(&mut entry.told, reports.into_sorted());
        let before = std::mem::replace(&mut entry.ingress, ingress);
        let refers =
            |ingress: &Option<Arc<ParsedIngress>>| ingress.as_ref().map(|ingress| ingress.refers()).unwrap_or_default();
        users.replace(&User::Ingress(key.clone()), &refers(&before), &refers(&entry.ingress));
        let mut touched = BTreeSet::new();
        if let Some(ingress) = &before {
            hosts.remove(ingress);
            touched.extend(ingress.all_hosts());
        }
        if let Some(ingress) = &entry.ingress {
            hosts.add(ingress);
            touched.extend(ingress.all_hosts());
        }
        entry.resolve(lookup, assembly);
        if entry.ingress.is_none() {
            entry.routes = 0;
        }
        assembly.ingress(&key, entry.ingress.as_ref().map(|_| entry.routes > 0));
        if entry.ingress.is_some() || !entry.told.is_empty() {
            self.entries.insert(key, entry);
        }
        touched
    }

    /// Finds out anew where an Ingress leads. Gives the hosts whose routes change by it.
    pub(super) fn resolve(&mut self, key: &Key, lookup: &Lookup<'_>, assembly: &mut Assembly) -> BTreeSet<HostPattern> {
        let Some(entry) = self.entries.get_mut(key) else { return BTreeSet::new() };
        let changed = entry.resolve(lookup, assembly);
        entry.ingress.as_ref().filter(|_| changed).map(|ingress| ingress.all_hosts()).unwrap_or_default()
    }

    /// What a backend of an Ingress resolves to; the backend is named by its index in the Ingress.
    fn resolved(&self, ingress: &ParsedIngress, backend: usize) -> Option<&ResolvedBackend> {
        self.entries.get(&ingress.owner.key)?.backends.get(backend).map(|backend| &backend.resolved)
    }

    /// Counts the routes that have come and gone, and puts the pools in place that they lead to.
    pub(super) fn count(&mut self, replaced: &[Replaced], assembly: &mut Assembly) {
        let mut touched = BTreeSet::new();
        let sides = |Replaced { before, now }: &'_ Replaced| [(now.clone(), true), (before.clone(), false)];
        for (host, comes) in replaced.iter().flat_map(sides) {
            for route in host.iter().flat_map(|host| routes(host)) {
                if let Some(entry) = self.entries.get_mut(&route.owner.key) {
                    entry.count(route, comes);
                    touched.insert(route.owner.key.clone());
                }
            }
        }
        for key in alternating(touched) {
            let known = self.entries.get_key_value(&key).filter(|(_, entry)| entry.ingress.is_some());
            let Some((key, entry)) = known else { continue };
            entry.put_pools(assembly);
            assembly.ingress(key, Some(entry.routes > 0));
        }
    }
}

/// Makes a map anew that has more than twice what it had when this was last done, `before`: one that grows is half empty.
fn put_close<K: Ord, V>(map: &mut BTreeMap<K, V>, before: &mut usize) {
    if map.len() > *before * 2 {
        *before = map.len();
        *map = std::mem::take(map).into_iter().collect();
    }
}

/// The routes of a host that Ingresses own.
fn routes(host: &Host) -> impl Iterator<Item = &Route> {
    host.routes.iter().map(|route| &**route).filter(|route| route.owner.kind == Kind::Ingress)
}

impl Entry {
    /// Whether routes change by it. Pools do at once.
    fn resolve(&mut self, lookup: &Lookup<'_>, assembly: &mut Assembly) -> bool {
        let before = std::mem::take(&mut self.backends);
        let ingress = self.ingress.iter();
        let resolved =
            ingress.flat_map(|ingress| ingress.backends.iter().map(|each| backend::resolve(ingress, each, lookup)));
        self.backends = resolved.map(|resolved| RoutedBackend { resolved, routes: 0 }).collect();
        let mut seen = BTreeSet::new();
        for old in &before {
            let Ok((id, known)) = &old.resolved.pool else { continue };
            // Routes are counted at the first backend with a pool, and that one's pool is served.
            if !seen.insert(id) {
                continue;
            }
            if let Some((new, routes)) = self.first_with_pool(id) {
                if **new == **known {
                    *new = Arc::clone(known);
                }
                *routes += old.routes;
            } else {
                assembly.pool(id, None);
            }
        }
        self.put_pools(assembly);
        let leads_as_before = |(old, new): (&RoutedBackend, &RoutedBackend)| old.resolved.leads_as(&new.resolved);
        before.len() != self.backends.len() || !before.iter().zip(&self.backends).all(leads_as_before)
    }

    /// The first backend with this pool, where the pool's routes are counted: its pool and that count.
    fn first_with_pool(&mut self, id: &PoolId) -> Option<(&mut Arc<Pool>, &mut usize)> {
        self.backends.iter_mut().find_map(|RoutedBackend { resolved, routes }| match &mut resolved.pool {
            Ok((own, pool)) if own == id => Some((pool, routes)),
            _ => None,
        })
    }

    /// Counts a route that comes or goes, for the Ingress and for each pool that the route leads to.
    fn count(&mut self, route: &Route, comes: bool) {
        let count = |count: &mut usize| *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        count(&mut self.routes);
        for pool in route.action.pools() {
            if let Some((_, routes)) = self.first_with_pool(pool) {
                count(routes);
            }
        }
    }

    fn put_pools(&self, assembly: &mut Assembly) {
        let mut seen = BTreeSet::new();
        for RoutedBackend { resolved, routes } in &self.backends {
            if let Ok((id, pool)) = &resolved.pool
                && seen.insert(id)
            {
                assembly.pool(id, Some(pool).filter(|_| *routes > 0));
            }
        }
    }
}
