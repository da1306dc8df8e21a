//! The snapshot, with the one index that translation needs: EndpointSlices by Service.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::source::{Key, Snapshot};

/// Objects by name.
#[derive(Debug)]
pub(super) struct Lookup<'a> {
    snapshot: &'a Snapshot,
    slices: BTreeMap<Key, Vec<(&'a Key, &'a EndpointSlice)>>,
}

impl<'a> Lookup<'a> {
    /// Indexes `snapshot`.
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let mut slices: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, slice) in &snapshot.endpoint_slices {
            let labels = slice.metadata.labels.as_ref();
            let Some(service) = labels.and_then(|labels| labels.get("kubernetes.io/service-name")) else { continue };
            slices.entry(Key::new(key.namespace.as_str(), service.as_str())).or_default().push((key, &**slice));
        }
        Self { snapshot, slices }
    }

    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        self.snapshot.services.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    /// The slices of a Service, by name.
    pub(super) fn slices(&self, namespace: &str, service: &str) -> &[(&'a Key, &'a EndpointSlice)] {
        self.slices.get(&Key::new(namespace, service)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<&'a Pod> {
        self.snapshot.pods.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<&'a Secret> {
        self.snapshot.secrets.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    pub(super) fn config_map(&self, namespace: &str, name: &str) -> Option<&'a ConfigMap> {
        self.snapshot.config_maps.get(&Key::new(namespace, name)).map(|object| &**object)
    }
}
