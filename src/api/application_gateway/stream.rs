//! Streams without HTTP: their listeners, settings and rules.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConnectionDraining, Reference, RuleType};
use crate::api::session::WebSocketSettings;

/// A port whose connections are passed on as they are (ARM `listeners`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.protocol == 'Tls' || !(has(self.sslCertificate) || has(self.sslProfile) || has(self.hostNames))").message("sslCertificate, sslProfile and hostNames are for protocol Tls alone"))]
#[x_kube(validation = Rule::new("!has(self.sslProfile) || has(self.sslCertificate)").message("an sslProfile needs an sslCertificate: without one, TLS is passed through"))]
pub struct StreamListener {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The addresses on which it listens, an element of `frontendIPConfigurations`. Default: every address.
    #[serde(default, rename = "frontendIPConfiguration", skip_serializing_if = "Option::is_none")]
    pub frontend_ip_configuration: Option<Reference>,
    /// The port, an element of `frontendPorts`.
    pub frontend_port: Reference,
    /// The protocol.
    pub protocol: StreamProtocol,
    /// Names that clients ask for in TLS (SNI), at most 5. Default: any, and none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(min = 1, max = 253)))]
    pub host_names: Vec<String>,
    /// The certificate, an element of `sslCertificates`. Default: TLS is passed through, and ends at the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_certificate: Option<Reference>,
    /// TLS settings, an element of `sslProfiles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_profile: Option<Reference>,
}

/// `Tcp` or `Tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum StreamProtocol {
    /// Streams as they come.
    Tcp,
    /// Streams within TLS.
    Tls,
}

/// Settings for streams to backends (ARM `backendSettingsCollection`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.hostName) && has(self.pickHostNameFromBackendAddress) && self.pickHostNameFromBackendAddress)").message("hostName and pickHostNameFromBackendAddress can't stand together"))]
pub struct StreamBackendSettings {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Port of the backends, 1–65535. A `serviceRef` with its own port uses that.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The protocol of the backends. With `Tls` their certificates are verified.
    pub protocol: StreamProtocol,
    /// Seconds of silence in both directions after which a stream is closed, 1–86400. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout: Option<i32>,
    /// Name that the certificates of Tls backends must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host_name: Option<String>,
    /// Whether that name is the name or address of the backend itself. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick_host_name_from_backend_address: Option<bool>,
    /// The health probe, an element of `probes`. Default: a connection every 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Reference>,
    /// CA certificates that verify Tls backends, elements of `trustedRootCertificates`. Default: the well-known CA certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub trusted_root_certificates: Vec<Reference>,
    /// Time over which the streams of a pod that goes away, or of a rule that is removed, are closed. Default: not enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_draining: Option<ConnectionDraining>,
    /// Settings of sessions (not in ARM): each stream is one, and keeps the settings that it was opened with. Those about messages and
    /// pings have no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<WebSocketSettings>,
}

/// A rule that leads the streams of a listener to a pool (ARM `routingRules`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.ruleType) || self.ruleType == 'Basic'").message("streams have no path: write ruleType Basic"))]
pub struct StreamRoutingRule {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `Basic`: all streams go to one pool. Default: Basic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_type: Option<RuleType>,
    /// Priority, 1–20000. Of several rules of one listener the rule with the lowest number is used. Default: after the rules with a
    /// number, in the order of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20000))]
    pub priority: Option<i32>,
    /// The listener, an element of `listeners`.
    pub listener: Reference,
    /// The pool, an element of `backendAddressPools`.
    pub backend_address_pool: Reference,
    /// The settings, an element of `backendSettingsCollection`.
    pub backend_settings: Reference,
}
