//! Pages for errors.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::ConfigKeyReference;

/// A page that clients see instead of one of the gateway's own errors (ARM `customErrorConfigurations`). Answers of backends stay as they
/// are.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomErrorConfiguration {
    /// The status: `HttpStatus502`, as in ARM, or `502`. One of 400, 403, 404, 405, 408, 500, 502, 503, 504.
    pub status_code: IntOrString,
    /// The page, HTML, a value of a ConfigMap. ARM has a URL in its place (`customErrorPageUrl`), which is not fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigKeyReference>,
}
