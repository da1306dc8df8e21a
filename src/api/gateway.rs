//! `ApplicationGateway`, `steadygate.io/v1alpha1`: the vocabulary of ARM's
//! `Microsoft.Network/applicationGateways` in Kubernetes form.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A gateway.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "steadygate.io",
    version = "v1alpha1",
    kind = "ApplicationGateway",
    namespaced,
    shortname = "appgw",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationGatewaySpec {
    /// Which instance serves it.
    pub ingress_class_name: Option<String>,
}
