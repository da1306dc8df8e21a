//! Reads manifests into a snapshot, for tests. An unknown kind or field fails the test.
//!
//! `{{cert:NAME}}` and `{{key:NAME}}` are replaced by a certificate for the host NAME and its key. They are generated in each
//! run, so that no key is checked in.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::Value;
use steadygate::model::Kind;
use steadygate::source::snapshot::Objects;
use steadygate::source::{Key, Snapshot, for_each_kind};

/// Reads a text of YAML documents.
pub(crate) fn read(text: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for document in documents(text) {
        add(&mut snapshot, document);
    }
    snapshot
}

/// The documents of a text, with certificates in place.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    documents.retain(|document| !document.is_null());
    documents.iter_mut().for_each(fill_in);
    documents
}

/// Adds one object.
pub(crate) fn add(snapshot: &mut Snapshot, document: Value) {
    insert_any(snapshot, document).unwrap_or_else(|problem| panic!("{problem}"));
}

/// Adds one object, with certificates in place.
pub(crate) fn add_filled(snapshot: &mut Snapshot, mut document: Value) {
    fill_in(&mut document);
    add(snapshot, document);
}

/// Adds one object if it is one.
pub(crate) fn try_add(snapshot: &mut Snapshot, document: Value) {
    let _refused = insert_any(snapshot, document);
}

/// From the list of kinds: adds one object, of whichever kind it is.
macro_rules! define_insert_any {
    ($($kind:ident $field:ident $stored:ty, $watch:ident;)*) => {
        fn insert_any(snapshot: &mut Snapshot, document: Value) -> Result<(), String> {
            let object: DynamicObject = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
            let name = object.types.as_ref().map(|types| types.kind.as_str()).unwrap_or_default();
            match Kind::named(name) {
                $(Some(kind @ Kind::$kind) => insert(&mut snapshot.$field, kind, &object.metadata, document),)*
                Some(Kind::File) | None => Err(format!("no objects of kind {name:?} are read")),
            }
        }
    };
}
for_each_kind!(define_insert_any);

fn insert<K: DeserializeOwned>(
    objects: &mut Objects<K>,
    kind: Kind,
    metadata: &ObjectMeta,
    document: Value,
) -> Result<(), String> {
    let namespace = metadata.namespace.as_deref().unwrap_or("default");
    let name = metadata.name.clone().ok_or("an object has no name")?;
    let key = Key::new(if kind.is_namespaced() { namespace } else { "" }, name);
    let mut unknown = Vec::new();
    let object = serde_ignored::deserialize(&document, |path| unknown.push(path.to_string()));
    let object = object.map_err(|error| format!("{key}: {error}"))?;
    // The derived type of a custom resource doesn't keep these two.
    unknown.retain(|field| !matches!(field.as_str(), "apiVersion" | "kind"));
    if !unknown.is_empty() {
        return Err(format!("{key} has unknown fields: {unknown:?}"));
    }
    match objects.insert(key.clone(), Arc::new(object)) {
        Some(_) => Err(format!("{key} is there twice")),
        None => Ok(()),
    }
}

fn fill_in(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((what, name)) =
                text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")?.split_once(':'))
            {
                let (certificate, key) = pair(name);
                *text = if what == "cert" { certificate } else { key };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(fill_in),
        Value::Object(fields) => fields.values_mut().for_each(fill_in),
        _ => {}
    }
}

fn pair(name: &str) -> (String, String) {
    static MADE: LazyLock<Mutex<BTreeMap<String, (String, String)>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().expect("no test panicked here");
    let pair = made.entry(name.to_owned()).or_insert_with(|| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a valid name");
        (made.cert.pem(), made.signing_key.serialize_pem())
    });
    pair.clone()
}
