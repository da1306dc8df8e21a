//! The objects that have routes. Routes are counted as they come and go, so that a change costs what has changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::model::{Host, HostPattern, Model, ObjectRef};

/// The objects that have routes, each with the number of its routes.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashMap<Arc<ObjectRef>, usize>);

/// The objects that have come and gone with a change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OwnerChanges {
    /// The objects that have routes and had none.
    pub(super) come: BTreeSet<Arc<ObjectRef>>,
    /// The objects that had routes and have none.
    pub(super) gone: BTreeSet<Arc<ObjectRef>>,
}

impl Owners {
    /// Counts the routes of `new` instead of those of `old`.
    pub(super) fn follow(&mut self, old: &Model, new: &Model) -> OwnerChanges {
        let mut changed = OwnerChanges::default();
        // New routes are counted first, so that an object with routes before and after is never at zero.
        each_change(old, new, |_, host| {
            for owner in owners(host) {
                match self.0.get_mut(owner) {
                    Some(routes) => *routes += 1,
                    None => {
                        self.0.insert(Arc::clone(owner), 1);
                        changed.come.insert(Arc::clone(owner));
                    }
                }
            }
        });
        each_change(old, new, |host, _| {
            for owner in owners(host) {
                let left = self.0.get_mut(owner).map(|routes| {
                    *routes -= 1;
                    *routes
                });
                if left == Some(0)
                    && let Some((owner, _)) = self.0.remove_entry(owner)
                {
                    changed.gone.insert(owner);
                }
            }
        });
        changed
    }
}

/// The owner of each route.
fn owners(host: Option<&Arc<Host>>) -> impl Iterator<Item = &Arc<ObjectRef>> {
    host.into_iter().flat_map(|host| &host.routes).map(|route| &route.owner)
}

/// Calls `with` for each host that differs, with the host before and after. `None`: the host is not there.
fn each_change(old: &Model, new: &Model, mut with: impl FnMut(Option<&Arc<Host>>, Option<&Arc<Host>>)) {
    let none = OrdMap::<HostPattern, Arc<Host>>::new();
    let ports: BTreeSet<u16> = old.listeners.keys().chain(new.listeners.keys()).copied().collect();
    for port in ports {
        let hosts =
            |model: &'_ Model| model.listeners.get(&port).map_or(none.clone(), |listener| listener.hosts.clone());
        for change in hosts(old).diff(&hosts(new)) {
            match change {
                DiffItem::Add(_, host) => with(None, Some(host)),
                DiffItem::Update { old: (_, before), new: (_, after) } => with(Some(before), Some(after)),
                DiffItem::Remove(_, host) => with(Some(host), None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Action, Kind, Listener, PathMatch, Protocol, Route};

    /// Hosts with routes of these owners, on two ports.
    fn model(hosts: &BTreeMap<(u16, u8), Vec<u8>>) -> Model {
        let mut model = Model::default();
        for ((port, host), owners) in hosts {
            let listener = model.listeners.entry(*port).or_insert_with(|| Listener {
                protocol: Protocol::Http,
                hosts: OrdMap::new(),
                default_certificate: None,
            });
            let route = |owner: &u8| Route {
                field: "".into(),
                owner: Arc::new(ObjectRef::new(Kind::Ingress, "default", owner.to_string())),
                matches: PathMatch::Any.into(),
                action: Action::NotFound,
                policies: None,
            };
            let routes = owners.iter().map(|owner| Arc::new(route(owner))).collect();
            let host_routes = Host { certificate: None, routes };
            listener.hosts.insert(HostPattern::Exact(host.to_string().into()), Arc::new(host_routes));
        }
        model
    }

    fn all(model: &Model) -> BTreeSet<Arc<ObjectRef>> {
        let hosts = model.listeners.values().flat_map(|listener| listener.hosts.values());
        hosts.flat_map(|host| owners(Some(host))).cloned().collect()
    }

    proptest! {
        #[test]
        fn those_who_come_and_go_are_the_difference_of_all(
            models in prop::collection::vec(
                prop::collection::btree_map((80..82u16, 0..4u8), prop::collection::vec(0..5u8, 0..3), 0..6), 1..8),
        ) {
            let (mut counted, mut old) = (Owners::default(), Model::default());
            for hosts in models {
                let new = model(&hosts);
                let (before, after) = (all(&old), all(&new));
                let expected = OwnerChanges {
                    come: after.difference(&before).cloned().collect(),
                    gone: before.difference(&after).cloned().collect(),
                };
                prop_assert_eq!(counted.follow(&old, &new), expected);
                old = new;
            }
        }
    }
}
