//! `ReferenceGrant`, `gateway.networking.k8s.io/v1beta1`: a namespace permits objects of other namespaces to refer to its own
//! (Gateway API, GEP-709). Its definition belongs to Gateway API and is not installed with this controller.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may refer to what. An object is permitted if any element of `from` and any element of `to` fit.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1beta1",
    kind = "ReferenceGrant",
    namespaced,
    derive = "PartialEq",
    doc = "Permits objects of other namespaces to refer to objects of this one."
)]
pub struct ReferenceGrantSpec {
    /// The objects that may refer.
    #[schemars(length(min = 1, max = 16))]
    pub from: Vec<ReferenceGrantFrom>,
    /// The objects that they may refer to.
    #[schemars(length(min = 1, max = 16))]
    pub to: Vec<ReferenceGrantTo>,
}

/// Objects that may refer: those of a kind, in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct ReferenceGrantFrom {
    /// Group of the kind: `steadygate.io`.
    #[schemars(length(max = 253))]
    pub group: String,
    /// The kind: `ApplicationGateway`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Their namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
}

/// Objects of the grant's namespace that may be referred to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct ReferenceGrantTo {
    /// Group of the kind. Empty for Secret, ConfigMap and Service.
    #[schemars(length(max = 253))]
    pub group: String,
    /// The kind: `Secret`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Name of the object. Default: every object of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}
