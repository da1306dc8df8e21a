//! Rewrites of headers and URLs.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Rules that change headers of requests and answers, and the URL of requests (ARM `rewriteRuleSets`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteRuleSet {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its rules. Each is applied, in the order of their sequence numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub rewrite_rules: Vec<RewriteRule>,
}

/// What is changed, and in which case.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteRule {
    /// Name. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its place among the rules of the set: the lowest number comes first. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub rule_sequence: Option<i32>,
    /// Conditions, all of which must be met. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub conditions: Vec<RewriteCondition>,
    /// What is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_set: Option<RewriteActionSet>,
}

/// A condition: the value of a variable matches a pattern.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteCondition {
    /// The variable: `var_uri_path`, `http_req_User-Agent`, `http_resp_Location`, …
    #[schemars(length(min = 1, max = 256))]
    pub variable: String,
    /// A regular expression. Its groups can be used in what is written: `{var_uri_path_1}`.
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: String,
    /// Whether case does not matter. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_case: Option<bool>,
    /// Whether the condition is met where the pattern does not match. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negate: Option<bool>,
}

/// What a rule changes.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RewriteActionSet {
    /// Headers of requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub request_header_configurations: Vec<HeaderConfiguration>,
    /// Headers of answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub response_header_configurations: Vec<HeaderConfiguration>,
    /// The URL of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_configuration: Option<UrlConfiguration>,
}

/// A header that is set or removed.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderConfiguration {
    /// Name of the header. `Connection` and `Upgrade` can't be changed.
    #[schemars(length(min = 1, max = 256))]
    pub header_name: String,
    /// Its value, with variables in braces: `{var_host}`. Default: the header is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub header_value: Option<String>,
    /// Which of several values of the header are meant. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_value_matcher: Option<HeaderValueMatcher>,
}

/// Values of a header, by a pattern.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderValueMatcher {
    /// A regular expression.
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: String,
    /// Whether case does not matter. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_case: Option<bool>,
    /// Whether values are meant that the pattern does not match. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negate: Option<bool>,
}

/// Parts of the URL that are written anew.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UrlConfiguration {
    /// The path, with variables in braces. Default: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub modified_path: Option<String>,
    /// The query without its `?`, with variables in braces. Default: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub modified_query_string: Option<String>,
    /// Whether the path map is asked again, with the new path. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reroute: Option<bool>,
}
