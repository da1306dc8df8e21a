//! Redirects.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reference;

/// An answer that sends clients elsewhere: to another listener, or to a URL (ARM `redirectConfigurations`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.targetListener) != has(self.targetUrl)").message("give either targetListener or targetUrl"))]
pub struct RedirectConfiguration {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The status of the answer. Default: Permanent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_type: Option<RedirectType>,
    /// The listener to which clients are sent, an element of `httpListeners`: by its protocol and port, and its host where it has one
    /// without wildcards, else the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_listener: Option<Reference>,
    /// The URL to which clients are sent, with scheme `http` or `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]"))]
    pub target_url: Option<String>,
    /// Whether the path of the request is kept: that of a `targetUrl` is put before it. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_path: Option<bool>,
    /// Whether the query of the request is kept. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_query_string: Option<bool>,
}

/// The status of a redirect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RedirectType {
    /// 301.
    #[default]
    Permanent,
    /// 302.
    Found,
    /// 303.
    SeeOther,
    /// 307.
    Temporary,
}
