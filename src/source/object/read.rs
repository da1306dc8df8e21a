//! One object of a known kind: schema, types, defaults, validation.

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::CustomResourceExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Object;
use crate::api::ApplicationGateway;
use crate::model::Kind;
use crate::source::PackedIngress;
use crate::source::problem::Problems;
use crate::source::schema::Schema;
use crate::source::{defaults, validate};

static INGRESS: LazyLock<Schema> = LazyLock::new(schema_of::<Ingress>);
static INGRESS_CLASS: LazyLock<Schema> = LazyLock::new(schema_of::<IngressClass>);
static ENDPOINT_SLICE: LazyLock<Schema> = LazyLock::new(schema_of::<EndpointSlice>);
static SERVICE: LazyLock<Schema> = LazyLock::new(schema_of::<Service>);
static POD: LazyLock<Schema> = LazyLock::new(schema_of::<Pod>);
static SECRET: LazyLock<Schema> = LazyLock::new(|| schema_of::<Secret>().secret());
static CONFIG_MAP: LazyLock<Schema> = LazyLock::new(schema_of::<ConfigMap>);
static NAMESPACE: LazyLock<Schema> = LazyLock::new(schema_of::<Namespace>);
static GATEWAY: LazyLock<Schema> = LazyLock::new(|| {
    let mut versions = ApplicationGateway::crd().spec.versions;
    let schema = versions.pop().and_then(|version| version.schema?.open_api_v3_schema);
    Schema::new(serde_json::to_value(schema).expect("a schema holds text, numbers and lists alone")).arm()
});
/// `ObjectMeta`, for the objects whose schema leaves it out.
static METADATA: LazyLock<Schema> =
    LazyLock::new(schema_of::<k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta>);

fn schema_of<K: JsonSchema>() -> Schema {
    Schema::new(schemars::schema_for!(K).to_value())
}

/// The object that `value` holds, if nothing is wrong with it.
pub(super) fn object(kind: Kind, mut value: Value, problems: &mut Problems) -> Option<Object> {
    let schema = match kind {
        Kind::Ingress => &INGRESS,
        Kind::IngressClass => &INGRESS_CLASS,
        Kind::EndpointSlice => &ENDPOINT_SLICE,
        Kind::Service => &SERVICE,
        Kind::Pod => &POD,
        Kind::Secret => &SECRET,
        Kind::ConfigMap => &CONFIG_MAP,
        Kind::Namespace => &NAMESPACE,
        Kind::ApplicationGateway => &GATEWAY,
        Kind::File => return None,
    };
    let metadata = value.as_object_mut().and_then(|fields| fields.get_mut("metadata"));
    match (kind, metadata) {
        (_, None | Some(Value::Null)) => {
            problems.malformed("metadata", "the field metadata is required", "write metadata, and a name in it");
            return None;
        }
        (Kind::ApplicationGateway, Some(metadata)) => METADATA.check_at(metadata, "metadata", problems),
        _ => {}
    }
    schema.check(&mut value, problems);
    if problems.refused() {
        return None;
    }
    defaults::namespace(kind, &mut value);
    match kind {
        Kind::Ingress => {
            let ingress = typed(value, problems, validate::ingress).map(Arc::unwrap_or_clone);
            ingress.map(|ingress| Object::Ingress(Arc::new(PackedIngress::from(ingress))))
        }
        Kind::IngressClass => typed(value, problems, validate::ingress_class).map(Object::IngressClass),
        Kind::EndpointSlice => typed(value, problems, |slice: &mut EndpointSlice, problems| {
            defaults::endpoint_slice(slice);
            validate::endpoint_slice(slice, problems);
        })
        .map(Object::EndpointSlice),
        Kind::Service => typed(value, problems, |service: &mut Service, problems| {
            defaults::service(service);
            validate::service(service, problems);
        })
        .map(Object::Service),
        Kind::Pod => typed(value, problems, |pod: &mut Pod, problems| {
            defaults::pod(pod);
            validate::pod(pod, problems);
        })
        .map(Object::Pod),
        Kind::Secret => typed(value, problems, |secret: &mut Secret, problems| {
            defaults::secret(secret);
            validate::secret(secret, problems);
        })
        .map(Object::Secret),
        Kind::ConfigMap => typed(value, problems, validate::config_map).map(Object::ConfigMap),
        Kind::Namespace => typed(value, problems, validate::namespace).map(Object::Namespace),
        Kind::ApplicationGateway => typed(value, problems, validate::gateway).map(Object::ApplicationGateway),
        Kind::File => None,
    }
}

/// The typed object, finished and validated by `finish`.
fn typed<K: DeserializeOwned>(
    value: Value,
    problems: &mut Problems,
    finish: impl FnOnce(&mut K, &mut Problems),
) -> Option<Arc<K>> {
    let secret = value.get("kind").is_some_and(|kind| kind == "Secret");
    let mut object: K = match serde_path_to_error::deserialize(value) {
        Ok(object) => object,
        Err(error) => {
            let path = error.path().to_string();
            let field = if path == "." { String::new() } else { path };
            // The deserializer's own words quote the value.
            let message =
                if secret { "the value is not of the field's type".to_owned() } else { error.inner().to_string() };
            problems.malformed(field, message, "write a value of the field's type");
            return None;
        }
    };
    finish(&mut object, problems);
    (!problems.refused()).then(|| Arc::new(object))
}
