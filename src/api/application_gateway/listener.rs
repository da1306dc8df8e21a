//! The listeners of an ApplicationGateway, and certificates.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConfigReference, CustomErrorConfiguration, Protocol, Reference, unsupported_guard};

/// A port, a protocol, and the hosts that it serves (ARM `httpListeners`). An exact host has precedence over a
/// wildcard, and a wildcard over a listener for any host. Two listeners with one port and one host are in conflict.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.hostName) && has(self.hostNames) && size(self.hostNames) > 0)").message("hostName and hostNames can't stand together: list every host in hostNames"))]
#[x_kube(validation = Rule::new("self.protocol != 'Https' || has(self.sslCertificate)").message("a listener of protocol Https needs an sslCertificate"))]
#[x_kube(validation = Rule::new("self.protocol == 'Https' || !has(self.sslProfile)").message("an sslProfile is for protocol Https alone"))]
pub struct HttpListener {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The addresses on which it listens, an element of `frontendIPConfigurations`. Default: every address.
    #[serde(default, rename = "frontendIPConfiguration", skip_serializing_if = "Option::is_none")]
    pub frontend_ip_configuration: Option<Reference>,
    /// The port, an element of `frontendPorts`. All listeners of a port have one protocol.
    pub frontend_port: Reference,
    /// The protocol: `Http` (and ws) or `Https` (and wss).
    pub protocol: Protocol,
    /// The host. `*` stands for any number of characters, also across labels, and `?` for one character. Default: any
    /// host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub host_name: Option<String>,
    /// Several hosts instead of `hostName`, at most 5, with wildcards as there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(max = 253)))]
    pub host_names: Vec<String>,
    /// The certificate, an element of `sslCertificates`. Required for Https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_certificate: Option<Reference>,
    /// TLS settings and client certificates, an element of `sslProfiles`. Https only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_profile: Option<Reference>,
    /// Whether clients must name a host of the listener in TLS (SNI). Https only. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_server_name_indication: Option<bool>,
    /// Pages for errors of the gateway, instead of the gateway's `customErrorConfigurations` for the same status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9))]
    pub custom_error_configurations: Vec<CustomErrorConfiguration>,
    /// A policy of a web application firewall (ARM `firewallPolicy`). Not supported, and reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "unsupported_guard")]
    pub firewall_policy: Option<Value>,
}

/// A server certificate (ARM `sslCertificates`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SslCertificate {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// A Secret of type `kubernetes.io/tls`: `tls.crt` and `tls.key`, PEM.
    pub secret_ref: ConfigReference,
}

/// CA certificates that verify the certificates of HTTPS backends, instead of the well-known ones
/// (ARM `trustedRootCertificates`). PEM, in the key `ca.crt` of a Secret or ConfigMap.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.configMapRef)").message("give either secretRef or configMapRef"))]
pub struct TrustedRootCertificate {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ConfigReference>,
    /// The ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigReference>,
}
