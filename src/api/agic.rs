//! Custom resources of AGIC that people bring along. Their definitions are AGIC's: none is installed here, and a cluster may not know
//! them.
//!
//! Every field may be absent, as there: what is missing or can't be read is judged where the objects are used.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The desired state of an AzureApplicationGatewayRewrite: a list of rules that rewrite requests and answers.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "appgw.ingress.azure.io",
    version = "v1beta1",
    kind = "AzureApplicationGatewayRewrite",
    namespaced,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct AzureApplicationGatewayRewriteSpec {
    /// The rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrite_rules: Vec<AzureRewriteRule>,
}

/// One rule: conditions that must all be met, and what is done then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureRewriteRule {
    /// The name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The order among the rules: the lowest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_sequence: Option<i32>,
    /// What is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<AzureRewriteActions>,
    /// The conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<AzureRewriteCondition>,
}

/// What a rule does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureRewriteActions {
    /// Headers of requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_header_configurations: Vec<AzureHeaderConfiguration>,
    /// Headers of answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_header_configurations: Vec<AzureHeaderConfiguration>,
    /// The path and query of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_configuration: Option<AzureUrlConfiguration>,
}

/// A header that is set or deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureHeaderConfiguration {
    /// What is done with it. Default: it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_type: Option<AzureHeaderAction>,
    /// The name of the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_name: Option<String>,
    /// The value that is set. Of no effect where the header is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_value: Option<String>,
}

/// What is done with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AzureHeaderAction {
    /// It gets a value.
    Set,
    /// It is removed. AGIC itself sets it instead, against its own definition.
    Delete,
}

/// The path and query that requests get.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureUrlConfiguration {
    /// The path; empty: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_path: Option<String>,
    /// The query; empty: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_query_string: Option<String>,
    /// Whether the path map is evaluated again with the new path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reroute: Option<bool>,
}

/// A condition on a variable of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureRewriteCondition {
    /// Whether the comparison is without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_case: Option<bool>,
    /// Whether the condition is met where the pattern does not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negate: Option<bool>,
    /// The variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// The desired state of an AzureIngressProhibitedTarget: hosts and paths that no Ingress of AGIC's class may serve.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "appgw.ingress.k8s.io",
    version = "v1",
    kind = "AzureIngressProhibitedTarget",
    namespaced,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct AzureIngressProhibitedTargetSpec {
    /// The address of the Application Gateway in Azure. It says nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The host; empty: every host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The frontend port; empty: every port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// The paths, each with `/*` at its end; empty: every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}
