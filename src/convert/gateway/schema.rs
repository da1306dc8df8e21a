//! The schema of ApplicationGateway, as the walk over a gateway asks for it.

use std::sync::LazyLock;

use kube::CustomResourceExt;
use serde_json::{Map, Value};

use crate::api::ApplicationGateway;

/// The schema of `spec`. It is that of the definition in a cluster, in which nothing refers to anything.
static SPEC: LazyLock<Value> = LazyLock::new(|| {
    let definition = serde_json::to_value(ApplicationGateway::crd()).expect("a definition is plain data");
    let spec = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    spec.expect("the definition has a spec").clone()
});

/// What a field takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum FieldKind<'a> {
    /// Another element, by its name.
    Reference,
    Object,
    List(&'a Value),
    /// Text; where there are names, one of them.
    Text(&'a [Value]),
    Number,
    Bool,
    NumberOrText,
    /// Anything: a field that this version knows and does not support.
    Unsupported,
}

/// The schema of `spec`.
pub(super) fn spec() -> &'static Value {
    &SPEC
}

/// What a field takes.
pub(super) fn kind(schema: &Value) -> FieldKind<'_> {
    if schema.get("x-kubernetes-int-or-string").is_some() {
        return FieldKind::NumberOrText;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") if properties(schema).is_some_and(|all| all.len() == 1 && all.contains_key("name")) => {
            FieldKind::Reference
        }
        Some("object") => FieldKind::Object,
        Some("array") => FieldKind::List(schema.get("items").unwrap_or(&Value::Null)),
        Some("integer") => FieldKind::Number,
        Some("boolean") => FieldKind::Bool,
        Some("string") => FieldKind::Text(schema.get("enum").and_then(Value::as_array).map_or(&[], Vec::as_slice)),
        _ => FieldKind::Unsupported,
    }
}

/// The fields of an object.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// Whether an object must have a field.
pub(super) fn requires(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|field| field == name))
}

/// The fields of an object in the order in which they are written: its name first, a gateway's collections from the client to the backend.
pub(super) fn ordered(schema: &Value) -> Vec<(&str, &Value)> {
    const ORDER: &[&str] = &[
        "name",
        "frontendIPConfigurations",
        "frontendPorts",
        "sslCertificates",
        "trustedClientCertificates",
        "sslPolicy",
        "sslProfiles",
        "httpListeners",
        "listeners",
        "backendAddressPools",
        "trustedRootCertificates",
        "probes",
        "backendHttpSettingsCollection",
        "backendSettingsCollection",
        "loadDistributionPolicies",
        "redirectConfigurations",
        "rewriteRuleSets",
        "entraJWTValidationConfigs",
        "urlPathMaps",
        "requestRoutingRules",
        "routingRules",
    ];
    let mut fields: Vec<_> =
        properties(schema).into_iter().flatten().map(|(name, field)| (name.as_str(), field)).collect();
    fields.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    fields
}
