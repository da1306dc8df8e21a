//! What routes have in common, such as the object that they were made from, counted as routes come and go: a change costs what has changed.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::model::{Host, HostPattern, KeySource, KeyUrl, Model, ObjectRef, Route};

/// Values that routes have, each with the number of routes that have it.
#[derive(Debug)]
pub(crate) struct RouteCounts<K> {
    counts: HashMap<K, usize>,
    of: fn(&Route) -> Option<&K>,
}

/// The values that have come and gone with a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RouteCountChanges<K> {
    /// The values that routes have and none had.
    pub(super) come: BTreeSet<K>,
    /// The values that routes had and none has.
    pub(super) gone: BTreeSet<K>,
}

impl RouteCounts<Arc<ObjectRef>> {
    /// Counts the objects that routes are made from.
    pub(crate) fn of_owners() -> Self {
        Self { counts: HashMap::new(), of: |route| Some(&route.owner) }
    }
}

impl RouteCounts<KeyUrl> {
    /// Counts the URLs of the keys that routes verify tokens with.
    pub(crate) fn of_key_urls() -> Self {
        Self { counts: HashMap::new(), of: key_url }
    }
}

impl<K: Clone + Hash + Ord> RouteCounts<K> {
    /// Counts the routes of `new` instead of those of `old`.
    pub(super) fn follow(&mut self, old: &Model, new: &Model) -> RouteCountChanges<K> {
        let mut changes = RouteCountChanges { come: BTreeSet::new(), gone: BTreeSet::new() };
        let Self { counts, of } = self;
        // New routes are counted first, so that a value that routes have before and after is never at zero.
        each_change(old, new, |_, host| {
            for value in values(host, *of) {
                match counts.get_mut(value) {
                    Some(routes) => *routes += 1,
                    None => {
                        counts.insert(value.clone(), 1);
                        changes.come.insert(value.clone());
                    }
                }
            }
        });
        each_change(old, new, |host, _| {
            for value in values(host, *of) {
                let left = counts.get_mut(value).map(|routes| {
                    *routes -= 1;
                    *routes
                });
                if left == Some(0)
                    && let Some((value, _)) = counts.remove_entry(value)
                {
                    changes.gone.insert(value);
                }
            }
        });
        changes
    }
}

/// The URL of the keys that a route verifies tokens with.
fn key_url(route: &Route) -> Option<&KeyUrl> {
    match &route.policies.as_ref()?.token.as_ref()?.keys {
        KeySource::Url(url) => Some(url),
        KeySource::Static(_) => None,
    }
}

/// The value of each route that has one.
fn values<'a, K: 'a>(host: Option<&'a Arc<Host>>, of: fn(&Route) -> Option<&K>) -> impl Iterator<Item = &'a K> {
    host.into_iter().flat_map(|host| &host.routes).filter_map(move |route| of(route))
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
    use crate::model::{Action, Kind, Listener, PathMatch, Protocol};

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
            let host_routes = Host { certificate: None, tls: None, routes };
            listener.hosts.insert(HostPattern::Exact(host.to_string().into()), Arc::new(host_routes));
        }
        model
    }

    fn all(model: &Model) -> BTreeSet<Arc<ObjectRef>> {
        let hosts = model.listeners.values().flat_map(|listener| listener.hosts.values());
        hosts.flat_map(|host| &host.routes).map(|route| Arc::clone(&route.owner)).collect()
    }

    proptest! {
        #[test]
        fn those_who_come_and_go_are_the_difference_of_all(
            models in prop::collection::vec(
                prop::collection::btree_map((80..82u16, 0..4u8), prop::collection::vec(0..5u8, 0..3), 0..6), 1..8),
        ) {
            let (mut counted, mut old) = (RouteCounts::of_owners(), Model::default());
            for hosts in models {
                let new = model(&hosts);
                let (before, after) = (all(&old), all(&new));
                let expected = RouteCountChanges {
                    come: after.difference(&before).cloned().collect(),
                    gone: before.difference(&after).cloned().collect(),
                };
                prop_assert_eq!(counted.follow(&old, &new), expected);
                old = new;
            }
        }
    }
}
