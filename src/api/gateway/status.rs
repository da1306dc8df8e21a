//! What the controller says about an ApplicationGateway.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the controller made of it.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationGatewayStatus {
    /// `Accepted`: the specification is valid. `Programmed`: it is served. `ResolvedRefs`: everything that it
    /// refers to exists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
