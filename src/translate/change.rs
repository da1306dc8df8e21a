//! What differs between two snapshots. Costs what differs, for they share the rest.

use std::collections::BTreeSet;

use imbl::ordmap::DiffItem;

use crate::source::snapshot::Objects;
use crate::source::{Key, Snapshot};

/// Objects that came, went or changed, by kind.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) ingresses: BTreeSet<Key>,
    pub(super) services: BTreeSet<Key>,
    pub(super) slices: BTreeSet<Key>,
    pub(super) pods: BTreeSet<Key>,
    pub(super) secrets: BTreeSet<Key>,
    pub(super) config_maps: BTreeSet<Key>,
    pub(super) gateways: BTreeSet<Key>,
    /// Whether anything of the classes has changed.
    pub(super) classes: bool,
}

impl Changes {
    /// What makes `new` of `old`.
    pub(super) fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let Snapshot {
            ingresses,
            ingress_classes,
            services,
            endpoint_slices,
            pods,
            secrets,
            config_maps,
            // Nothing is read of them.
            namespaces: _,
            gateways,
            refused_classes,
        } = old;
        Self {
            ingresses: changed(ingresses, &new.ingresses).collect(),
            services: changed(services, &new.services).collect(),
            slices: changed(endpoint_slices, &new.endpoint_slices).collect(),
            pods: changed(pods, &new.pods).collect(),
            secrets: changed(secrets, &new.secrets).collect(),
            config_maps: changed(config_maps, &new.config_maps).collect(),
            gateways: changed(gateways, &new.gateways).collect(),
            classes: changed(ingress_classes, &new.ingress_classes).next().is_some()
                || *refused_classes != new.refused_classes,
        }
    }
}

/// The names of the objects that differ. What is the same object is not looked into.
pub(super) fn changed<'a, K: PartialEq>(
    old: &'a Objects<K>,
    new: &'a Objects<K>,
) -> impl Iterator<Item = Key> + use<'a, K> {
    let differs = old.diff(new).map(|item| match item {
        DiffItem::Add(key, _) | DiffItem::Remove(key, _) | DiffItem::Update { new: (key, _), .. } => key,
    });
    differs.cloned()
}
