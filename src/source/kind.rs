//! The kinds of objects that a snapshot holds: one list of them, and a file for each kind with its schema, its defaults, its
//! validation and its trim.
//!
//! A new kind is a line in [`for_each_kind!`], a variant of `model::Kind` and a file in `kind/`. Whatever has to name every kind
//! is made from the list.

mod application_gateway;
mod azure_prohibited_target;
mod azure_rewrite;
mod config_map;
mod endpoint_slice;
mod gateway_api;
mod ingress;
mod ingress_class;
mod namespace;
mod pod;
mod reference_grant;
mod secret;
mod service;
mod trim;

use kube::Resource;
use serde::de::DeserializeOwned;

use super::identity::Identity;
use super::problem::FieldProblems;
use super::schema::Schema;

/// The list of kinds. Calls the macro `$callback` with a line for each kind.
///
/// The columns are:
///
/// 1. the variant of `model::Kind`;
/// 2. the field of `Snapshot`;
/// 3. the type in which the snapshot stores an object; it implements `KindRules`;
/// 4. how a cluster is watched for it: `full` (whole objects), `metadata_only` (the contents are fetched by name where
///    something refers to the object) or `gateway_api` (whole objects, where Gateway API is served).
///
/// Made from the list are: `Snapshot` with its look-ups by kind (`snapshot.rs`), `Object` and its reader (`object.rs`), the
/// watches of a cluster (`cluster.rs`), `Changes` (`translate/change.rs`), and the readers of tests.
#[macro_export]
#[doc(hidden)]
macro_rules! for_each_kind {
    ($callback:ident) => {
        $callback! {
            ApplicationGateway application_gateways $crate::api::ApplicationGateway,                   full;
            AzureApplicationGatewayRewrite azure_rewrites $crate::api::agic::AzureApplicationGatewayRewrite,   full;
            AzureIngressProhibitedTarget azure_prohibited_targets $crate::api::agic::AzureIngressProhibitedTarget, full;
            ConfigMap          config_maps      ::k8s_openapi::api::core::v1::ConfigMap,               metadata_only;
            EndpointSlice      endpoint_slices  ::k8s_openapi::api::discovery::v1::EndpointSlice,      full;
            Gateway            gateways         $crate::api::gateway_api::Gateway,                     gateway_api;
            GatewayClass       gateway_classes  $crate::api::gateway_api::GatewayClass,                gateway_api;
            HTTPRoute          http_routes      $crate::api::gateway_api::HttpRoute,                   gateway_api;
            Ingress            ingresses        $crate::source::PackedIngress,                         full;
            IngressClass       ingress_classes  ::k8s_openapi::api::networking::v1::IngressClass,      full;
            Namespace          namespaces       ::k8s_openapi::api::core::v1::Namespace,               gateway_api;
            Pod                pods             ::k8s_openapi::api::core::v1::Pod,                     full;
            ReferenceGrant     reference_grants $crate::api::ReferenceGrant,                           full;
            Secret             secrets          ::k8s_openapi::api::core::v1::Secret,                  metadata_only;
            Service            services         ::k8s_openapi::api::core::v1::Service,                 full;
        }
    };
}
pub use for_each_kind;

/// The rules of one kind, which are different from those of others. Implemented by the type in which a snapshot stores its
/// objects.
pub(crate) trait KindRules: From<Self::Resource> + PartialEq + Send + Sync + Sized + 'static {
    /// The type in which manifests and API servers have the kind.
    type Resource: Resource<DynamicType = ()> + DeserializeOwned;
    /// Whether the kind is a custom resource. A cluster may not know it, and its schema leaves out `metadata`.
    const IS_CUSTOM_RESOURCE: bool = false;
    /// Whether a cluster that does not know the kind lacks nothing: its definition is another project's.
    const IS_OPTIONAL: bool = false;
    /// Whether values of the kind are kept out of messages.
    const IS_CONFIDENTIAL: bool = false;

    /// The OpenAPI schema of the kind.
    fn schema() -> Schema;

    /// Writes the defaults that an API server writes into a new object. Only objects of a directory come here.
    fn complete(_: &mut Self::Resource) {}

    /// Reports values that an API server would refuse in a new object, beyond its schema. Only objects of a directory come here.
    fn validate(resource: &Self::Resource, problems: &mut FieldProblems);

    /// Drops the fields that nobody reads. Only objects of a cluster come here: there may be very many, and a change of
    /// such a field is no change.
    fn trim(resource: &mut Self::Resource);

    /// The identity of the object.
    fn identity(&self) -> Identity;

    /// Whether two versions of an object differ in their status and the bookkeeping of its writers at most.
    fn equals_except_status(&self, other: &Self) -> bool {
        self == other
    }
}
