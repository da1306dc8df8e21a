//! Between the two sides of an ApplicationGateway: routing rules and path maps.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Reference, unsupported_guard};

/// A rule that routes the requests of a listener (ARM `requestRoutingRules`). One rule is used for each listener.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.ruleType != 'Basic' || (has(self.backendAddressPool) && has(self.backendHttpSettings))").message("a rule of type Basic needs backendAddressPool and backendHttpSettings"))]
#[x_kube(validation = Rule::new("self.ruleType != 'PathBasedRouting' || has(self.urlPathMap)").message("a rule of type PathBasedRouting needs a urlPathMap"))]
pub struct RequestRoutingRule {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `Basic`: all requests go to one pool. `PathBasedRouting`: requests are routed by a `urlPathMap`.
    pub rule_type: RuleType,
    /// Priority, 1–20000. Of several rules of one listener the rule with the lowest number is used. Default: after the
    /// rules with a number, in the order of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20000))]
    pub priority: Option<i32>,
    /// The listener, an element of `httpListeners`.
    pub http_listener: Reference,
    /// The pool, an element of `backendAddressPools`. Basic only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_address_pool: Option<Reference>,
    /// The settings, an element of `backendHttpSettingsCollection`. Basic only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_http_settings: Option<Reference>,
    /// The path map, an element of `urlPathMaps`. PathBasedRouting only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_path_map: Option<Reference>,
}

/// How a rule routes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RuleType {
    /// All requests go to one pool.
    Basic,
    /// By a path map.
    PathBasedRouting,
}

/// Paths and their pools (ARM `urlPathMaps`). The first pattern that matches is used, and the default where none does.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.defaultBackendAddressPool) == has(self.defaultBackendHttpSettings)").message("defaultBackendAddressPool and defaultBackendHttpSettings go together"))]
pub struct UrlPathMap {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The pool for paths that no rule matches, an element of `backendAddressPools`. Default: such requests get 404.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_backend_address_pool: Option<Reference>,
    /// The settings for paths that no rule matches, an element of `backendHttpSettingsCollection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_backend_http_settings: Option<Reference>,
    /// Path rules. The first that matches is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 400))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub path_rules: Vec<PathRule>,
}

/// Paths, and the pool for their requests.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathRule {
    /// Name. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Patterns: each starts with `/` and has at most one `*`, as its last character. Case does not matter.
    #[schemars(length(min = 1, max = 100), inner(length(max = 1024), regex(pattern = "^/[^*]*[*]?$")))]
    pub paths: Vec<String>,
    /// The pool, an element of `backendAddressPools`.
    pub backend_address_pool: Reference,
    /// The settings, an element of `backendHttpSettingsCollection`.
    pub backend_http_settings: Reference,
    /// A policy of a web application firewall (ARM `firewallPolicy`). Not supported, and reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "unsupported_guard")]
    pub firewall_policy: Option<Value>,
}

/// The backend that a rule, a path rule or the default of a path map names: a pool, and the settings with which it is used. All
/// that reads rules takes their backends from here.
#[derive(Debug, Clone, Copy)]
pub struct RuleBackend<'a> {
    /// The pool, an element of `backendAddressPools`.
    pub pool: BackendReference<'a>,
    /// The settings, an element of `backendHttpSettingsCollection`.
    pub settings: BackendReference<'a>,
}

/// One of the two references of a [`RuleBackend`].
#[derive(Debug, Clone, Copy)]
pub struct BackendReference<'a> {
    /// The name of the field.
    pub field: &'static str,
    /// The value of the field, if it has one.
    pub reference: Option<&'a Reference>,
}

impl<'a> BackendReference<'a> {
    fn new(field: &'static str, reference: Option<&'a Reference>) -> Self {
        Self { field, reference }
    }
}

impl RequestRoutingRule {
    /// The backend of a Basic rule.
    pub fn backend(&self) -> RuleBackend<'_> {
        RuleBackend {
            pool: BackendReference::new("backendAddressPool", self.backend_address_pool.as_ref()),
            settings: BackendReference::new("backendHttpSettings", self.backend_http_settings.as_ref()),
        }
    }
}

impl UrlPathMap {
    /// The backend for paths that no rule matches, if the map has one.
    pub fn default_backend(&self) -> Option<RuleBackend<'_>> {
        let (pool, settings) =
            (self.default_backend_address_pool.as_ref(), self.default_backend_http_settings.as_ref());
        (pool.is_some() || settings.is_some()).then(|| RuleBackend {
            pool: BackendReference::new("defaultBackendAddressPool", pool),
            settings: BackendReference::new("defaultBackendHttpSettings", settings),
        })
    }
}

impl PathRule {
    /// The backend of its paths.
    pub fn backend(&self) -> RuleBackend<'_> {
        RuleBackend {
            pool: BackendReference::new("backendAddressPool", Some(&self.backend_address_pool)),
            settings: BackendReference::new("backendHttpSettings", Some(&self.backend_http_settings)),
        }
    }
}
