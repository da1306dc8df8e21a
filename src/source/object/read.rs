//! One object of a kind that is known: held to the schema of the kind, completed with defaults, and validated.

use std::sync::{Arc, LazyLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::model::Kind;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::snapshot::SnapshotKind;

/// The schema of metadata, for the kinds whose own schema leaves it out.
static METADATA: LazyLock<Schema> = LazyLock::new(Schema::of::<ObjectMeta>);

/// The object that `value` holds, if nothing is wrong with it.
pub(super) fn read<K: SnapshotKind>(schema: &Schema, mut value: Value, problems: &mut FieldProblems) -> Option<Arc<K>> {
    check(schema, K::IS_CUSTOM_RESOURCE, &mut value, problems);
    if problems.refused() {
        return None;
    }
    complete_namespace(K::KIND, &mut value);
    let mut resource: K::Resource = typed(value, K::IS_CONFIDENTIAL, problems)?;
    K::complete(&mut resource);
    K::validate(&resource, problems);
    (!problems.refused()).then(|| Arc::new(K::from(resource)))
}

/// Holds the object to its schema, and puts it in stored form.
fn check(schema: &Schema, is_custom_resource: bool, value: &mut Value, problems: &mut FieldProblems) {
    match value.as_object_mut().and_then(|fields| fields.get_mut("metadata")) {
        None | Some(Value::Null) => {
            return problems.malformed(
                "metadata",
                "the field metadata is required",
                "write metadata, and a name in it",
            );
        }
        Some(metadata) if is_custom_resource => METADATA.check_at(metadata, "metadata", problems),
        Some(_) => {}
    }
    schema.check(value, problems);
}

/// Writes the namespace `default` where an object of a namespaced kind names none. Of other kinds the namespace is cleared,
/// as an API server clears it.
fn complete_namespace(kind: Kind, object: &mut Value) {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
    if !kind.is_namespaced() {
        metadata.remove("namespace");
    } else if has_no_namespace(metadata) {
        metadata.insert("namespace".to_owned(), "default".into());
    }
}

fn has_no_namespace(metadata: &Map<String, Value>) -> bool {
    metadata.get("namespace").and_then(Value::as_str).is_none_or(str::is_empty)
}

fn typed<T: DeserializeOwned>(value: Value, is_confidential: bool, problems: &mut FieldProblems) -> Option<T> {
    let error = match serde_path_to_error::deserialize(value) {
        Ok(object) => return Some(object),
        Err(error) => error,
    };
    let path = error.path().to_string();
    let field = if path == "." { String::new() } else { path };
    // The deserializer's own words quote the value.
    let message =
        if is_confidential { "the value is not of the field's type".to_owned() } else { error.inner().to_string() };
    problems.malformed(field, message, "write a value of the field's type");
    None
}
