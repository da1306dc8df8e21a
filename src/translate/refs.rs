//! References of objects to Services, Secrets, ConfigMaps and others, be they there or not.
//!
//! Each language has one function that gives the [`Refs`] of an object. Two things are made of them: the index by which a
//! change leads to the objects that have to be read again ([`ReverseRefs`]), and the list of what a cluster's source
//! fetches (`ref_tracker`). So whatever an object names is fetched, and is followed when it changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Kind, ObjectRef};
use crate::source::Key;

/// What one object refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refs {
    pub(super) services: BTreeSet<Key>,
    pub(super) secrets: BTreeSet<Key>,
    pub(super) config_maps: BTreeSet<Key>,
    /// The ApplicationGateways whose elements are the object's defaults.
    pub(super) application_gateways: BTreeSet<Key>,
    /// The AzureApplicationGatewayRewrites that it names.
    pub(super) azure_rewrites: BTreeSet<Key>,
}

/// The objects that refer to each object of these kinds: the inverse of [`Refs`].
#[derive(Debug, Default)]
pub(super) struct ReverseRefs {
    pub(super) services: OwnersByName,
    pub(super) secrets: OwnersByName,
    pub(super) config_maps: OwnersByName,
    pub(super) application_gateways: OwnersByName,
    pub(super) azure_rewrites: OwnersByName,
}

/// For the name of an object that is referred to, the objects that do.
#[derive(Debug, Default)]
pub(super) struct OwnersByName(BTreeMap<Key, BTreeSet<ObjectRef>>);

impl ReverseRefs {
    /// Replaces what `owner` refers to: `before` with `now`.
    pub(super) fn replace(&mut self, owner: &ObjectRef, before: &Refs, now: &Refs) {
        let Self { services, secrets, config_maps, application_gateways, azure_rewrites } = self;
        services.replace(owner, &before.services, &now.services);
        secrets.replace(owner, &before.secrets, &now.secrets);
        config_maps.replace(owner, &before.config_maps, &now.config_maps);
        application_gateways.replace(owner, &before.application_gateways, &now.application_gateways);
        azure_rewrites.replace(owner, &before.azure_rewrites, &now.azure_rewrites);
    }
}

impl OwnersByName {
    /// The objects of one kind that refer to any of `names`.
    pub(super) fn of_kind(&self, kind: Kind, names: &BTreeSet<Key>) -> impl Iterator<Item = &Key> {
        let owners = names.iter().filter_map(|name| self.0.get(name)).flatten();
        owners.filter(move |owner| owner.kind == kind).map(|owner| &owner.key)
    }

    /// Every name that is referred to.
    #[cfg(test)]
    pub(super) fn names(&self) -> BTreeSet<Key> {
        self.0.keys().cloned().collect()
    }

    fn replace(&mut self, owner: &ObjectRef, before: &BTreeSet<Key>, now: &BTreeSet<Key>) {
        for name in before.difference(now) {
            let Some(owners) = self.0.get_mut(name) else { continue };
            owners.remove(owner);
            if owners.is_empty() {
                self.0.remove(name);
            }
        }
        for name in now.difference(before) {
            self.0.entry(name.clone()).or_default().insert(owner.clone());
        }
    }
}
