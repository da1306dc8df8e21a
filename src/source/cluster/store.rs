//! Everything that the watches have seen of a cluster, as plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::resource_version::ResourceVersion;
use super::unreadable::Unreadable;
use crate::model::{Kind, ObjectRef, alternating};
use crate::report::Report;
use crate::source::snapshot::{Objects, SnapshotKind};
use crate::source::{Key, Snapshot};

/// A type whose objects the store holds.
pub(super) trait Stored: PartialEq + Sized + Send + Sync + 'static {
    /// Its kind.
    const KIND: Kind;
    /// Which of the two parts of the store holds its objects.
    const PART: StorePart;

    /// The objects of the type in a store.
    fn objects_mut(store: &mut Store) -> &mut Objects<Self>;
}

/// The parts of the store. Who waits for a change waits for one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StorePart {
    /// Whole objects. A change of them is a change of the input.
    Snapshot,
    /// Versions of objects that are fetched by name. A change of them matters only where something refers to the object.
    Versions,
}

/// Everything that the watches have seen.
#[derive(Default)]
pub(super) struct Store {
    /// All objects but those that are fetched by name.
    snapshot: Snapshot,
    /// The versions of Secrets, without their contents.
    secret_versions: Objects<ResourceVersion<Secret>>,
    /// The versions of ConfigMaps, without their contents.
    config_map_versions: Objects<ResourceVersion<ConfigMap>>,
    /// Objects whose newest version can't be read.
    unreadable: BTreeMap<ObjectRef, Unreadable>,
    /// For each list that is awaited, whether it has come once.
    listed: Vec<bool>,
}

/// Objects of one list, as they come in.
pub(super) type ObjectList<K> = BTreeMap<Key, Result<K, Unreadable>>;

/// Stands for a list that has to come before the store is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListSlot(usize);

/// The effect of a list on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListEffect {
    /// It is the first list of its slot: the store may be complete now.
    First,
    /// Objects came, went or changed.
    Changed,
    /// Nothing is different.
    Unchanged,
}

impl<K: SnapshotKind> Stored for K {
    const KIND: Kind = <K as SnapshotKind>::KIND;
    const PART: StorePart = StorePart::Snapshot;

    fn objects_mut(store: &mut Store) -> &mut Objects<Self> {
        <K as SnapshotKind>::objects_mut(&mut store.snapshot)
    }
}

impl Stored for ResourceVersion<Secret> {
    const KIND: Kind = Kind::Secret;
    const PART: StorePart = StorePart::Versions;

    fn objects_mut(store: &mut Store) -> &mut Objects<Self> {
        &mut store.secret_versions
    }
}

impl Stored for ResourceVersion<ConfigMap> {
    const KIND: Kind = Kind::ConfigMap;
    const PART: StorePart = StorePart::Versions;

    fn objects_mut(store: &mut Store) -> &mut Objects<Self> {
        &mut store.config_map_versions
    }
}

impl Store {
    /// One more list that must come before the store is complete.
    pub(super) fn expect_list(&mut self) -> ListSlot {
        self.listed.push(false);
        ListSlot(self.listed.len() - 1)
    }

    /// Whether every list that is awaited has come once.
    pub(super) fn is_complete(&self) -> bool {
        self.listed.iter().all(|listed| *listed)
    }

    /// Takes a complete list. It replaces all objects for which `covers` is true.
    pub(super) fn replace<K: Stored>(
        &mut self,
        slot: Option<ListSlot>,
        list: ObjectList<K>,
        covers: impl Fn(&Key) -> bool,
    ) -> ListEffect {
        let known = K::objects_mut(self).keys();
        let gone: Vec<Key> = known.filter(|key| covers(key) && !list.contains_key(*key)).cloned().collect();
        let mut changed = !gone.is_empty();
        for key in gone {
            self.remove::<K>(&key);
        }
        self.unreadable
            .retain(|object, _| object.kind != K::KIND || !covers(&object.key) || list.contains_key(&object.key));
        for (key, object) in alternating(list) {
            changed |= self.put(key, object);
        }
        let first = slot.is_some_and(|ListSlot(index)| !std::mem::replace(&mut self.listed[index], true));
        match (first, changed) {
            (true, _) => ListEffect::First,
            (false, true) => ListEffect::Changed,
            (false, false) => ListEffect::Unchanged,
        }
    }

    /// Takes a new or newer object. Whether it made a difference.
    pub(super) fn put<K: Stored>(&mut self, key: Key, object: Result<K, Unreadable>) -> bool {
        let reference = ObjectRef { kind: K::KIND, key: key.clone() };
        match object {
            Ok(object) => {
                let was_unreadable = self.unreadable.remove(&reference).is_some();
                let objects = K::objects_mut(self);
                if objects.get(&key).is_some_and(|known| **known == object) {
                    return was_unreadable;
                }
                // The key that is there already is shared with other maps.
                let key = objects.get_key_value(&key).map_or(key, |(known, _)| known.clone());
                objects.insert(key, Arc::new(object));
                true
            }
            // Its last good version stays.
            Err(why) => self.unreadable.insert(reference, why.clone()) != Some(why),
        }
    }

    /// Removes an object that is gone.
    pub(super) fn remove<K: Stored>(&mut self, key: &Key) {
        K::objects_mut(self).remove(key);
        self.unreadable.remove(&ObjectRef { kind: K::KIND, key: key.clone() });
    }

    /// The versions of Secrets.
    pub(super) fn secret_versions(&self) -> Objects<ResourceVersion<Secret>> {
        self.secret_versions.clone()
    }

    /// The versions of ConfigMaps.
    pub(super) fn config_map_versions(&self) -> Objects<ResourceVersion<ConfigMap>> {
        self.config_map_versions.clone()
    }

    /// All objects but those that are fetched by name.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.snapshot.clone();
        let unreadable = self.unreadable.keys().filter(|object| object.kind == Kind::IngressClass);
        let refused = unreadable.filter(|class| !self.snapshot.contains(class));
        snapshot.refused_classes = refused.map(|class| class.name().to_owned()).collect();
        snapshot
    }

    /// Reports on objects that can't be read.
    pub(super) fn reports(&self) -> Vec<Report> {
        let report = |(object, why): (&ObjectRef, &Unreadable)| why.report(object, self.snapshot.contains(object));
        self.unreadable.iter().map(report).collect()
    }
}

/// Counts alone: it holds nothing secret, but very much.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("snapshot", &self.snapshot).field("listed", &self.listed).finish_non_exhaustive()
    }
}
