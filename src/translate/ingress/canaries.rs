//! The Ingresses that are canaries of others: a second backend of their paths. They have no hosts of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::canary::CANARY;
use super::merge::{MergedPath, key};
use super::parsed::{IngressPath, ParsedIngress};
use crate::model::HostPattern;
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;

/// Every Ingress that is a canary, by the hosts of its rules, oldest first.
#[derive(Debug, Default)]
pub(super) struct Canaries(BTreeMap<HostPattern, Vec<Arc<ParsedIngress>>>);

impl Canaries {
    /// Adds a canary.
    pub(super) fn add(&mut self, ingress: &Arc<ParsedIngress>) {
        for host in ingress.all_hosts() {
            let canaries = self.0.entry(host).or_default();
            let position = canaries.partition_point(|other| other.age() < ingress.age());
            canaries.insert(position, Arc::clone(ingress));
        }
    }

    /// Removes a canary.
    pub(super) fn remove(&mut self, ingress: &Arc<ParsedIngress>) {
        for host in ingress.all_hosts() {
            if let Some(canaries) = self.0.get_mut(&host) {
                canaries.retain(|other| !Arc::ptr_eq(other, ingress));
                if canaries.is_empty() {
                    self.0.remove(&host);
                }
            }
        }
    }

    /// The canary of a path, and its own path: the oldest one. Others are reported.
    ///
    /// A canary is for a path of its namespace with the host, text and type of its own, and for all paths of that Ingress and host that
    /// have the backend of this one.
    pub(super) fn of_path(
        &self,
        host: &HostPattern,
        merged: &MergedPath<'_>,
        reports: &mut Reports,
    ) -> Option<(&Arc<ParsedIngress>, &IngressPath)> {
        let canaries = self.0.get(host)?;
        let MergedPath { ingress: main, path } = *merged;
        let target = &main.backend_of(path).target;
        let same_backend = || main.paths_of(host).filter(|other| main.backend_of(other).target == *target);
        let mut found =
            canaries.iter().filter(|canary| canary.owner.namespace() == main.owner.namespace()).filter_map(|canary| {
                let is_its_path = |own: &&IngressPath| same_backend().any(|other| key(&own.path) == key(&other.path));
                let is_second = |own: &&IngressPath| canary.backend_of(own).target != *target;
                Some((canary, canary.paths_of(host).filter(is_second).find(is_its_path)?))
            });
        let first = found.next()?;
        for (other, _) in found {
            let message = format!(
                "{} is the canary of {} already, so this one takes no requests of host {host}",
                first.0.owner, main.owner
            );
            let remedy = "remove one of the two";
            reports.error(&other.owner, annotation_field(CANARY), Reason::Conflict, message, remedy);
        }
        Some(first)
    }
}
