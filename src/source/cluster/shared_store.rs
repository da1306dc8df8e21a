//! The store as its users share it: the watches write, the publisher reads, and is woken by changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::store::{ListEffect, ListSlot, ObjectList, Store, StorePart, Stored};
use super::unreadable::Unreadable;
use crate::source::Key;

/// A store, and a bell for each of its parts that rings when something there has changed.
#[derive(Debug, Default)]
pub(super) struct SharedStore {
    store: Mutex<Store>,
    snapshot_changed: Notify,
    versions_changed: Notify,
}

impl SharedStore {
    /// The store. Not to be held over an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when whole objects have changed, or the first list of a slot has come, since this last ended.
    pub(super) async fn snapshot_changed(&self) {
        self.snapshot_changed.notified().await;
    }

    /// Ends when a version has changed, of an object that nothing may refer to, since this last ended.
    pub(super) async fn versions_changed(&self) {
        self.versions_changed.notified().await;
    }

    /// [`Store::replace`].
    pub(super) fn replace<K: Stored>(
        &self,
        slot: Option<ListSlot>,
        list: ObjectList<K>,
        covers: impl Fn(&Key) -> bool,
    ) {
        let effect = self.lock().replace(slot, list, covers);
        match effect {
            ListEffect::First => self.snapshot_changed.notify_one(),
            ListEffect::Changed => self.ring(K::PART),
            ListEffect::Unchanged => {}
        }
    }

    /// [`Store::put`].
    pub(super) fn put<K: Stored>(&self, key: Key, object: Result<K, Unreadable>) {
        let changed = self.lock().put(key, object);
        if changed {
            self.ring(K::PART);
        }
    }

    /// [`Store::remove`].
    pub(super) fn remove<K: Stored>(&self, key: &Key) {
        self.lock().remove::<K>(key);
        self.ring(K::PART);
    }

    fn ring(&self, part: StorePart) {
        match part {
            StorePart::Snapshot => &self.snapshot_changed,
            StorePart::Versions => &self.versions_changed,
        }
        .notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::report::Report;
    use crate::source::kind::KindRules;
    use crate::source::{PackedIngress, Snapshot};
    use futures_util::FutureExt;
    use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
    use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn pod(namespace: &str, name: &str, phase: &str, grace: i64) -> Pod {
        let mut pod = Pod {
            metadata: ObjectMeta {
                namespace: Some(namespace.to_owned()),
                name: Some(name.to_owned()),
                resource_version: Some(phase.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec { termination_grace_period_seconds: Some(grace), ..PodSpec::default() }),
            status: Some(PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() }),
        };
        Pod::trim(&mut pod);
        pod
    }

    fn input(store: &SharedStore) -> (Snapshot, Vec<Report>) {
        let store = store.lock();
        (store.snapshot(), store.reports())
    }

    fn broken() -> Unreadable {
        Unreadable { field: "spec".to_owned(), message: "missing".to_owned() }
    }

    fn has_changed(store: &SharedStore) -> bool {
        store.snapshot_changed().now_or_never().is_some()
    }

    #[test]
    fn only_a_field_that_is_read_makes_a_change() {
        let (store, key) = (SharedStore::default(), Key::new("n", "a"));
        store.put(key.clone(), Ok(pod("n", "a", "Pending", 30)));
        assert!(has_changed(&store));
        store.put(key.clone(), Ok(pod("n", "a", "Running", 30)));
        assert!(!has_changed(&store), "a status that nobody reads");
        store.put(key, Ok(pod("n", "a", "Running", 60)));
        assert!(has_changed(&store));
    }

    #[test]
    fn the_last_version_that_can_be_read_outlives_those_that_can_not() {
        let (store, key) = (SharedStore::default(), Key::new("n", "a"));
        let list = store.lock().expect_list();
        store.put(key.clone(), Ok(pod("n", "a", "Running", 30)));
        store.put::<Pod>(key.clone(), Err(broken()));
        let (snapshot, reports) = input(&store);
        assert_eq!(snapshot.pods.len(), 1);
        assert!(reports[0].message.contains("goes on being served"), "{}", reports[0]);
        // A list that has it does not end it, one that has not does.
        store.replace::<Pod>(Some(list), ObjectList::from([(key.clone(), Err(broken()))]), |_| true);
        assert_eq!(input(&store).0.pods.len(), 1);
        store.replace::<Pod>(Some(list), ObjectList::new(), |_| true);
        let (snapshot, reports) = input(&store);
        assert_eq!((snapshot.pods.len(), reports.len()), (0, 0));
        store.put::<Pod>(key, Err(broken()));
        assert!(input(&store).1[0].message.contains("not served"));
    }

    #[test]
    fn a_list_replaces_only_what_it_covers() {
        let store = SharedStore::default();
        let list = store.lock().expect_list();
        for namespace in ["one", "two"] {
            store.put(Key::new(namespace, "a"), Ok(pod(namespace, "a", "Running", 30)));
        }
        store.replace::<Pod>(Some(list), ObjectList::new(), |key| key.namespace() == "one");
        let left: Vec<Key> = input(&store).0.pods.keys().cloned().collect();
        assert_eq!(left, [Key::new("two", "a")]);
    }

    #[test]
    fn a_class_that_can_not_be_read_is_there_all_the_same() {
        let store = SharedStore::default();
        store.put::<IngressClass>(Key::new("", "web"), Err(broken()));
        assert!(input(&store).0.refused_classes.contains("web"));
    }

    /// Kinds that have not changed are store between snapshots, however many objects they have.
    #[test]
    fn a_change_of_one_kind_copies_no_other() {
        let store = SharedStore::default();
        for number in 0..10_000 {
            let name = format!("pod-{number}");
            store.put(Key::new("n", name.as_str()), Ok(pod("n", &name, "Running", 30)));
        }
        for number in 0..3_000 {
            let name = format!("ingress-{number}");
            store.put(Key::new("n", name), Ok(PackedIngress::from(Ingress::default())));
        }
        let (before, _) = input(&store);
        let began = Instant::now();
        store.put(Key::new("n", "new"), Ok(PackedIngress::from(Ingress::default())));
        let (after, _) = input(&store);
        println!("a change among 3,000 Ingresses and 10,000 Pods: {:?}", began.elapsed());
        assert!(before.pods.ptr_eq(&after.pods));
        assert_eq!((before.ingresses.len(), after.ingresses.len()), (3_000, 3_001));
    }
}
