//! Several pools for one rule, each with its weight.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reference;

/// Pools among which requests are distributed (ARM `loadDistributionPolicies`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadDistributionPolicy {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The algorithm. Default: RoundRobin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_distribution_algorithm: Option<LoadDistributionAlgorithm>,
    /// The pools.
    #[schemars(length(min = 1, max = 100))]
    pub load_distribution_targets: Vec<LoadDistributionTarget>,
}

/// A pool, and its share of the requests.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadDistributionTarget {
    /// Name. Nothing refers to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// The pool, an element of `backendAddressPools`.
    pub backend_address_pool: Reference,
    /// Weight of each of its members, 1–100. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub weight_per_server: Option<i32>,
}

/// The algorithm that chooses the backend of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum LoadDistributionAlgorithm {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests and WebSocket sessions in progress.
    LeastConnections,
    /// The one that a hash of the client's address gives.
    IpHash,
}
