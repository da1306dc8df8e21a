//! The plan of status writes: the status that each object should have, where it does not have it yet. A pure function.
//!
//! Objects of other classes are never touched. What was written while an object was ours is removed once it is ours no
//! more; `metadata.managedFields` says whether we wrote it. Each language plans for its own kind, in its own file.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Facts, PoolHealth, PublishedAddresses, application_gateway, ingress};
use crate::api::application_gateway::ApplicationGatewayStatus;
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
    /// No field of ours.
    Nothing,
}

impl DesiredStatus {
    /// The value of `status` in the applied configuration; `null`: no field is applied, so that all of ours are removed.
    pub(super) fn to_value(&self) -> serde_json::Result<Value> {
        Ok(match self {
            Self::Ingress(addresses) => json!({"loadBalancer": {"ingress": addresses}}),
            Self::ApplicationGateway(status) => serde_json::to_value(status)?,
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
    /// Every change that is due, for each language in turn.
    pub fn plan(&self) -> Vec<StatusChange> {
        let addresses = self.publish.addresses(&self.facts.snapshot);
        let mut changes = Vec::new();
        ingress::plan(self, addresses.as_deref(), &mut changes);
        application_gateway::plan(self, addresses.as_deref(), &mut changes);
        changes
    }

    /// The pools whose health a plan needs.
    pub fn pools(facts: &Facts) -> impl Iterator<Item = &PoolId> {
        facts.served.gateways.values().flat_map(|parts| parts.pools.values()).flatten()
    }

    /// The removal of our fields from an object that should have none; `None` where it has none. `is_ours` says whether the
    /// object in the snapshot has fields of ours.
    pub(super) fn removal(&self, object: &ObjectRef, is_ours: impl FnOnce() -> bool) -> Option<DesiredStatus> {
        let ours = match self.written.get(object) {
            Some(written) => *written != DesiredStatus::Nothing,
            None => is_ours(),
        };
        ours.then_some(DesiredStatus::Nothing)
    }
}

impl StatusChange {
    pub(super) fn new(object: ObjectRef, identity: Identity, status: DesiredStatus) -> Self {
        let Identity { uid, resource_version: version } = identity;
        Self { object, uid, version, status }
    }
}
