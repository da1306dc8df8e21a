//! The status of an ApplicationGateway, which the controller writes.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status, as the controller reports it.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationGatewayStatus {
    /// `Accepted`: the specification is valid. `Programmed`: every listener and rule is served. `ResolvedRefs`:
    /// everything that it refers to exists and can be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// Where it can be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,

    /// The state of each listener, in the order of `spec.httpListeners` and then of `spec.listeners`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ElementStatus>,

    /// The state of each rule, in the order of `spec.requestRoutingRules` and then of `spec.routingRules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ElementStatus>,

    /// The members of each pool, in the order of `spec.backendAddressPools`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend_address_pools: Vec<PoolStatus>,

    /// Members that are up, and all members, over all pools: `3/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<String>,
}

/// An address at which the gateway can be reached.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayAddress {
    /// The type of `value`.
    #[serde(rename = "type")]
    pub kind: AddressKind,
    /// The IP address or DNS name.
    pub value: String,
}

/// The type of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum AddressKind {
    /// An IPv4 or IPv6 address.
    IPAddress,
    /// A DNS name.
    Hostname,
}

/// The state of a listener or a rule.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ElementStatus {
    /// Its name.
    pub name: String,
    /// Whether requests are served by it.
    pub served: bool,
    /// The kind of problem that it has, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is wrong with it, or with an element that it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The members of a pool, counted by state. Members that are neither up nor down nor draining have not been probed yet,
/// are not ready, or are names that do not resolve.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// Members that take requests.
    pub up: i32,
    /// Members that fail their probe.
    pub down: i32,
    /// Members that terminate and keep their sessions.
    pub draining: i32,
    /// All members. 0 where no rule uses the pool.
    pub total: i32,
}
