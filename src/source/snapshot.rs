//! Every input object at one instant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use crate::api::ApplicationGateway;

/// Namespace and name; the namespace is empty for kinds that have none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// `namespace`/`name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Objects of one kind.
pub type Objects<K> = BTreeMap<Key, Arc<K>>;

/// Every input object at one instant. Cheap to clone: objects are shared.
#[derive(Clone, Default, PartialEq)]
pub struct Snapshot {
    /// networking.k8s.io/v1
    pub ingresses: Objects<Ingress>,
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
