//! `GatewayClass`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::ObjectReference;
use super::status::GatewayClassStatus;

/// A class of Gateways, and the controller that serves them.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1",
    kind = "GatewayClass",
    status = "GatewayClassStatus",
    derive = "PartialEq",
    doc = "A class of Gateways, and the controller that serves them."
)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// The controller: `steadygate.io/gateway-controller`.
    #[schemars(length(min = 1, max = 253))]
    pub controller_name: String,
    /// An object with parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<ObjectReference>,
    /// A text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub description: Option<String>,
}
