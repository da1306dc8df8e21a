//! Everything that the watches have seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use tokio::sync::Notify;

use super::kept::{Kept, Unreadable, Version};
use crate::api::ApplicationGateway;
use crate::model::ObjectRef;
use crate::source::snapshot::Objects;
use crate::source::{Key, Snapshot};
use crate::status::{Reason, Report, Severity};

/// What the watches have seen, and the bell that rings when it has changed.
#[derive(Debug, Default)]
pub(super) struct Shared {
    store: Mutex<Store>,
    changed: Notify,
}

/// What the watches have seen.
#[derive(Default)]
pub(super) struct Store {
    /// All but what is fetched by name.
    pub(super) snapshot: Snapshot,
    /// Secrets there are, without what is in them.
    pub(super) secrets: Objects<Version<Secret>>,
    /// ConfigMaps there are, without what is in them.
    pub(super) config_maps: Objects<Version<ConfigMap>>,
    /// Objects whose newest version can't be read.
    unreadable: BTreeMap<ObjectRef, Unreadable>,
    /// For each list that is expected, whether it has come once.
    listed: Vec<bool>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("snapshot", &self.snapshot).field("listed", &self.listed).finish_non_exhaustive()
    }
}

/// Objects of one list, as they come in.
pub(super) type List<K> = BTreeMap<Key, Result<K, Unreadable>>;

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when something has changed since it last ended.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// One more list that must come before anything is complete. Gives its number.
    pub(super) fn expect_list(&self) -> usize {
        let mut store = self.lock();
        store.listed.push(false);
        store.listed.len() - 1
    }

    /// Whether every list has come once.
    pub(super) fn complete(&self) -> bool {
        self.lock().listed.iter().all(|listed| *listed)
    }

    /// A whole list: it takes the place of all objects that `covers` is true of.
    pub(super) fn replace<K: Kept>(&self, number: usize, list: List<K>, covers: impl Fn(&Key) -> bool) {
        let mut store = self.lock();
        let gone: Vec<Key> =
            K::place(&mut store).keys().filter(|key| covers(key) && !list.contains_key(*key)).cloned().collect();
        let mut changed = !gone.is_empty();
        for key in gone {
            store.remove::<K>(&key);
        }
        store.unreadable.retain(|object, _| {
            let key = Key::new(object.namespace.as_str(), object.name.as_str());
            object.kind != K::KIND || !covers(&key) || list.contains_key(&key)
        });
        for (key, object) in list {
            changed |= store.put(key, object);
        }
        let first = !std::mem::replace(&mut store.listed[number], true);
        if changed || first {
            self.changed.notify_one();
        }
    }

    /// A new or newer object.
    pub(super) fn put<K: Kept>(&self, key: Key, object: Result<K, Unreadable>) {
        if self.lock().put(key, object) {
            self.changed.notify_one();
        }
    }

    /// An object that is gone.
    pub(super) fn remove<K: Kept>(&self, key: &Key) {
        self.lock().remove::<K>(key);
        self.changed.notify_one();
    }

    /// Secrets and ConfigMaps there are.
    pub(super) fn versions(&self) -> (Objects<Version<Secret>>, Objects<Version<ConfigMap>>) {
        let store = self.lock();
        (store.secrets.clone(), store.config_maps.clone())
    }

    /// All but what is fetched, and what can't be read.
    pub(super) fn input(&self) -> (Snapshot, Vec<Report>) {
        let store = self.lock();
        let mut snapshot = store.snapshot.clone();
        let unread = store.unreadable.keys().filter(|object| object.kind == <IngressClass as Kept>::KIND);
        let unread =
            unread.filter(|object| !snapshot.ingress_classes.contains_key(&Key::new("", object.name.as_str())));
        snapshot.refused_classes = unread.map(|object| object.name.clone()).collect();
        let reports = store.unreadable.iter().map(|(object, why)| {
            let known = store.is_known(object);
            report(object, why, known)
        });
        let reports = reports.collect();
        drop(store);
        (snapshot, reports)
    }
}

impl Store {
    /// Whether it made a difference.
    fn put<K: Kept>(&mut self, key: Key, object: Result<K, Unreadable>) -> bool {
        let name = ObjectRef::new(K::KIND, key.namespace.as_str(), key.name.as_str());
        match object {
            Ok(mut object) => {
                object.trim();
                let mended = self.unreadable.remove(&name).is_some();
                let objects = K::place(self);
                if objects.get(&key).is_some_and(|known| **known == object) {
                    return mended;
                }
                objects.insert(key, Arc::new(object));
                true
            }
            // Its last good version stays.
            Err(why) => self.unreadable.insert(name, why.clone()) != Some(why),
        }
    }

    /// Whether there is a version of an object that could be read.
    fn is_known(&self, object: &ObjectRef) -> bool {
        let key = Key::new(object.namespace.as_str(), object.name.as_str());
        let Snapshot { ingresses, ingress_classes, services, endpoint_slices, pods, gateways, .. } = &self.snapshot;
        match object.kind {
            <Ingress as Kept>::KIND => ingresses.contains_key(&key),
            <IngressClass as Kept>::KIND => ingress_classes.contains_key(&key),
            <Service as Kept>::KIND => services.contains_key(&key),
            <EndpointSlice as Kept>::KIND => endpoint_slices.contains_key(&key),
            <Pod as Kept>::KIND => pods.contains_key(&key),
            <ApplicationGateway as Kept>::KIND => gateways.contains_key(&key),
            _ => false,
        }
    }

    fn remove<K: Kept>(&mut self, key: &Key) {
        K::place(self).remove(key);
        self.unreadable.remove(&ObjectRef::new(K::KIND, key.namespace.as_str(), key.name.as_str()));
    }
}

fn report(object: &ObjectRef, why: &Unreadable, known: bool) -> Report {
    let kept = if known { "the last version that could be read goes on being served" } else { "it is not served" };
    Report {
        object: object.clone(),
        field: why.field.clone(),
        reason: Reason::InvalidObject,
        severity: Severity::Error,
        message: format!("{}, so it can't be read; {kept}", why.message),
        remedy: "correct the field, or bring the definition of the resource and the controller to the same version"
            .to_owned(),
    }
}
