//! `ApplicationGateway`, `steadygate.io/v1alpha1`: the vocabulary of ARM's
//! `Microsoft.Network/applicationGateways` in Kubernetes form: no `properties` wrapper, references
//! are `{name: X}` within the object, secrets are Secret references, and pools can name Services.
//!
//! The schema and its CEL rules check each element by itself. `translate` checks all of it again, for objects that no
//! API server has seen.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

mod backend;
mod listener;
mod rule;
mod status;

use kube::{CustomResource, CustomResourceExt, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use backend::{
    BackendAddress, BackendAddressPool, BackendHttpSettings, ConnectionDraining, CookieBasedAffinity,
    LoadDistributionAlgorithm, Probe, ProbeMatch, ServiceRef,
};
pub use listener::{FrontendPort, HttpListener, SslCertificate, TrustedRootCertificate};
pub use rule::{BackendReference, PathRule, RequestRoutingRule, RuleBackend, RuleType, UrlPathMap};
pub use status::{AddressKind, ApplicationGatewayStatus, ElementStatus, GatewayAddress, PoolStatus};

/// The desired state of an ApplicationGateway.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[kube(
    group = "steadygate.io",
    version = "v1alpha1",
    kind = "ApplicationGateway",
    namespaced,
    shortname = "appgw",
    status = "ApplicationGatewayStatus",
    derive = "PartialEq",
    doc = "An application gateway: listeners, backend pools and the rules between them, in the words of ARM's Microsoft.Network/applicationGateways. WebSocket needs no field: every listener and rule carries it.",
    printcolumn = r#"{"name": "Class", "type": "string", "jsonPath": ".spec.ingressClassName"}"#,
    printcolumn = r#"{"name": "Address", "type": "string", "jsonPath": ".status.addresses[0].value"}"#,
    printcolumn = r#"{"name": "Programmed", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Programmed\")].status"}"#,
    printcolumn = r#"{"name": "Members", "type": "string", "jsonPath": ".status.members", "description": "Members that are up, of all"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Accepted", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Accepted\")].status"}"#,
    printcolumn = r#"{"name": "Refs", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"ResolvedRefs\")].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Programmed\")].reason"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationGatewaySpec {
    /// IngressClass whose controller serves this gateway, as on an Ingress. Default: the default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ingress_class_name: Option<String>,

    /// Ports that listeners listen on (ARM `frontendPorts`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub frontend_ports: Vec<FrontendPort>,

    /// Listeners: a port, a protocol, and the hosts that are served there (ARM `httpListeners`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub http_listeners: Vec<HttpListener>,

    /// Server certificates, from Secrets (ARM `sslCertificates`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub ssl_certificates: Vec<SslCertificate>,

    /// CA certificates that verify HTTPS backends (ARM `trustedRootCertificates`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub trusted_root_certificates: Vec<TrustedRootCertificate>,

    /// Pools of backends (ARM `backendAddressPools`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub backend_address_pools: Vec<BackendAddressPool>,

    /// Settings for requests to backends (ARM `backendHttpSettingsCollection`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub backend_http_settings_collection: Vec<BackendHttpSettings>,

    /// Health probes of backends (ARM `probes`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub probes: Vec<Probe>,

    /// Rules that route the requests of listeners (ARM `requestRoutingRules`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 400))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub request_routing_rules: Vec<RequestRoutingRule>,

    /// Paths and their pools, for rules of type PathBasedRouting (ARM `urlPathMaps`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub url_path_maps: Vec<UrlPathMap>,

    /// A policy of a web application firewall (ARM `firewallPolicy`). Not supported, and reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "unsupported_guard")]
    pub firewall_policy: Option<Value>,

    /// A web application firewall (ARM `webApplicationFirewallConfiguration`). Not supported, and reported where it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "unsupported_guard")]
    pub web_application_firewall_configuration: Option<Value>,
}

/// The schema of a field that guards and is not supported. It has to be known, since an API server removes fields that
/// are not, and nobody would hear of it.
fn unsupported_guard(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// Another element of the same ApplicationGateway, or an object of its namespace, by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Reference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// `Http` or `Https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Protocol {
    /// Clear text; WebSocket as `ws`.
    Http,
    /// TLS; WebSocket as `wss`.
    Https,
}

/// The CustomResourceDefinition of `ApplicationGateway` as YAML, ready for `kubectl apply`.
pub fn crd_yaml() -> String {
    let definition = ApplicationGateway::crd();
    let text = serde_saphyr::to_string(&definition).expect("a definition is plain data, which YAML can hold");
    if text.ends_with('\n') { text } else { text + "\n" }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_checked_in_definition_is_the_one_in_the_code() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/applicationgateways.steadygate.io.yaml");
        let text = crd_yaml();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &text).expect("writable");
        }
        let written = std::fs::read_to_string(&file).expect("readable");
        assert!(written == text, "{} is out of date: run with BLESS=1", file.display());
    }
}
