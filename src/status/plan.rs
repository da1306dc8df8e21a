//! What the status of each object should be, where it is not that already. A pure function.
//!
//! An object of another class is never touched. What we wrote while an object was ours is taken back when it is not
//! any more; whether we wrote it is read from `metadata.managedFields`.

use std::collections::BTreeMap;

use imbl::OrdSet;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;

use super::gateway::Gateway;
use super::problem::Problems;
use super::{Facts, Parts, PoolHealth, Publish};
use crate::api::ApplicationGateway;
use crate::api::application_gateway::ApplicationGatewayStatus;
use crate::model::{Kind, ObjectRef, PoolId};
use crate::report::Report;
use crate::source::{Identity, Key, PackedIngress};

/// Everything that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The objects, and what is served of them.
    pub facts: &'a Facts,
    /// How the members of the gateways' pools are.
    pub health: &'a BTreeMap<PoolId, PoolHealth>,
    /// Which addresses are told.
    pub publish: &'a Publish,
    /// Our field manager.
    pub manager: &'a str,
    /// What was written and does not stand in the snapshot yet.
    pub written: &'a BTreeMap<ObjectRef, Desired>,
    /// The time of conditions that change.
    pub now: Timestamp,
}

/// What a status should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Desired {
    /// `status.loadBalancer.ingress` of an Ingress.
    Ingress(Vec<IngressLoadBalancerIngress>),
    /// The status of an ApplicationGateway.
    Gateway(Box<ApplicationGatewayStatus>),
    /// Nothing of ours.
    Nothing,
}

/// One object whose status is not what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The object.
    pub object: ObjectRef,
    /// `metadata.uid`: an object made anew under the same name is another.
    pub uid: Option<String>,
    /// `metadata.resourceVersion` of what was looked at.
    pub version: Option<String>,
    /// What it should be.
    pub status: Desired,
}

impl View<'_> {
    /// Every change that is due.
    pub fn plan(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let addresses = self.publish.addresses(&self.facts.snapshot);
        for (key, object) in &self.facts.snapshot.ingresses {
            let object_ref = ObjectRef { kind: Kind::Ingress, key: key.clone() };
            if let Some(status) = self.ingress(key, object, &object_ref, addresses.as_deref()) {
                changes.push(change(object_ref, object.identity(), status));
            }
        }
        let reports = by_gateway(&self.facts.reports);
        for (key, object) in &self.facts.snapshot.gateways {
            let object_ref = ObjectRef { kind: Kind::ApplicationGateway, key: key.clone() };
            let status = match self.facts.served.gateways.get(key) {
                Some(parts) => {
                    let reports = reports.get(&object_ref).map(Vec::as_slice).unwrap_or_default();
                    self.gateway(object, &object_ref, parts, reports, addresses.as_deref())
                }
                None => self.taken_back(&object_ref, || has_status_of(&object.metadata, self.manager)),
            };
            changes.extend(status.map(|status| change(object_ref, Identity::from(&object.metadata), status)));
        }
        changes
    }

    /// The pools whose members' health a plan asks for.
    pub fn pools(facts: &Facts) -> impl Iterator<Item = &PoolId> {
        facts.served.gateways.values().flat_map(|parts| parts.pools.values()).flatten()
    }

    fn ingress(
        &self,
        key: &Key,
        object: &PackedIngress,
        object_ref: &ObjectRef,
        addresses: Option<&[IngressLoadBalancerIngress]>,
    ) -> Option<Desired> {
        let wanted = match self.facts.served.ingresses.get(key) {
            // Not known now: what stands there goes on standing there.
            Some(true) => addresses?,
            Some(false) | None => &[],
        };
        if wanted.is_empty() {
            return self.taken_back(object_ref, || object.is_managed_by(self.manager));
        }
        let same = match self.written.get(object_ref) {
            Some(Desired::Ingress(written)) => written == wanted,
            Some(_) => false,
            None => {
                let mut shown = object.shown().to_vec();
                // What ports an entry has is its writer's to say, and no difference.
                shown.iter_mut().for_each(|entry| entry.ports = None);
                shown.sort_by(|a, b| (&a.ip, &a.hostname).cmp(&(&b.ip, &b.hostname)));
                shown == wanted
            }
        };
        (!same).then(|| Desired::Ingress(wanted.to_vec()))
    }

    fn gateway(
        &self,
        object: &ApplicationGateway,
        object_ref: &ObjectRef,
        parts: &Parts,
        reports: &[&Report],
        addresses: Option<&[IngressLoadBalancerIngress]>,
    ) -> Option<Desired> {
        let nothing = ApplicationGatewayStatus::default();
        let shown = match self.written.get(object_ref) {
            Some(Desired::Gateway(written)) => written,
            Some(_) => &nothing,
            None => object.status.as_ref().unwrap_or(&nothing),
        };
        let problems = Problems::new(reports.iter().copied());
        let gateway = Gateway {
            object,
            parts,
            problems: &problems,
            unopened: &self.facts.unopened,
            health: self.health,
            addresses,
            shown,
            now: self.now,
        };
        let status = gateway.status();
        (status != *shown).then(|| Desired::Gateway(Box::new(status)))
    }

    /// Whether something of ours is to be removed from an object that should have nothing of ours.
    fn taken_back(&self, object: &ObjectRef, stands: impl FnOnce() -> bool) -> Option<Desired> {
        let ours = match self.written.get(object) {
            Some(written) => *written != Desired::Nothing,
            None => stands(),
        };
        ours.then_some(Desired::Nothing)
    }
}

/// Whether this manager has written of an object's status.
fn has_status_of(metadata: &ObjectMeta, manager: &str) -> bool {
    metadata
        .managed_fields
        .iter()
        .flatten()
        .any(|entry| entry.manager.as_deref() == Some(manager) && entry.subresource.as_deref() == Some("status"))
}

fn change(object: ObjectRef, Identity { uid, resource_version: version }: Identity, status: Desired) -> Change {
    Change { object, uid, version, status }
}

fn by_gateway(reports: &OrdSet<Report>) -> BTreeMap<&ObjectRef, Vec<&Report>> {
    let mut by_gateway: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.object.kind == Kind::ApplicationGateway) {
        by_gateway.entry(&report.object).or_default().push(report);
    }
    by_gateway
}
