//! The backend's side of an ApplicationGateway: pools, settings, probes.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Protocol, Reference};
use crate::api::cookie::NAME_PATTERN;
use crate::api::session::{DEFAULT_DRAIN_TIME, DrainTime, WebSocketSettings};
use crate::api::value::{DefaultValue, ProbeThreshold, ProbeTime, RequestTimeout, ValueKind, description};

/// Where requests may go (ARM `backendAddressPools`): addresses, and the endpoints of a Service.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendAddressPool {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Addresses, at most 1,200 (ARM's limit). Their port is the settings' port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1200))]
    pub backend_addresses: Vec<BackendAddress>,
    /// A Service whose endpoints are members too, as they become ready (not in ARM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ref: Option<ServiceRef>,
}

/// One address of a pool.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.ipAddress) != has(self.fqdn)").message("give either ipAddress or fqdn"))]
pub struct BackendAddress {
    /// An IPv4 or IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 45))]
    pub ip_address: Option<String>,
    /// A DNS name; it is resolved again by its TTL, and each address is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub fqdn: Option<String>,
}

/// A Service.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRef {
    /// Name of the Service.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace. Default, and all that is permitted now: the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// A port of the Service, by name or number. Default: the one that has the settings' `port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<IntOrString>,
}

const REQUEST_TIMEOUT: &str = "Time in which a backend must begin its answer, and the longest silence within it. For a WebSocket it bounds \
    the handshake and is then the session's idle timeout; `webSocket` changes that.";

/// How backends are spoken to (ARM `backendHttpSettingsCollection`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.hostName) && has(self.pickHostNameFromBackendAddress) && self.pickHostNameFromBackendAddress)").message("hostName and pickHostNameFromBackendAddress can't stand together"))]
pub struct BackendHttpSettings {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Port of the backends, 1–65535. A `serviceRef` with its own port uses that.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// What the backends speak. `Https` is verified.
    pub protocol: Protocol,
    /// Time in which a backend must begin its answer, and the longest silence within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description(REQUEST_TIMEOUT, RequestTimeout::VALUES, DefaultValue::Amount(30)),
        range(min = RequestTimeout::VALUES.min(), max = RequestTimeout::VALUES.max())
    )]
    pub request_timeout: Option<i32>,
    /// What to put in place of the rule's path. Of a Basic rule, before the path: with `/override/`, `/home/` becomes
    /// `/override/home/`. Of a path rule `/pathrule*`, instead of it: `/pathrule/home/` becomes `/override/home/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), regex(pattern = "^/"))]
    pub path: Option<String>,
    /// `Host` that the backends see; with Https also the name that they must prove. Default: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host_name: Option<String>,
    /// Whether the backends see their own name or address as `Host`. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick_host_name_from_backend_address: Option<bool>,
    /// How to ask whether they are well, an element of `probes`. Default: `GET /` every 30 s, or what the pods of the
    /// `serviceRef` declare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Reference>,
    /// CA certificates that Https backends may prove themselves by, elements of `trustedRootCertificates`. Default: the
    /// well-known ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub trusted_root_certificates: Vec<Reference>,
    /// Whether clients come back to their backend. Default: Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie_based_affinity: Option<CookieBasedAffinity>,
    /// Name of the cookie of `cookieBasedAffinity`. Settings that clients of one host use side by side need each its own.
    /// Default: `ApplicationGatewayAffinity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = NAME_PATTERN))]
    pub affinity_cookie_name: Option<String>,
    /// Which backend takes the next request. Default: RoundRobin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_distribution_algorithm: Option<LoadDistributionAlgorithm>,
    /// Time over which the WebSocket sessions of a pod that goes away, or of a rule that is removed, are closed (1001).
    /// Requests in progress are let finish either way. Default: not enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_draining: Option<ConnectionDraining>,
    /// For WebSocket sessions alone (not in ARM). A session keeps what stood when it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_socket: Option<WebSocketSettings>,
}

/// Whether clients come back to their backend by a cookie, WebSockets too. Over HTTPS a second one, `<name>CORS`, goes with
/// requests from other sites. Default: Disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum CookieBasedAffinity {
    /// They do.
    Enabled,
    /// Each request goes anywhere.
    Disabled,
}

/// Which backend takes the next request (the algorithms of ARM's `loadDistributionPolicies`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum LoadDistributionAlgorithm {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests and WebSocket sessions in progress.
    LeastConnections,
}

/// How sessions are closed that a change has taken the ground from.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionDraining {
    /// Whether `drainTimeoutInSec` is the time for it. If false, it is half of the pod's grace, or half of 30 seconds
    /// for a rule.
    pub enabled: bool,
    /// Time over which the sessions are closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description("Time over which the sessions are closed.", DrainTime::VALUES, DefaultValue::Amount(DEFAULT_DRAIN_TIME.as_secs())),
        range(min = DrainTime::VALUES.min(), max = DrainTime::VALUES.max())
    )]
    pub drain_timeout_in_sec: Option<i32>,
}

/// How backends are asked whether they are well (ARM `probes`). One success heals.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.host) && has(self.pickHostNameFromBackendHttpSettings) && self.pickHostNameFromBackendHttpSettings)").message("host and pickHostNameFromBackendHttpSettings can't stand together"))]
pub struct Probe {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// What the probe speaks.
    pub protocol: Protocol,
    /// `Host` to send. Default: 127.0.0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host: Option<String>,
    /// Path to ask for, and query if any.
    #[schemars(length(max = 1024), regex(pattern = "^/"))]
    pub path: String,
    /// Port to ask, 1–65535. Default: the backend's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Time between two probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description("Time between two probes.", ProbeTime::VALUES, DefaultValue::Amount(30)),
        range(min = ProbeTime::VALUES.min(), max = ProbeTime::VALUES.max())
    )]
    pub interval: Option<i32>,
    /// Time in which the whole answer must have come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description("Time in which the whole answer must have come.", ProbeTime::VALUES, DefaultValue::Amount(30)),
        range(min = ProbeTime::VALUES.min(), max = ProbeTime::VALUES.max())
    )]
    pub timeout: Option<i32>,
    /// Failures in a row that mark a backend down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description("Failures in a row that mark a backend down.", ProbeThreshold::VALUES, DefaultValue::Amount(3)),
        range(min = ProbeThreshold::VALUES.min(), max = ProbeThreshold::VALUES.max())
    )]
    pub unhealthy_threshold: Option<i32>,
    /// Whether `Host` is the one that the settings send. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick_host_name_from_backend_http_settings: Option<bool>,
    /// What an answer must be to count as success. Default: any body, status 200–399.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub expected: Option<ProbeMatch>,
}

/// What an answer must be to count as success.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeMatch {
    /// Statuses, single (`401`) or as a range (`200-399`), each from 100 to 599. Default: `200-399`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 20),
        inner(length(max = 16), regex(pattern = "^ *[1-5][0-9][0-9] *(- *[1-5][0-9][0-9] *)?$"))
    )]
    pub status_codes: Vec<String>,
    /// Text that the answer's body must contain, at most 4,090 characters. Default: any body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4090))]
    pub body: Option<String>,
}
