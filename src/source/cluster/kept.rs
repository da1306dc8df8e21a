//! What is kept of each kind: the fields that somebody reads, and nothing else.

use std::marker::PhantomData;

use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, PodSpec, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;

use super::event::Object;
use super::store::Store;
use crate::api::ApplicationGateway;
use crate::model::Kind;
use crate::source::PackedIngress;
use crate::source::snapshot::Objects;

/// Written by kubectl into objects that it applies: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A kind as it is kept.
pub(super) trait Kept: Sized + PartialEq + Send + Sync + 'static {
    /// As objects are called in messages.
    const KIND: Kind;
    /// Whether it is a custom resource of ours.
    const DEFINED_BY_US: bool = false;
    /// Whether nothing but the version is kept.
    const VERSION_ONLY: bool = false;
    /// Drops what nobody reads.
    fn trim(&mut self);
    /// The same, for a chain of calls.
    fn trimmed(mut self) -> Self {
        self.trim();
        self
    }
    /// Where its objects are.
    fn place(store: &mut Store) -> &mut Objects<Self>;
}

/// A kind as it comes from the server.
pub(super) trait Received: Send + 'static {
    /// The kind as the server has it.
    type Resource: Resource<DynamicType = ()>;
    /// As it is kept.
    type Kept: Kept;
    /// Whether nothing but metadata is asked for.
    const METADATA_ONLY: bool = false;
    /// Whether a server may well not know the kind.
    const MAY_BE_ABSENT: bool = false;
    /// The object; or why it can't be read.
    fn read(object: &Object<'_>) -> Result<Self::Kept, Unreadable>;
}

/// Why an object can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The field's path.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) message: String,
}

/// Objects that are kept as they come.
pub(super) struct Whole<K>(PhantomData<fn() -> K>);

impl<K> Received for Whole<K>
where
    K: Kept + Resource<DynamicType = ()> + DeserializeOwned,
{
    type Resource = K;
    type Kept = K;
    const MAY_BE_ABSENT: bool = K::DEFINED_BY_US;

    fn read(object: &Object<'_>) -> Result<K, Unreadable> {
        // At once, for a list holds thousands before it is whole.
        typed(object).map(K::trimmed)
    }
}

/// Ingresses, which are kept packed.
pub(super) struct Ingresses;

impl Received for Ingresses {
    type Resource = Ingress;
    type Kept = PackedIngress;

    fn read(object: &Object<'_>) -> Result<PackedIngress, Unreadable> {
        let mut ingress: Ingress = typed(object)?;
        trim_with_status(&mut ingress.metadata);
        Ok(ingress.into())
    }
}

/// The object that a text holds.
fn typed<K: DeserializeOwned>(object: &Object<'_>) -> Result<K, Unreadable> {
    let mut json = serde_json::Deserializer::from_str(object.json);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        // Lines and columns of a text that nobody sees.
        let message = message.split_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        Unreadable { field: if path == "." { String::new() } else { path }, message: message.to_owned() }
    })
}

/// Objects of which only the version is watched.
pub(super) struct Versions<K>(PhantomData<fn() -> K>);

impl<K> Received for Versions<K>
where
    K: Resource<DynamicType = ()> + Send + 'static,
    Version<K>: Kept,
{
    type Resource = K;
    type Kept = Version<K>;
    const METADATA_ONLY: bool = true;

    fn read(object: &Object<'_>) -> Result<Version<K>, Unreadable> {
        Ok(Version { version: object.version.clone(), of: PhantomData })
    }
}

/// The version of an object that is fetched only where something refers to it.
pub(super) struct Version<K> {
    /// Its resourceVersion.
    pub(super) version: String,
    of: PhantomData<fn() -> K>,
}

impl<K> PartialEq for Version<K> {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

fn trim(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
    metadata.resource_version = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// As `trim`, but for what the writer of status has to know.
fn trim_with_status(metadata: &mut ObjectMeta) {
    let mut owners = metadata.managed_fields.take().unwrap_or_default();
    owners.retain(|owner| owner.subresource.as_deref() == Some("status"));
    // Who has the fields is of interest, not which they are.
    owners.iter_mut().for_each(|owner| owner.fields_v1 = None);
    let version = metadata.resource_version.take();
    trim(metadata);
    metadata.resource_version = version;
    metadata.managed_fields = Some(owners).filter(|owners| !owners.is_empty());
}

impl Kept for PackedIngress {
    const KIND: Kind = Kind::Ingress;
    fn trim(&mut self) {}
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.snapshot.ingresses
    }
}

impl Kept for ApplicationGateway {
    const KIND: Kind = Kind::ApplicationGateway;
    const DEFINED_BY_US: bool = true;
    fn trim(&mut self) {
        trim_with_status(&mut self.metadata);
    }
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.snapshot.gateways
    }
}

impl Kept for IngressClass {
    const KIND: Kind = Kind::IngressClass;
    fn trim(&mut self) {
        trim(&mut self.metadata);
    }
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.snapshot.ingress_classes
    }
}

impl Kept for Service {
    const KIND: Kind = Kind::Service;
    fn trim(&mut self) {
        trim(&mut self.metadata);
    }
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.snapshot.services
    }
}

impl Kept for EndpointSlice {
    const KIND: Kind = Kind::EndpointSlice;
    fn trim(&mut self) {
        trim(&mut self.metadata);
        // The time of the last change, among others: it changes with nothing that matters.
        self.metadata.annotations = None;
        self.metadata.generation = None;
    }
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.snapshot.endpoint_slices
    }
}

impl Kept for Pod {
    const KIND: Kind = Kind::Pod;
    /// Only what probes can be inferred from, and how long it takes to go.
    fn trim(&mut self) {
        let Self { metadata, spec, status } = self;
        *status = None;
        *metadata = ObjectMeta {
            name: metadata.name.take(),
            namespace: metadata.namespace.take(),
            uid: metadata.uid.take(),
            deletion_timestamp: metadata.deletion_timestamp.take(),
            deletion_grace_period_seconds: metadata.deletion_grace_period_seconds,
            ..ObjectMeta::default()
        };
        if let Some(spec) = spec {
            let whole = std::mem::take(spec);
            *spec = PodSpec {
                containers: whole.containers.into_iter().map(trim_container).collect(),
                init_containers: whole
                    .init_containers
                    .map(|containers| containers.into_iter().map(trim_container).collect()),
                termination_grace_period_seconds: whole.termination_grace_period_seconds,
                ..PodSpec::default()
            };
        }
    }
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.snapshot.pods
    }
}

fn trim_container(whole: Container) -> Container {
    Container {
        name: whole.name,
        ports: whole.ports,
        readiness_probe: whole.readiness_probe,
        liveness_probe: whole.liveness_probe,
        restart_policy: whole.restart_policy,
        ..Container::default()
    }
}

impl Kept for Version<Secret> {
    const KIND: Kind = Kind::Secret;
    const VERSION_ONLY: bool = true;
    fn trim(&mut self) {}
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.secrets
    }
}

impl Kept for Version<ConfigMap> {
    const KIND: Kind = Kind::ConfigMap;
    const VERSION_ONLY: bool = true;
    fn trim(&mut self) {}
    fn place(store: &mut Store) -> &mut Objects<Self> {
        &mut store.config_maps
    }
}
