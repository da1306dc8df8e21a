//! The elements of an ApplicationGateway for backends: pools, settings, probes.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LoadDistributionAlgorithm, Protocol, Reference};
use crate::api::cookie::NAME_PATTERN;
use crate::api::session::{DEFAULT_DRAIN_TIME, DrainTime, WebSocketSettings};
use crate::api::upgrade::{MAX_PROTOCOL_LENGTH, PROTOCOL_PATTERN};
use crate::api::value::{DefaultValue, ProbeThreshold, ProbeTime, RequestTimeout, ValueKind, description};

/// A pool of backends (ARM `backendAddressPools`): addresses, and the endpoints of a Service.
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
    /// Its namespace. Another one than the gateway's has to permit the reference by a ReferenceGrant. Default: the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// A port of the Service, by name or number. Default: the one that has the settings' `port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<IntOrString>,
}

const REQUEST_TIMEOUT: &str = "Time in which a backend must begin its answer, and the longest silence within it. For a WebSocket it bounds \
    the handshake and, where it is written, is then the session's idle timeout; `webSocket` changes that.";

/// Settings for requests to backends (ARM `backendHttpSettingsCollection`).
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
    /// The protocol of the backends. With `Https` their certificates are verified.
    pub protocol: Protocol,
    /// Time in which a backend must begin its answer, and the longest silence within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description(REQUEST_TIMEOUT, RequestTimeout::VALUES, DefaultValue::Amount(30)),
        range(min = RequestTimeout::VALUES.min(), max = RequestTimeout::VALUES.max())
    )]
    pub request_timeout: Option<i32>,
    /// Path that replaces the path of the rule. For a Basic rule it is put before the path: with `/override/`, `/home/`
    /// becomes `/override/home/`. For a path rule `/pathrule*`, `/pathrule/home/` becomes `/override/home/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), regex(pattern = "^/"))]
    pub path: Option<String>,
    /// `Host` of requests to the backends. With Https it is also the name that their certificates must have. Default:
    /// the `Host` of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host_name: Option<String>,
    /// Whether `Host` is the name or address of the backend itself. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick_host_name_from_backend_address: Option<bool>,
    /// The health probe, an element of `probes`. Default: `GET /` every 30 s, or the probe that the pods of the
    /// `serviceRef` declare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Reference>,
    /// CA certificates that verify Https backends, elements of `trustedRootCertificates`. Default: the well-known CA
    /// certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub trusted_root_certificates: Vec<Reference>,
    /// Whether clients come back to their backend. Default: Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie_based_affinity: Option<CookieBasedAffinity>,
    /// Name of the cookie of `cookieBasedAffinity`. Settings that are used for one host need different names. Default:
    /// `ApplicationGatewayAffinity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = NAME_PATTERN))]
    pub affinity_cookie_name: Option<String>,
    /// The algorithm that chooses the backend of a request. Default: RoundRobin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_distribution_algorithm: Option<LoadDistributionAlgorithm>,
    /// Time over which the WebSocket sessions of a pod that goes away, or of a rule that is removed, are closed (1001).
    /// Requests in progress may finish either way. Default: not enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_draining: Option<ConnectionDraining>,
    /// Settings of WebSocket sessions (not in ARM). A session keeps the settings that it was opened with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_socket: Option<WebSocketSettings>,
    /// Protocols other than WebSocket to which requests may be upgraded, if the backend agrees (not in ARM): `SPDY/3.1`, `tcp`,
    /// `DERP`. `*` stands for every protocol that does not carry HTTP itself. `webSocket` holds for sessions of these protocols
    /// too, but for what is about messages and pings. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = MAX_PROTOCOL_LENGTH), regex(pattern = PROTOCOL_PATTERN)))]
    pub upgrade_protocols: Vec<String>,
}

/// Whether clients come back to their backend by a cookie, also with WebSockets. Over HTTPS a second cookie,
/// `<name>CORS`, is sent with requests from other sites. Default: Disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum CookieBasedAffinity {
    /// Clients come back to their backend.
    Enabled,
    /// Any backend takes each request.
    Disabled,
}

/// Draining: how sessions are closed whose pod or rule goes away.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionDraining {
    /// Whether the time is `drainTimeoutInSec`. If false, it is half of the pod's grace period, or half of 30 seconds
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

/// A health probe (ARM `probes`). After one success a backend is up again.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.host) && has(self.pickHostNameFromBackendHttpSettings) && self.pickHostNameFromBackendHttpSettings)").message("host and pickHostNameFromBackendHttpSettings can't stand together"))]
#[x_kube(validation = Rule::new("!(has(self.host) && has(self.pickHostNameFromBackendSettings) && self.pickHostNameFromBackendSettings)").message("host and pickHostNameFromBackendSettings can't stand together"))]
#[x_kube(validation = Rule::new("has(self.path) || self.protocol == 'Tcp' || self.protocol == 'Tls'").message("a probe of protocol Http or Https needs a path"))]
pub struct Probe {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The protocol of the probe. `Tcp` and `Tls` are for streams: a connection is a success.
    pub protocol: ProbeProtocol,
    /// `Host` to send. Default: 127.0.0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host: Option<String>,
    /// Path, and query if any. Required for Http and Https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), regex(pattern = "^/"))]
    pub path: Option<String>,
    /// Port, 1–65535. Default: the port of the backend.
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
    /// Time in which the whole answer must arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description("Time in which the whole answer must arrive.", ProbeTime::VALUES, DefaultValue::Amount(30)),
        range(min = ProbeTime::VALUES.min(), max = ProbeTime::VALUES.max())
    )]
    pub timeout: Option<i32>,
    /// Failures in a row after which a backend is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        description = description("Failures in a row after which a backend is down.", ProbeThreshold::VALUES, DefaultValue::Amount(3)),
        range(min = ProbeThreshold::VALUES.min(), max = ProbeThreshold::VALUES.max())
    )]
    pub unhealthy_threshold: Option<i32>,
    /// Whether `Host` is that of the settings. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick_host_name_from_backend_http_settings: Option<bool>,
    /// Whether `Host` is that of the settings, for probes of streams. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick_host_name_from_backend_settings: Option<bool>,
    /// Members of a pool that always take requests, be they down: where fewer are up, those that are down take requests too.
    /// Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1200))]
    pub min_servers: Option<i32>,
    /// The answers that count as success. Default: any body, status 200–399.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub expected: Option<ProbeMatch>,
}

/// The protocol of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ProbeProtocol {
    /// A request in clear text.
    Http,
    /// A request within TLS.
    Https,
    /// A connection.
    Tcp,
    /// A connection with TLS.
    Tls,
}

/// The answers that count as success.
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
