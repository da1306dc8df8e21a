//! Every input object at one instant.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::PackedIngress;
use crate::api::ApplicationGateway;
use crate::model::Key;

/// Objects of one kind, by name. Cheap to clone; two that were one share what has not been changed since.
pub type Objects<K> = OrdMap<Key, Arc<K>>;

/// Names of objects that are worth fetching, for others refer to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Of Secrets.
    pub secrets: OrdSet<Key>,
    /// Of ConfigMaps.
    pub config_maps: OrdSet<Key>,
}

/// Every input object at one instant. Cheap to clone: objects are shared.
#[derive(Clone, Default, PartialEq)]
pub struct Snapshot {
    /// networking.k8s.io/v1
    pub ingresses: Objects<PackedIngress>,
    /// networking.k8s.io/v1, without a namespace
    pub ingress_classes: Objects<IngressClass>,
    /// v1
    pub services: Objects<Service>,
    /// discovery.k8s.io/v1
    pub endpoint_slices: Objects<EndpointSlice>,
    /// v1, for the inference of probes
    pub pods: Objects<Pod>,
    /// v1
    pub secrets: Objects<Secret>,
    /// v1
    pub config_maps: Objects<ConfigMap>,
    /// v1, without a namespace
    pub namespaces: Objects<Namespace>,
    /// steadygate.io/v1alpha1
    pub gateways: Objects<ApplicationGateway>,
    /// Names of IngressClasses that are there, but refused.
    pub refused_classes: BTreeSet<String>,
}

impl Snapshot {
    /// Whether both ask for the same to be served: they differ in status and its bookkeeping at most. Quick where objects
    /// are shared.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let Self {
            ingresses,
            ingress_classes,
            services,
            endpoint_slices,
            pods,
            secrets,
            config_maps,
            namespaces,
            gateways,
            refused_classes,
        } = self;
        let same_ingress = |a: &PackedIngress, b: &PackedIngress| {
            let (a, b) = (a.unpack(), b.unpack());
            a.spec == b.spec && same_metadata(&a.metadata, &b.metadata)
        };
        same(ingresses, &other.ingresses, same_ingress)
            && same(gateways, &other.gateways, |a, b| a.spec == b.spec && same_metadata(&a.metadata, &b.metadata))
            && same(services, &other.services, |a, b| a.spec == b.spec && same_metadata(&a.metadata, &b.metadata))
            && same(endpoint_slices, &other.endpoint_slices, PartialEq::eq)
            && same(ingress_classes, &other.ingress_classes, PartialEq::eq)
            && same(pods, &other.pods, PartialEq::eq)
            && same(secrets, &other.secrets, PartialEq::eq)
            && same(config_maps, &other.config_maps, PartialEq::eq)
            && same(namespaces, &other.namespaces, PartialEq::eq)
            && *refused_classes == other.refused_classes
    }
}

fn same<K: PartialEq>(ours: &Objects<K>, theirs: &Objects<K>, equal: impl Fn(&K, &K) -> bool) -> bool {
    ours.diff(theirs).all(|item| match item {
        DiffItem::Update { old: (_, a), new: (_, b) } => equal(a, b),
        DiffItem::Add(..) | DiffItem::Remove(..) => false,
    })
}

fn same_metadata(ours: &ObjectMeta, theirs: &ObjectMeta) -> bool {
    let without =
        |metadata: &ObjectMeta| ObjectMeta { managed_fields: None, resource_version: None, ..metadata.clone() };
    without(ours) == without(theirs)
}

/// Counts alone: a Secret's `Debug` would print what it holds.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("ingresses", &self.ingresses.len())
            .field("services", &self.services.len())
            .field("endpoint_slices", &self.endpoint_slices.len())
            .field("secrets", &self.secrets.len())
            .field("gateways", &self.gateways.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::{Ingress, IngressSpec, IngressStatus};

    use super::*;

    #[test]
    fn a_status_asks_for_nothing() {
        let one = |change: &dyn Fn(&mut Ingress)| {
            let mut ingress = Ingress::default();
            change(&mut ingress);
            let mut snapshot = Snapshot::default();
            snapshot.ingresses.insert(Key::new("a", "b"), Arc::new(ingress.into()));
            snapshot
        };
        let first = one(&|_| {});
        let asks_the_same = |change: &dyn Fn(&mut Ingress)| first.asks_the_same(&one(change));
        assert!(asks_the_same(&|ingress| ingress.status = Some(IngressStatus::default())));
        assert!(asks_the_same(&|ingress| ingress.metadata.resource_version = Some("2".to_owned())));
        assert!(!asks_the_same(&|ingress| ingress.spec = Some(IngressSpec::default())));
        assert!(!asks_the_same(&|ingress| ingress.metadata.annotations = Some(Default::default())));
        assert!(!first.asks_the_same(&Snapshot::default()));
    }
}
