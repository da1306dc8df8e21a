//! One Ingress with its resolved backends, and the count of the routes that lead to each of its pools.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::Ingress;

use crate::model::{HostPattern, ObjectRef, Pool, PoolId, Route};
use crate::report::Report;
use crate::source::Key;

use super::RouteChange;
use super::backend::{self, ResolvedBackend};
use super::parsed::ParsedIngress;
use super::policies::ResolvedPolicies;
use super::recent::RecentSettings;
use crate::translate::assembly::Assembly;
use crate::translate::class::Classes;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// What is kept of one Ingress.
#[derive(Debug, Default)]
pub(super) struct IngressEntry {
    /// `None`: it is not served, and only its reports are kept.
    pub(super) ingress: Option<Arc<ParsedIngress>>,
    /// Its backends, in the order of its references to them.
    backends: Box<[RoutedBackend]>,
    /// Its policies.
    pub(super) policies: ResolvedPolicies,
    /// How many routes of the model are its own.
    pub(super) routes: usize,
    pub(super) reports: Box<[Report]>,
}

/// A backend, and the routes that lead to its pool.
#[derive(Debug)]
struct RoutedBackend {
    resolved: ResolvedBackend,
    /// Count of the routes. Of several backends with one pool, the first has the routes of them all.
    routes: usize,
}

/// Parses an Ingress, if it is served.
pub(super) fn parse(
    owner: Arc<ObjectRef>,
    object: &Ingress,
    classes: &Classes,
    recent: &mut RecentSettings,
    reports: &mut Reports,
) -> Option<ParsedIngress> {
    let class_name = object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
    let class = classes.of(&owner, &object.metadata, class_name, reports)?;
    Some(ParsedIngress::read(owner, object, class, classes.default_certificate(), recent, reports))
}

impl IngressEntry {
    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.ingress.is_none() && self.reports.is_empty()
    }

    /// Every host that the Ingress has to do with.
    pub(super) fn all_hosts(&self) -> BTreeSet<HostPattern> {
        self.ingress.as_ref().map(|ingress| ingress.all_hosts()).unwrap_or_default()
    }

    /// What one of the Ingress's backends was resolved to.
    pub(super) fn resolved(&self, backend: usize) -> Option<&ResolvedBackend> {
        self.backends.get(backend).map(|backend| &backend.resolved)
    }

    /// Resolves the backends and the policies, and puts the pools into the model that routes lead to. Gives whether routes change by that.
    pub(super) fn resolve(&mut self, lookup: &Lookup<'_>, assembly: &mut Assembly) -> bool {
        let before = std::mem::take(&mut self.backends);
        let ingress = self.ingress.iter();
        let resolved =
            ingress.flat_map(|ingress| ingress.backends.iter().map(|each| backend::resolve(ingress, each, lookup)));
        self.backends = resolved.map(|resolved| RoutedBackend { resolved, routes: 0 }).collect();
        self.take_over_pools(&before, assembly);
        self.put_pools(assembly);
        let leads_as_before = |(old, new): (&RoutedBackend, &RoutedBackend)| old.resolved.leads_as(&new.resolved);
        let resolve = |ingress: &Arc<ParsedIngress>| ResolvedPolicies::resolve(ingress, &self.policies, lookup);
        let policies = self.ingress.as_ref().map(resolve).unwrap_or_default();
        let changed = policies != self.policies;
        self.policies = policies;
        changed || before.len() != self.backends.len() || !before.iter().zip(&self.backends).all(leads_as_before)
    }

    /// Takes over what was known of pools that are still there: the object itself, where it is equal, and the count of
    /// its routes. Removes the other pools from the model.
    fn take_over_pools(&mut self, before: &[RoutedBackend], assembly: &mut Assembly) {
        let mut seen = BTreeSet::new();
        for old in before {
            let Ok((id, known)) = &old.resolved.pool else { continue };
            // Of several backends with one pool, the first has the routes.
            if !seen.insert(id) {
                continue;
            }
            match self.first_with_pool(id) {
                Some((new, routes)) => {
                    if **new == **known {
                        *new = Arc::clone(known);
                    }
                    *routes += old.routes;
                }
                None => assembly.put_pool(id, None),
            }
        }
    }

    /// The first backend with this pool, where the pool's routes are counted: its pool and that count.
    fn first_with_pool(&mut self, id: &PoolId) -> Option<(&mut Arc<Pool>, &mut usize)> {
        self.backends.iter_mut().find_map(|RoutedBackend { resolved, routes }| match &mut resolved.pool {
            Ok((own, pool)) if own == id => Some((pool, routes)),
            _ => None,
        })
    }

    /// Counts a route of the Ingress, for it and for each pool that the route leads to.
    pub(super) fn count(&mut self, route: &Route, change: RouteChange) {
        let count = |count: &mut usize| {
            *count = match change {
                RouteChange::Added => *count + 1,
                RouteChange::Removed => count.saturating_sub(1),
            }
        };
        count(&mut self.routes);
        for pool in route.action.pools() {
            if let Some((_, routes)) = self.first_with_pool(pool) {
                count(routes);
            }
        }
    }

    /// Puts each pool that a route leads to into the model, and removes the others.
    pub(super) fn put_pools(&self, assembly: &mut Assembly) {
        let mut seen = BTreeSet::new();
        for RoutedBackend { resolved, routes } in &self.backends {
            if let Ok((id, pool)) = &resolved.pool
                && seen.insert(id)
            {
                assembly.put_pool(id, Some(pool).filter(|_| *routes > 0));
            }
        }
    }

    /// Notes whether the Ingress is served, and whether it has a route.
    pub(super) fn note_served(&self, key: &Key, assembly: &mut Assembly) {
        let served = &mut assembly.served.ingresses;
        let has_route = self.routes > 0;
        if self.ingress.is_none() {
            served.remove(key);
        } else if served.get(key) != Some(&has_route) {
            served.insert(key.clone(), has_route);
        }
    }
}
