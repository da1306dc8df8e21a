//! References: to another element of the same object, and to Secrets and ConfigMaps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Another element of the same ApplicationGateway, by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Reference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A Secret or ConfigMap, by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct ConfigReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace. Another one than the gateway's has to permit the reference by a ReferenceGrant. Default: the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// One value of a Secret or ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct ConfigKeyReference {
    /// Name of the Secret or ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace. Another one than the gateway's has to permit the reference by a ReferenceGrant. Default: the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// The key of its data that holds the value.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}
