//! Everything that the watches have seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use tokio::sync::Notify;

use super::fetch::Fetcher;
use super::kept::{Kept, Version};
use crate::model::ObjectRef;
use crate::source::snapshot::Objects;
use crate::source::{Input, Key, Snapshot};
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
    unreadable: BTreeMap<ObjectRef, String>,
    /// For each list that is expected, whether it has come once.
    listed: Vec<bool>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("snapshot", &self.snapshot).field("listed", &self.listed).finish_non_exhaustive()
    }
}

/// Objects of one list, as they come in.
pub(super) type List<K> = BTreeMap<Key, Result<K, String>>;

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when something has changed, or after `limit`.
    pub(super) async fn changed(&self, limit: Option<Duration>) {
        match limit {
            Some(limit) => drop(tokio::time::timeout(limit, self.changed.notified()).await),
            None => self.changed.notified().await,
        }
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
    pub(super) fn put<K: Kept>(&self, key: Key, object: Result<K, String>) {
        if self.lock().put(key, object) {
            self.changed.notify_one();
        }
    }

    /// An object that is gone.
    pub(super) fn remove<K: Kept>(&self, key: &Key) {
        self.lock().remove::<K>(key);
        self.changed.notify_one();
    }

    /// All there is to say now.
    pub(super) fn input(&self, fetched: &Fetcher) -> Input {
        let store = self.lock();
        let mut snapshot = store.snapshot.clone();
        fetched.fill(&mut snapshot);
        let mut reports: Vec<Report> =
            store.unreadable.iter().map(|(object, error)| unreadable(object, error)).collect();
        reports.extend(fetched.reports());
        Input { snapshot: Arc::new(snapshot), reports, origins: Arc::default() }
    }
}

impl Store {
    /// Whether it made a difference.
    fn put<K: Kept>(&mut self, key: Key, object: Result<K, String>) -> bool {
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
            Err(error) => self.unreadable.insert(name, error.clone()) != Some(error),
        }
    }

    fn remove<K: Kept>(&mut self, key: &Key) {
        K::place(self).remove(key);
        self.unreadable.remove(&ObjectRef::new(K::KIND, key.namespace.as_str(), key.name.as_str()));
    }
}

fn unreadable(object: &ObjectRef, error: &str) -> Report {
    Report {
        object: object.clone(),
        field: String::new(),
        reason: Reason::InvalidObject,
        severity: Severity::Error,
        message: format!("it can't be read: {error}; its last good version, if there was one, goes on being served"),
        remedy: "correct it, or bring the custom resource definition and the controller to the same version".to_owned(),
    }
}
