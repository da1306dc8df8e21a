//! The DNS names of endpoints: each is resolved while a pool has it, and its pools are filled anew when its addresses change.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use imbl::ordmap::DiffItem;

use super::{PoolChanges, Registered, Registry};
use crate::model::{self, Address, PoolId};
use crate::pool::resolve::{self, Resolution};

/// A DNS name that is resolved, and the pools that have an endpoint with it.
#[derive(Debug)]
pub(super) struct WatchedName {
    pub(super) resolution: Resolution,
    pools: BTreeSet<PoolId>,
}

impl Registry {
    /// Resolves the names that the endpoints of pools have, and no others.
    pub(super) fn watch_names<'a>(
        &self,
        registered: &mut Registered,
        differences: impl Iterator<Item = DiffItem<'a, 'a, PoolId, Arc<model::Pool>>>,
    ) {
        let names_of = |spec: Option<&'a Arc<model::Pool>>| -> BTreeSet<&'a String> {
            let endpoints = spec.into_iter().flat_map(|spec| &spec.endpoints);
            let names = endpoints.filter_map(|endpoint| match &endpoint.address {
                Address::Name(name, _) => Some(name),
                Address::Socket(_) => None,
            });
            names.collect()
        };
        let mut left = Vec::new();
        for difference in differences {
            let (id, before, after) = match difference {
                DiffItem::Add(id, after) => (id, None, Some(after)),
                DiffItem::Update { old: (_, before), new: (id, after) } => (id, Some(before), Some(after)),
                DiffItem::Remove(id, before) => (id, Some(before), None),
            };
            let (before, after) = (names_of(before), names_of(after));
            for name in &after {
                let watched = registered
                    .names
                    .entry(String::clone(name))
                    .or_insert_with_key(|name| WatchedName { resolution: self.resolve(name), pools: BTreeSet::new() });
                watched.pools.insert(id.clone());
            }
            for name in before.difference(&after) {
                if let Some(watched) = registered.names.get_mut(*name) {
                    watched.pools.remove(id);
                    left.push(*name);
                }
            }
        }
        for name in left {
            if registered.names.get(name).is_some_and(|watched| watched.pools.is_empty()) {
                registered.names.remove(name);
            }
        }
    }

    /// Starts the resolution of a name. It ends when its result is dropped, or when the registry is gone.
    fn resolve(&self, name: &str) -> Resolution {
        let registry = self.downgrade();
        resolve::start(&self.0.runtime, name.to_owned(), move |name, addresses| match registry.upgrade() {
            Some(registry) => {
                registry.resolved(name, addresses);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        })
    }

    /// Takes the new addresses of a name, and fills its pools anew.
    pub(super) fn resolved(&self, name: &str, addresses: Vec<IpAddr>) {
        let mut registered = self.lock();
        let Some(watched) = registered.names.get_mut(name) else { return };
        watched.resolution.addresses = Some(addresses);
        let mut changes = PoolChanges::default();
        for id in watched.pools.clone() {
            if let Some(spec) = registered.specs.get(&id).cloned() {
                self.fill(&mut registered, &id, &spec, &mut changes);
            }
        }
        self.update_addresses(&mut registered, changes);
    }
}
