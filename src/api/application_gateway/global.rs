//! Settings of the gateway as a whole.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Whether requests and answers are buffered (ARM `globalConfiguration`). Here they never are: bodies are passed on as they come.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GlobalConfiguration {
    /// Whether requests are buffered. `true` has no effect, and is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_request_buffering: Option<bool>,
    /// Whether answers are buffered. `true` has no effect, and is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_response_buffering: Option<bool>,
}
