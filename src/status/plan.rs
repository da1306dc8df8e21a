//! The plan of status writes: the status that each object should have, where it does not have it yet. A pure function.
//!
//! Objects of other classes are never touched. What was written while an object was ours is removed once it is ours no
//! more; `metadata.managedFields` says whether we wrote it. Each language plans for its own kind, in its own file.

use super::change::{PlanInput, StatusChange};
use super::{Facts, application_gateway, gateway_api, ingress};
use crate::model::PoolId;

impl PlanInput<'_> {
    /// Every change that is due, for each language in turn.
    pub fn plan(&self) -> Vec<StatusChange> {
        let addresses = self.publish.addresses(&self.facts.snapshot);
        let mut changes = Vec::new();
        ingress::plan(self, addresses.as_deref(), &mut changes);
        application_gateway::plan(self, addresses.as_deref(), &mut changes);
        gateway_api::plan(self, addresses.as_deref(), &mut changes);
        changes
    }

    /// The pools whose health a plan needs.
    pub fn pools(facts: &Facts) -> impl Iterator<Item = &PoolId> {
        facts.served.application_gateways.values().flat_map(|parts| parts.pools.values()).flatten()
    }
}
