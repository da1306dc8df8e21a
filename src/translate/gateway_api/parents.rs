//! Which HTTPRoutes name which Gateways as their parents.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::gateway_api::{GROUP, HttpRoute, ParentReference};
use crate::model::{Kind, ObjectRef};
use crate::report::Reason;
use crate::source::{Key, Snapshot};
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// The Gateways that each route names, and the inverse.
#[derive(Debug, Default)]
pub(super) struct Parents {
    of_routes: BTreeMap<Key, BTreeSet<Key>>,
    routes: BTreeMap<Key, BTreeSet<Key>>,
}

impl Parents {
    /// The Gateways that a route names.
    pub(super) fn of(&self, route: &Key) -> impl Iterator<Item = &Key> {
        self.of_routes.get(route).into_iter().flatten()
    }

    /// The routes that name a Gateway.
    pub(super) fn routes_of(&self, gateway: &Key) -> impl Iterator<Item = &Key> {
        self.routes.get(gateway).into_iter().flatten()
    }

    /// Takes in routes that have come, gone or changed.
    pub(super) fn update(&mut self, changed: &BTreeSet<Key>, snapshot: &Snapshot) {
        for route in changed {
            for gateway in self.of_routes.remove(route).into_iter().flatten() {
                if let Some(routes) = self.routes.get_mut(&gateway) {
                    routes.remove(route);
                    if routes.is_empty() {
                        self.routes.remove(&gateway);
                    }
                }
            }
            let Some(object) = snapshot.http_routes.get(route) else { continue };
            let gateways = named(route, object);
            for gateway in &gateways {
                self.routes.entry(gateway.clone()).or_default().insert(route.clone());
            }
            self.of_routes.insert(route.clone(), gateways);
        }
    }
}

/// The Gateways that a route names.
pub(super) fn named(route: &Key, object: &HttpRoute) -> BTreeSet<Key> {
    object.spec.parent_refs.iter().filter_map(|parent| gateway(route.namespace(), parent)).collect()
}

/// The Gateway that a reference names. `None`: it names an object of another kind.
pub(super) fn gateway(namespace: &str, parent: &ParentReference) -> Option<Key> {
    let ParentReference { group, kind, namespace: given, name, section_name: _, port: _ } = parent;
    let is_gateway = group.as_deref().is_none_or(|group| group == GROUP)
        && kind.as_deref().is_none_or(|kind| kind == Kind::Gateway.name());
    is_gateway.then(|| Key::new(given.as_deref().unwrap_or(namespace), name))
}

/// Reports to routes that the Gateway which they name does not exist. In a cluster, it may be about to come, of any controller; a
/// directory is complete.
pub(super) fn report_missing(gateway: &ObjectRef, parents: &Parents, lookup: &Lookup<'_>, reports: &mut Reports) {
    if lookup.snapshot.gateways.contains_key(&gateway.key) || !lookup.options.everything_without_class {
        return;
    }
    for route in parents.routes_of(&gateway.key) {
        let Some(object) = lookup.snapshot.http_routes.get(route) else { continue };
        let of_gateway = |(_, parent): &(usize, &ParentReference)| {
            self::gateway(route.namespace(), parent).as_ref() == Some(&gateway.key)
        };
        for (index, _) in object.spec.parent_refs.iter().enumerate().filter(of_gateway) {
            reports.error(
                &ObjectRef { kind: Kind::HTTPRoute, key: route.clone() },
                format!("spec.parentRefs[{index}].name"),
                Reason::NoMatchingParent,
                format!("there is no {gateway}, so the route is not attached there"),
                "create the Gateway, or correct name and namespace",
            );
        }
    }
}
