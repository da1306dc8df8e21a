//! Documents to typed objects: recognised, held to the schema of their kind, given the defaults that an API
//! server gives, and validated as one would.

mod read;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::IngressClass;
use serde_json::Value;

use super::kind::{Recognised, recognise};
use super::problem::{Problem, Problems};
use super::span::{Inner, Span};
use super::yaml::Document;
use super::{Key, PackedIngress, Snapshot};
use crate::api::ApplicationGateway;
use crate::model::Kind;
use crate::model::ObjectRef;
use crate::report::Reason;

/// An object that is read, of any kind.
#[derive(Clone, PartialEq)]
pub(super) enum Object {
    Ingress(Arc<PackedIngress>),
    IngressClass(Arc<IngressClass>),
    EndpointSlice(Arc<EndpointSlice>),
    Service(Arc<Service>),
    Pod(Arc<Pod>),
    Secret(Arc<Secret>),
    ConfigMap(Arc<ConfigMap>),
    Namespace(Arc<Namespace>),
    ApplicationGateway(Arc<ApplicationGateway>),
}

/// One object of a file: what it is called, where it stands, and what is wrong with it.
pub(super) struct Entry {
    /// Which document of the file, from 1.
    pub(super) document: usize,
    /// Where its fields stand.
    pub(super) span: Span,
    /// Its kind and key. `None` where not even that can be told, or the kind is not read.
    pub(super) identity: Option<(Kind, Key)>,
    /// The object; `None` where it is refused, or not of a kind that is read.
    pub(super) object: Option<Object>,
    /// What is wrong with it.
    pub(super) problems: Vec<Problem>,
}

impl Object {
    /// Adds the object to a snapshot.
    pub(super) fn insert(&self, key: Key, snapshot: &mut Snapshot) {
        match self {
            Self::Ingress(object) => drop(snapshot.ingresses.insert(key, object.clone())),
            Self::IngressClass(object) => drop(snapshot.ingress_classes.insert(key, object.clone())),
            Self::EndpointSlice(object) => drop(snapshot.endpoint_slices.insert(key, object.clone())),
            Self::Service(object) => drop(snapshot.services.insert(key, object.clone())),
            Self::Pod(object) => drop(snapshot.pods.insert(key, object.clone())),
            Self::Secret(object) => drop(snapshot.secrets.insert(key, object.clone())),
            Self::ConfigMap(object) => drop(snapshot.config_maps.insert(key, object.clone())),
            Self::Namespace(object) => drop(snapshot.namespaces.insert(key, object.clone())),
            Self::ApplicationGateway(object) => drop(snapshot.gateways.insert(key, object.clone())),
        }
    }
}

/// Removes an object from a snapshot.
pub(super) fn remove((kind, key): &(Kind, Key), snapshot: &mut Snapshot) {
    match kind {
        Kind::Ingress => drop(snapshot.ingresses.remove(key)),
        Kind::IngressClass => drop(snapshot.ingress_classes.remove(key)),
        Kind::EndpointSlice => drop(snapshot.endpoint_slices.remove(key)),
        Kind::Service => drop(snapshot.services.remove(key)),
        Kind::Pod => drop(snapshot.pods.remove(key)),
        Kind::Secret => drop(snapshot.secrets.remove(key)),
        Kind::ConfigMap => drop(snapshot.config_maps.remove(key)),
        Kind::Namespace => drop(snapshot.namespaces.remove(key)),
        Kind::ApplicationGateway => drop(snapshot.gateways.remove(key)),
        Kind::File => {}
    }
}

/// Whether a snapshot has an object.
pub(super) fn is_in((kind, key): &(Kind, Key), snapshot: &Snapshot) -> bool {
    match kind {
        Kind::Ingress => snapshot.ingresses.contains_key(key),
        Kind::IngressClass => snapshot.ingress_classes.contains_key(key),
        Kind::EndpointSlice => snapshot.endpoint_slices.contains_key(key),
        Kind::Service => snapshot.services.contains_key(key),
        Kind::Pod => snapshot.pods.contains_key(key),
        Kind::Secret => snapshot.secrets.contains_key(key),
        Kind::ConfigMap => snapshot.config_maps.contains_key(key),
        Kind::Namespace => snapshot.namespaces.contains_key(key),
        Kind::ApplicationGateway => snapshot.gateways.contains_key(key),
        Kind::File => false,
    }
}

/// The reference by which reports name an object.
pub(super) fn reference(kind: Kind, key: &Key) -> ObjectRef {
    ObjectRef { kind, key: key.clone() }
}

/// The objects of a document: one, or those of a list.
pub(super) fn entries(document: Document) -> Vec<Entry> {
    let mut out = Vec::new();
    collect(document.number, document.value, document.span, None, &mut out);
    out
}

/// What the items of a typed list are.
struct Items {
    api_version: String,
    kind: String,
}

fn collect(document: usize, mut value: Value, span: Span, of: Option<&Items>, out: &mut Vec<Entry>) {
    let mut problems = Problems::default();
    let (api_version, kind) = match type_of(&mut value, of, &mut problems) {
        Some(named) => named,
        None => return out.push(Entry { document, span, identity: None, object: None, problems: problems.0 }),
    };
    if kind.ends_with("List") && value.get("items").is_some() {
        return expand(document, value, span, Items { api_version, kind }, out);
    }
    match recognise(&api_version, &kind) {
        Recognised::Read(kind) => {
            let identity = identity(kind, &value);
            let object = read::object(kind, value, &mut problems);
            out.push(Entry { document, span, identity, object, problems: problems.0 });
        }
        Recognised::Beside => {
            out.push(Entry { document, span, identity: None, object: None, problems: Vec::new() });
        }
        Recognised::Unknown(unknown) => {
            let name = value.pointer("/metadata/name").and_then(Value::as_str);
            let identity = unknown.kind.and_then(|kind| identity(kind, &value));
            let message = match name {
                Some(name) if identity.is_none() => format!("{kind} {:?}: {}", clip(name), unknown.message),
                _ => unknown.message,
            };
            problems.push(Reason::UnknownKind, unknown.severity, unknown.field, message, unknown.remedy);
            out.push(Entry { document, span, identity, object: None, problems: problems.0 });
        }
    }
}

/// `apiVersion` and `kind`. The items of a typed list may leave them out.
fn type_of(value: &mut Value, of: Option<&Items>, problems: &mut Problems) -> Option<(String, String)> {
    let Value::Object(fields) = value else {
        problems.malformed("", "a manifest is a mapping, and this is none", "write apiVersion, kind and metadata");
        return None;
    };
    if let Some(of) = of.filter(|of| of.kind != "List") {
        fields.entry("apiVersion").or_insert_with(|| of.api_version.clone().into());
        fields.entry("kind").or_insert_with(|| of.kind.trim_end_matches("List").into());
    }
    let mut named = |name: &str, remedy: &str| match fields.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Null) | None => {
            problems.malformed(name, format!("the field {name} is required"), remedy);
            None
        }
        Some(_) => {
            problems.malformed(name, format!("the field {name} must be text"), remedy);
            None
        }
    };
    let api_version = named("apiVersion", "write apiVersion, as in apiVersion: networking.k8s.io/v1");
    let kind = named("kind", "write kind, as in kind: Ingress");
    api_version.zip(kind)
}

/// The objects of a `List`, or of a typed one such as `IngressList`.
fn expand(document: usize, mut value: Value, span: Span, of: Items, out: &mut Vec<Entry>) {
    let items = value.get_mut("items").map(Value::take);
    let spans = match span.field("items") {
        Some(Span { inner: Inner::Items(spans), .. }) => spans.clone(),
        _ => Box::default(),
    };
    match items {
        Some(Value::Array(items)) => {
            for (item, span) in items.into_iter().zip(spans) {
                collect(document, item, span, Some(&of), out);
            }
        }
        Some(Value::Null) => {}
        _ => {
            let mut problems = Problems::default();
            problems.malformed("items", format!("the items of a {} are a list", of.kind), "begin each with '- '");
            out.push(Entry { document, span, identity: None, object: None, problems: problems.0 });
        }
    }
}

/// Kind and key, as far as they can be told of an object that may be wrong in every other way.
fn identity(kind: Kind, value: &Value) -> Option<(Kind, Key)> {
    let metadata = value.get("metadata")?;
    let name = metadata.get("name")?.as_str().filter(|name| !name.is_empty())?;
    let namespace = match metadata.get("namespace").and_then(Value::as_str) {
        _ if !kind.is_namespaced() => "",
        Some("") | None => "default",
        Some(namespace) => namespace,
    };
    Some((kind, Key::new(clip(namespace), clip(name))))
}

/// A name, cut short where it is longer than any valid one.
fn clip(name: &str) -> String {
    name.chars().take(254).collect()
}

#[cfg(test)]
mod tests;
