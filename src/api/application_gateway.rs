//! `ApplicationGateway`, `steadygate.io/v1alpha1`: the vocabulary of ARM's
//! `Microsoft.Network/applicationGateways` in Kubernetes form: no `properties` wrapper, references
//! are `{name: X}` within the object, secrets are Secret references, and pools can name Services.
//!
//! The schema and its CEL rules check each element by itself. `translate` checks all of it again, for objects that no
//! API server has seen.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

mod backend;
mod error_page;
mod frontend;
mod global;
mod listener;
mod load_distribution;
mod predefined_policy;
mod redirect;
mod reference;
mod rewrite;
mod rule;
mod ssl_profile;
mod status;
mod stream;
mod token;

use kube::{CustomResource, CustomResourceExt, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use backend::{
    BackendAddress, BackendAddressPool, BackendHttpSettings, ConnectionDraining, CookieBasedAffinity, Probe,
    ProbeMatch, ProbeProtocol, ServiceRef,
};
pub use error_page::CustomErrorConfiguration;
pub use frontend::{FrontendIpConfiguration, FrontendPort, PublicIpAddress};
pub use global::GlobalConfiguration;
pub use listener::{HttpListener, SslCertificate, TrustedRootCertificate};
pub use load_distribution::{LoadDistributionAlgorithm, LoadDistributionPolicy, LoadDistributionTarget};
pub use predefined_policy::{MANDATORY_SUITES, PredefinedPolicy};
pub use redirect::{RedirectConfiguration, RedirectType};
pub use reference::{ConfigKeyReference, ConfigReference, Reference};
pub use rewrite::{
    HeaderConfiguration, HeaderValueMatcher, RewriteActionSet, RewriteCondition, RewriteRule, RewriteRuleSet,
    UrlConfiguration,
};
pub use rule::{PathRule, RequestRoutingRule, RuleReference, RuleTarget, RuleType, UrlPathMap};
pub use ssl_profile::{
    ClientAuthConfiguration, ClientAuthMode, ClientRevocation, SslPolicy, SslPolicyType, SslProfile, SslProtocol,
    TrustedClientCertificate,
};
pub use status::{AddressKind, ApplicationGatewayStatus, ElementStatus, GatewayAddress, PoolStatus};
pub use stream::{StreamBackendSettings, StreamListener, StreamProtocol, StreamRoutingRule};
pub use token::{ClaimToHeader, JwksSource, SessionAtTokenEnd, TokenValidationConfig, UnauthorizedRequestAction};

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

    /// Addresses of the instance on which listeners listen (ARM `frontendIPConfigurations`).
    #[serde(default, rename = "frontendIPConfigurations", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub frontend_ip_configurations: Vec<FrontendIpConfiguration>,

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

    /// Versions of TLS and cipher suites that clients may use (ARM `sslPolicy`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_policy: Option<SslPolicy>,

    /// TLS settings of listeners (ARM `sslProfiles`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub ssl_profiles: Vec<SslProfile>,

    /// CA certificates that verify client certificates (ARM `trustedClientCertificates`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub trusted_client_certificates: Vec<TrustedClientCertificate>,

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

    /// Redirects (ARM `redirectConfigurations`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub redirect_configurations: Vec<RedirectConfiguration>,

    /// Rewrites of headers and URLs (ARM `rewriteRuleSets`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub rewrite_rule_sets: Vec<RewriteRuleSet>,

    /// Pools with weights (ARM `loadDistributionPolicies`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub load_distribution_policies: Vec<LoadDistributionPolicy>,

    /// Tokens that requests have to bring (ARM `entraJWTValidationConfigs`).
    #[serde(default, rename = "entraJWTValidationConfigs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub entra_jwt_validation_configs: Vec<TokenValidationConfig>,

    /// Pages for errors of the gateway (ARM `customErrorConfigurations`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9))]
    pub custom_error_configurations: Vec<CustomErrorConfiguration>,

    /// Listeners for streams without HTTP (ARM `listeners`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub listeners: Vec<StreamListener>,

    /// Settings for streams to backends (ARM `backendSettingsCollection`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub backend_settings_collection: Vec<StreamBackendSettings>,

    /// Rules that lead streams to pools (ARM `routingRules`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub routing_rules: Vec<StreamRoutingRule>,

    /// Whether clients may speak HTTP/2 (ARM `enableHttp2`). Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_http2: Option<bool>,

    /// Buffering (ARM `globalConfiguration`), which does not exist here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_configuration: Option<GlobalConfiguration>,

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
