//! EndpointSlices by the Service that they belong to and by the pods that they mention.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::change::Changes;
use crate::source::{Key, Snapshot};

/// The names of EndpointSlices, by Service and by pod. It is updated at the cost of what has changed.
#[derive(Debug, Default)]
pub(super) struct SliceIndex {
    by_service: BTreeMap<Key, BTreeSet<String>>,
    by_pod: BTreeMap<Key, BTreeSet<String>>,
}

/// The objects that an update of the index touches.
#[derive(Debug)]
pub(super) struct TouchedEndpoints {
    /// Slices that have changed, or that mention a pod that has.
    pub(super) slices: BTreeSet<Key>,
    /// Services that have changed, or whose slices are touched.
    pub(super) services: BTreeSet<Key>,
}

impl SliceIndex {
    /// Takes in the changes from one snapshot to the next.
    pub(super) fn update(&mut self, old: &Snapshot, new: &Snapshot, changes: &Changes) -> TouchedEndpoints {
        for key in &changes.endpoint_slices {
            if let Some(slice) = old.endpoint_slices.get(key) {
                remove(&mut self.by_service, service_of(key, slice), key.name());
                pods_of(key, slice).for_each(|pod| remove(&mut self.by_pod, Some(pod), key.name()));
            }
            if let Some(slice) = new.endpoint_slices.get(key) {
                add(&mut self.by_service, service_of(key, slice), key.name());
                pods_of(key, slice).for_each(|pod| add(&mut self.by_pod, Some(pod), key.name()));
            }
        }
        let mut slices = changes.endpoint_slices.clone();
        for pod in &changes.pods {
            let names = self.by_pod.get(pod).into_iter().flatten();
            slices.extend(names.map(|name| Key::new(pod.namespace(), name)));
        }
        let mut services = changes.services.clone();
        for snapshot in [old, new] {
            let known = slices.iter().filter_map(|key| Some((key, snapshot.endpoint_slices.get(key)?)));
            services.extend(known.filter_map(|(key, slice)| service_of(key, slice)));
        }
        TouchedEndpoints { slices, services }
    }

    /// The names of the slices of a Service, which are in its namespace.
    pub(super) fn slices_of<'s>(&'s self, service: &Key) -> impl Iterator<Item = &'s str> + use<'s> {
        self.by_service.get(service).into_iter().flatten().map(String::as_str)
    }
}

/// The Service that a slice belongs to.
fn service_of(key: &Key, slice: &EndpointSlice) -> Option<Key> {
    let service = slice.metadata.labels.as_ref()?.get("kubernetes.io/service-name")?;
    Some(Key::new(key.namespace(), service.as_str()))
}

/// The pods that a slice mentions.
fn pods_of<'s>(key: &'s Key, slice: &'s EndpointSlice) -> impl Iterator<Item = Key> {
    let targets = slice.endpoints.iter().flatten().filter_map(|endpoint| endpoint.target_ref.as_ref());
    let pods = targets.filter(|target| target.kind.as_deref() == Some("Pod"));
    pods.filter_map(|pod| Some(Key::new(key.namespace(), pod.name.as_deref()?)))
}

fn add(names_by_key: &mut BTreeMap<Key, BTreeSet<String>>, key: Option<Key>, name: &str) {
    let Some(key) = key else { return };
    names_by_key.entry(key).or_default().insert(name.to_owned());
}

fn remove(names_by_key: &mut BTreeMap<Key, BTreeSet<String>>, key: Option<Key>, name: &str) {
    let Some(key) = key else { return };
    let Some(names) = names_by_key.get_mut(&key) else { return };
    names.remove(name);
    if names.is_empty() {
        names_by_key.remove(&key);
    }
}
