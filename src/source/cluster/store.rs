//! Everything that the watches have seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::networking::v1::IngressClass;
use tokio::sync::Notify;

use super::kept::{Kept, Unreadable, Version};
use crate::model::{Kind, ObjectRef, alternating};
use crate::report::{Reason, Report, Severity};
use crate::source::snapshot::Objects;
use crate::source::{Key, Snapshot};

/// What the watches have seen, and the bell that rings when it has changed.
#[derive(Debug, Default)]
pub(super) struct Shared {
    store: Mutex<Store>,
    changed: Notify,
    versions_changed: Notify,
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
    pub(super) fn replace<K: Kept>(&self, number: Option<usize>, list: List<K>, covers: impl Fn(&Key) -> bool) {
        let mut store = self.lock();
        let gone: Vec<Key> =
            K::place(&mut store).keys().filter(|key| covers(key) && !list.contains_key(*key)).cloned().collect();
        let mut changed = !gone.is_empty();
        for key in gone {
            store.remove::<K>(&key);
        }
        store
            .unreadable
            .retain(|object, _| object.kind != K::KIND || !covers(&object.key) || list.contains_key(&object.key));
        for (key, object) in alternating(list) {
            changed |= store.put(key, object);
        }
        let first = number.is_some_and(|number| !std::mem::replace(&mut store.listed[number], true));
        if first {
            self.changed.notify_one();
        } else if changed {
            self.ring::<K>();
        }
    }

    /// A new or newer object.
    pub(super) fn put<K: Kept>(&self, key: Key, object: Result<K, Unreadable>) {
        if self.lock().put(key, object) {
            self.ring::<K>();
        }
    }

    /// An object that is gone.
    pub(super) fn remove<K: Kept>(&self, key: &Key) {
        self.lock().remove::<K>(key);
        self.ring::<K>();
    }

    fn ring<K: Kept>(&self) {
        if K::VERSION_ONLY { &self.versions_changed } else { &self.changed }.notify_one();
    }

    /// Ends when a version has changed of something that may not be referred to at all.
    pub(super) async fn versions_changed(&self) {
        self.versions_changed.notified().await;
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
        let unread = unread.filter(|object| !snapshot.ingress_classes.contains_key(&Key::new("", object.name())));
        snapshot.refused_classes = unread.map(|object| object.name().to_owned()).collect();
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
        let name = ObjectRef { kind: K::KIND, key: key.clone() };
        match object {
            Ok(object) => {
                let mended = self.unreadable.remove(&name).is_some();
                let objects = K::place(self);
                if objects.get(&key).is_some_and(|known| **known == object) {
                    return mended;
                }
                // The name that other maps have too.
                let key = objects.get_key_value(&key).map_or(key, |(known, _)| known.clone());
                objects.insert(key, Arc::new(object));
                true
            }
            // Its last good version stays.
            Err(why) => self.unreadable.insert(name, why.clone()) != Some(why),
        }
    }

    /// Whether there is a version of an object that could be read.
    fn is_known(&self, object: &ObjectRef) -> bool {
        let Snapshot { ingresses, ingress_classes, services, endpoint_slices, pods, gateways, .. } = &self.snapshot;
        match object.kind {
            Kind::Ingress => ingresses.contains_key(&object.key),
            Kind::IngressClass => ingress_classes.contains_key(&object.key),
            Kind::Service => services.contains_key(&object.key),
            Kind::EndpointSlice => endpoint_slices.contains_key(&object.key),
            Kind::Pod => pods.contains_key(&object.key),
            Kind::ApplicationGateway => gateways.contains_key(&object.key),
            _ => false,
        }
    }

    fn remove<K: Kept>(&mut self, key: &Key) {
        K::place(self).remove(key);
        self.unreadable.remove(&ObjectRef { kind: K::KIND, key: key.clone() });
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::source::PackedIngress;
    use futures_util::FutureExt;
    use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
    use k8s_openapi::api::networking::v1::Ingress;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn pod(namespace: &str, name: &str, phase: &str, grace: i64) -> Pod {
        Pod {
            metadata: ObjectMeta {
                namespace: Some(namespace.to_owned()),
                name: Some(name.to_owned()),
                resource_version: Some(phase.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec { termination_grace_period_seconds: Some(grace), ..PodSpec::default() }),
            status: Some(PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() }),
        }
        .trimmed()
    }

    fn broken() -> Unreadable {
        Unreadable { field: "spec".to_owned(), message: "missing".to_owned() }
    }

    fn has_changed(shared: &Shared) -> bool {
        shared.changed().now_or_never().is_some()
    }

    #[test]
    fn only_what_is_kept_makes_a_change() {
        let (shared, key) = (Shared::default(), Key::new("n", "a"));
        shared.put(key.clone(), Ok(pod("n", "a", "Pending", 30)));
        assert!(has_changed(&shared));
        shared.put(key.clone(), Ok(pod("n", "a", "Running", 30)));
        assert!(!has_changed(&shared), "a status that nobody reads");
        shared.put(key, Ok(pod("n", "a", "Running", 60)));
        assert!(has_changed(&shared));
    }

    #[test]
    fn the_last_version_that_can_be_read_outlives_those_that_can_not() {
        let (shared, key) = (Shared::default(), Key::new("n", "a"));
        let list = shared.expect_list();
        shared.put(key.clone(), Ok(pod("n", "a", "Running", 30)));
        shared.put::<Pod>(key.clone(), Err(broken()));
        let (snapshot, reports) = shared.input();
        assert_eq!(snapshot.pods.len(), 1);
        assert!(reports[0].message.contains("goes on being served"), "{}", reports[0]);
        // A list that has it does not end it, one that has not does.
        shared.replace::<Pod>(Some(list), List::from([(key.clone(), Err(broken()))]), |_| true);
        assert_eq!(shared.input().0.pods.len(), 1);
        shared.replace::<Pod>(Some(list), List::new(), |_| true);
        let (snapshot, reports) = shared.input();
        assert_eq!((snapshot.pods.len(), reports.len()), (0, 0));
        shared.put::<Pod>(key, Err(broken()));
        assert!(shared.input().1[0].message.contains("not served"));
    }

    #[test]
    fn a_list_replaces_only_what_it_covers() {
        let shared = Shared::default();
        let list = shared.expect_list();
        for namespace in ["one", "two"] {
            shared.put(Key::new(namespace, "a"), Ok(pod(namespace, "a", "Running", 30)));
        }
        shared.replace::<Pod>(Some(list), List::new(), |key| key.namespace() == "one");
        let left: Vec<Key> = shared.input().0.pods.keys().cloned().collect();
        assert_eq!(left, [Key::new("two", "a")]);
    }

    #[test]
    fn a_class_that_can_not_be_read_is_there_all_the_same() {
        let shared = Shared::default();
        shared.put::<IngressClass>(Key::new("", "web"), Err(broken()));
        assert!(shared.input().0.refused_classes.contains("web"));
    }

    /// Kinds that have not changed are shared between snapshots, however many objects they have.
    #[test]
    fn a_change_of_one_kind_copies_no_other() {
        let shared = Shared::default();
        for number in 0..10_000 {
            let name = format!("pod-{number}");
            shared.put(Key::new("n", name.as_str()), Ok(pod("n", &name, "Running", 30)));
        }
        for number in 0..3_000 {
            let name = format!("ingress-{number}");
            shared.put(Key::new("n", name), Ok(PackedIngress::from(Ingress::default())));
        }
        let (before, _) = shared.input();
        let began = Instant::now();
        shared.put(Key::new("n", "new"), Ok(PackedIngress::from(Ingress::default())));
        let (after, _) = shared.input();
        println!("a change among 3,000 Ingresses and 10,000 Pods: {:?}", began.elapsed());
        assert!(before.pods.ptr_eq(&after.pods));
        assert_eq!((before.ingresses.len(), after.ingresses.len()), (3_000, 3_001));
    }
}
