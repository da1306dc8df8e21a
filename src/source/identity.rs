//! The identity of an object, which writes to it and Events about it have to name.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// Tells an object, and its version, from others of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// `metadata.uid`: an object that is deleted and created again under its name has another.
    pub(crate) uid: Option<String>,
    /// `metadata.resourceVersion`.
    pub(crate) resource_version: Option<String>,
}

impl From<&ObjectMeta> for Identity {
    fn from(ObjectMeta { uid, resource_version, .. }: &ObjectMeta) -> Self {
        Self { uid: uid.clone(), resource_version: resource_version.clone() }
    }
}
