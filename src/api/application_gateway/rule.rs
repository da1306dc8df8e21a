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
#[x_kube(validation = Rule::new("self.ruleType != 'Basic' || has(self.redirectConfiguration) || ((has(self.backendAddressPool) || has(self.loadDistributionPolicy)) && has(self.backendHttpSettings))").message("a rule of type Basic needs backendAddressPool and backendHttpSettings, or a redirectConfiguration"))]
#[x_kube(validation = Rule::new("!has(self.redirectConfiguration) || !(has(self.backendAddressPool) || has(self.backendHttpSettings) || has(self.loadDistributionPolicy) || has(self.urlPathMap))").message("a redirectConfiguration stands in place of backends"))]
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
    /// The redirect in place of a backend, an element of `redirectConfigurations`. Basic only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_configuration: Option<Reference>,
    /// Rewrites of headers and URLs, an element of `rewriteRuleSets`. Basic only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite_rule_set: Option<Reference>,
    /// Several pools in place of `backendAddressPool`, an element of `loadDistributionPolicies`. Basic only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_distribution_policy: Option<Reference>,
    /// The tokens that requests have to bring, an element of `entraJWTValidationConfigs`. For all paths of the rule.
    #[serde(default, rename = "entraJWTValidationConfig", skip_serializing_if = "Option::is_none")]
    pub entra_jwt_validation_config: Option<Reference>,
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
#[x_kube(validation = Rule::new("(has(self.defaultBackendAddressPool) || has(self.defaultLoadDistributionPolicy)) == has(self.defaultBackendHttpSettings)").message("defaultBackendAddressPool and defaultBackendHttpSettings go together"))]
#[x_kube(validation = Rule::new("!has(self.defaultRedirectConfiguration) || !(has(self.defaultBackendAddressPool) || has(self.defaultBackendHttpSettings) || has(self.defaultLoadDistributionPolicy))").message("a defaultRedirectConfiguration stands in place of backends"))]
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
    /// The redirect for paths that no rule matches, an element of `redirectConfigurations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_redirect_configuration: Option<Reference>,
    /// Rewrites for paths that no rule matches, an element of `rewriteRuleSets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_rewrite_rule_set: Option<Reference>,
    /// Several pools for paths that no rule matches, an element of `loadDistributionPolicies`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_load_distribution_policy: Option<Reference>,
    /// Path rules. The first that matches is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 400))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub path_rules: Vec<PathRule>,
}

/// Paths, and the pool for their requests.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.redirectConfiguration) ? !(has(self.backendAddressPool) || has(self.backendHttpSettings) || has(self.loadDistributionPolicy)) : (has(self.backendAddressPool) || has(self.loadDistributionPolicy)) && has(self.backendHttpSettings)").message("a path rule needs backendAddressPool and backendHttpSettings, or a redirectConfiguration in their place"))]
pub struct PathRule {
    /// Name. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Patterns: each starts with `/` and has at most one `*`, as its last character. Case does not matter.
    #[schemars(length(min = 1, max = 100), inner(length(max = 1024), regex(pattern = "^/[^*]*[*]?$")))]
    pub paths: Vec<String>,
    /// The pool, an element of `backendAddressPools`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_address_pool: Option<Reference>,
    /// The settings, an element of `backendHttpSettingsCollection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_http_settings: Option<Reference>,
    /// The redirect in place of a backend, an element of `redirectConfigurations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_configuration: Option<Reference>,
    /// Rewrites of headers and URLs, an element of `rewriteRuleSets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite_rule_set: Option<Reference>,
    /// Several pools in place of `backendAddressPool`, an element of `loadDistributionPolicies`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_distribution_policy: Option<Reference>,
    /// The tokens that requests have to bring, an element of `entraJWTValidationConfigs`. Default: that of the rule.
    #[serde(default, rename = "entraJWTValidationConfig", skip_serializing_if = "Option::is_none")]
    pub entra_jwt_validation_config: Option<Reference>,
    /// A policy of a web application firewall (ARM `firewallPolicy`). Not supported, and reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "unsupported_guard")]
    pub firewall_policy: Option<Value>,
}

/// What a rule, a path rule or the default of a path map names: a backend (pools, and the settings with which they are used) or a redirect, and
/// what happens on the way. All that reads rules takes their references from here.
#[derive(Debug, Clone, Copy)]
pub struct RuleTarget<'a> {
    /// The pool, an element of `backendAddressPools`.
    pub pool: RuleReference<'a>,
    /// Several pools, an element of `loadDistributionPolicies`.
    pub load_distribution: RuleReference<'a>,
    /// The settings, an element of `backendHttpSettingsCollection`.
    pub settings: RuleReference<'a>,
    /// The redirect, an element of `redirectConfigurations`.
    pub redirect: RuleReference<'a>,
    /// Rewrites, an element of `rewriteRuleSets`.
    pub rewrites: RuleReference<'a>,
    /// Tokens, an element of `entraJWTValidationConfigs`.
    pub token: RuleReference<'a>,
}

/// One of the references of a [`RuleTarget`].
#[derive(Debug, Clone, Copy)]
pub struct RuleReference<'a> {
    /// The name of the field.
    pub field: &'static str,
    /// The value of the field, if it has one.
    pub reference: Option<&'a Reference>,
}

impl<'a> RuleReference<'a> {
    fn new(field: &'static str, reference: Option<&'a Reference>) -> Self {
        Self { field, reference }
    }
}

impl RequestRoutingRule {
    /// The target of a Basic rule.
    pub fn target(&self) -> RuleTarget<'_> {
        RuleTarget {
            pool: RuleReference::new("backendAddressPool", self.backend_address_pool.as_ref()),
            load_distribution: RuleReference::new("loadDistributionPolicy", self.load_distribution_policy.as_ref()),
            settings: RuleReference::new("backendHttpSettings", self.backend_http_settings.as_ref()),
            redirect: RuleReference::new("redirectConfiguration", self.redirect_configuration.as_ref()),
            rewrites: RuleReference::new("rewriteRuleSet", self.rewrite_rule_set.as_ref()),
            token: self.token(),
        }
    }

    /// The tokens that all its requests have to bring, also those that a path map routes.
    pub fn token(&self) -> RuleReference<'_> {
        RuleReference::new("entraJWTValidationConfig", self.entra_jwt_validation_config.as_ref())
    }
}

impl UrlPathMap {
    /// The target for paths that no rule matches, if the map has one.
    pub fn default_target(&self) -> Option<RuleTarget<'_>> {
        let target = RuleTarget {
            pool: RuleReference::new("defaultBackendAddressPool", self.default_backend_address_pool.as_ref()),
            load_distribution: RuleReference::new(
                "defaultLoadDistributionPolicy",
                self.default_load_distribution_policy.as_ref(),
            ),
            settings: RuleReference::new("defaultBackendHttpSettings", self.default_backend_http_settings.as_ref()),
            redirect: RuleReference::new("defaultRedirectConfiguration", self.default_redirect_configuration.as_ref()),
            rewrites: RuleReference::new("defaultRewriteRuleSet", self.default_rewrite_rule_set.as_ref()),
            token: RuleReference::new("entraJWTValidationConfig", None),
        };
        let RuleTarget { pool, load_distribution, settings, redirect, rewrites: _, token: _ } = target;
        [pool, load_distribution, settings, redirect].iter().any(|each| each.reference.is_some()).then_some(target)
    }
}

impl PathRule {
    /// The target of its paths.
    pub fn target(&self) -> RuleTarget<'_> {
        RuleTarget {
            pool: RuleReference::new("backendAddressPool", self.backend_address_pool.as_ref()),
            load_distribution: RuleReference::new("loadDistributionPolicy", self.load_distribution_policy.as_ref()),
            settings: RuleReference::new("backendHttpSettings", self.backend_http_settings.as_ref()),
            redirect: RuleReference::new("redirectConfiguration", self.redirect_configuration.as_ref()),
            rewrites: RuleReference::new("rewriteRuleSet", self.rewrite_rule_set.as_ref()),
            token: RuleReference::new("entraJWTValidationConfig", self.entra_jwt_validation_config.as_ref()),
        }
    }
}
