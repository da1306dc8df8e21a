//! The input and the output of the plan of status writes. Each language plans for its own kind in these words.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Facts, PoolHealth, PublishedAddresses};
use crate::api::application_gateway::ApplicationGatewayStatus;
use crate::api::gateway_api::{GatewayClassStatus, GatewayStatus, RouteStatus};
use crate::model::{ObjectRef, PoolId};
use crate::source::Identity;

/// Everything that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// The objects, and which of them are served.
    pub facts: &'a Facts,
    /// The health of the pools that [`PlanInput::pools`] names.
    pub health: &'a BTreeMap<PoolId, PoolHealth>,
    /// The addresses that status publishes.
    pub publish: &'a PublishedAddresses,
    /// Our field manager (server-side apply).
    pub manager: &'a str,
    /// Writes that the snapshot does not show yet.
    pub written: &'a BTreeMap<ObjectRef, DesiredStatus>,
    /// The time that changed conditions get as their last transition.
    pub now: Timestamp,
}

/// The status that an object should have.
#[derive(Debug, Clone, PartialEq)]
pub enum DesiredStatus {
    /// `status.loadBalancer.ingress` of an Ingress.
    Ingress(Vec<IngressLoadBalancerIngress>),
    /// The status of an ApplicationGateway.
    ApplicationGateway(Box<ApplicationGatewayStatus>),
    /// The status of a GatewayClass.
    GatewayClass(Box<GatewayClassStatus>),
    /// The status of a Gateway.
    Gateway(Box<GatewayStatus>),
    /// The status of an HTTPRoute, the entries of other controllers included.
    HttpRoute(Box<RouteStatus>),
    /// No field of ours.
    Nothing,
}

impl DesiredStatus {
    /// The value of `status` in the applied configuration; `null`: no field is applied, so that all of ours are removed.
    pub(super) fn to_value(&self) -> serde_json::Result<Value> {
        Ok(match self {
            Self::Ingress(addresses) => json!({"loadBalancer": {"ingress": addresses}}),
            Self::ApplicationGateway(status) => serde_json::to_value(status)?,
            Self::GatewayClass(status) => serde_json::to_value(status)?,
            Self::Gateway(status) => serde_json::to_value(status)?,
            Self::HttpRoute(status) => serde_json::to_value(status)?,
            Self::Nothing => Value::Null,
        })
    }
}

/// One status to write.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusChange {
    /// The object.
    pub object: ObjectRef,
    /// `metadata.uid`: an object that was deleted and created again under its name is another object.
    pub uid: Option<String>,
    /// `metadata.resourceVersion` of the object that the plan has read.
    pub version: Option<String>,
    /// The status that it should have.
    pub status: DesiredStatus,
}

impl PlanInput<'_> {
    /// The removal of our fields from an object that should have none; `None` where it has none. `is_ours` says whether the
    /// object in the snapshot has fields of ours.
    pub(super) fn removal(&self, object: &ObjectRef, is_ours: impl FnOnce() -> bool) -> Option<DesiredStatus> {
        let ours = match self.written.get(object) {
            Some(written) => *written != DesiredStatus::Nothing,
            None => is_ours(),
        };
        ours.then_some(DesiredStatus::Nothing)
    }

    /// Whether our manager has applied fields of the object's status.
    pub(super) fn has_written(&self, metadata: &ObjectMeta) -> bool {
        let mut entries = metadata.managed_fields.iter().flatten();
        let is_ours = |manager: Option<&str>| manager == Some(self.manager);
        entries.any(|entry| is_ours(entry.manager.as_deref()) && entry.subresource.as_deref() == Some("status"))
    }
}

impl DesiredStatus {
    /// Whether it is written only over the version of the object that the plan has read: it holds a list in which others have entries.
    pub(super) fn needs_version(&self) -> bool {
        matches!(self, Self::HttpRoute(_))
    }
}

impl StatusChange {
    pub(super) fn new(object: ObjectRef, identity: Identity, status: DesiredStatus) -> Self {
        let Identity { uid, resource_version: version } = identity;
        Self { object, uid, version, status }
    }
}
