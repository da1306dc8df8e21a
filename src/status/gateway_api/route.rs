//! The status of an HTTPRoute: an entry for each of its parents that is served here. The entries of other controllers stay, byte for
//! byte: the list is written as a whole, and only over the version of the object that was read.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::gateway_api::{CONTROLLER, GROUP, HttpRoute, ParentReference, RouteParentStatus, RouteStatus};
use crate::model::{Kind, ObjectRef};
use crate::report::{Reason, Severity};
use crate::source::Key;
use crate::status::change::{DesiredStatus, PlanInput};
use crate::status::condition::Conditions;
use crate::status::object_reports::ObjectReports;

/// The conditions of a parent that are written here.
const CONDITIONS: [&str; 3] = ["Accepted", "ResolvedRefs", "PartiallyInvalid"];

/// The status that a route should have; `None`: it has it, or no parent of its is served here and it says so.
pub(super) fn desired(
    input: &PlanInput<'_>,
    object: &HttpRoute,
    object_ref: &ObjectRef,
    reports: &ObjectReports<'_>,
) -> Option<DesiredStatus> {
    let nothing = RouteStatus::default();
    let shown = match input.written.get(object_ref) {
        Some(DesiredStatus::HttpRoute(written)) => written,
        Some(_) => &nothing,
        None => object.status.as_ref().unwrap_or(&nothing),
    };
    let is_foreign = |parent: &&RouteParentStatus| parent.controller_name != CONTROLLER;
    let mut parents: Vec<_> = shown.parents.iter().filter(is_foreign).cloned().collect();
    let mut seen = BTreeSet::new();
    for (index, parent) in object.spec.parent_refs.iter().enumerate() {
        let is_gateway = parent.kind.as_deref().is_none_or(|kind| kind == Kind::Gateway.name())
            && parent.group.as_deref().is_none_or(|group| group == GROUP);
        let namespace = parent.namespace.as_deref().unwrap_or(object_ref.namespace());
        let is_served = is_gateway && input.facts.served.gateways.contains_key(&Key::new(namespace, &parent.name));
        let parent_ref = ParentReference {
            group: Some(GROUP.to_owned()),
            kind: Some(Kind::Gateway.name().to_owned()),
            ..parent.clone()
        };
        if !is_served || !seen.insert(parent_ref.clone()) {
            continue;
        }
        let known =
            shown.parents.iter().find(|known| known.controller_name == CONTROLLER && known.parent_ref == parent_ref);
        let before = known.map_or(&[][..], |known| &known.conditions);
        let made = Conditions { shown: before, generation: object.metadata.generation, now: input.now };
        let others = before.iter().filter(|condition| !CONDITIONS.contains(&condition.type_.as_str()));
        let conditions = conditions(&made, index, reports).into_iter().chain(others.cloned()).collect();
        parents.push(RouteParentStatus { parent_ref, controller_name: CONTROLLER.to_owned(), conditions });
    }
    // The order of the list means nothing: one that differs in that alone stays as it is.
    let is_right = parents.len() == shown.parents.len() && parents.iter().all(|parent| shown.parents.contains(parent));
    (!is_right).then(|| DesiredStatus::HttpRoute(Box::new(RouteStatus { parents })))
}

/// The conditions of the parent that a reference names.
fn conditions(made: &Conditions<'_>, index: usize, reports: &ObjectReports<'_>) -> Vec<Condition> {
    let own = format!("spec.parentRefs[{index}]");
    let errors = reports.errors();
    let attachment = errors.within(&[own].into());
    let rules = errors.outside(&["spec.parentRefs".to_owned()].into());
    let references = rules.filter(|report| is_reference(report.reason));
    let left_out = reports.filter(|report| report.severity == Severity::Error && is_dropped(&report.field));
    let accepted = match attachment.first() {
        Some(first) => made.make("Accepted", false, first.reason.name(), attachment.message()),
        None => made.make("Accepted", true, "Accepted", "the route is attached".to_owned()),
    };
    let resolved = match references.first() {
        Some(first) => {
            let reason = match first.reason {
                Reason::ServiceNotFound | Reason::PortNotFound => "BackendNotFound",
                reason => reason.name(),
            };
            made.make("ResolvedRefs", false, reason, references.message())
        }
        None => made.make("ResolvedRefs", true, "ResolvedRefs", "every backend can be used".to_owned()),
    };
    let mut conditions = vec![accepted, resolved];
    if left_out.first().is_some() {
        let message = format!("Dropped Rule: {}", left_out.message());
        conditions.push(made.make("PartiallyInvalid", true, Reason::UnsupportedValue.name(), message));
    }
    conditions
}

/// Whether an error is about a match, a filter or a limit of a rule, and so costs requests of that rule.
fn is_dropped(field: &str) -> bool {
    field.starts_with("spec.rules[") && [".matches[", ".filters", ".timeouts"].iter().any(|part| field.contains(part))
}

fn is_reference(reason: Reason) -> bool {
    reason.is_reference() || matches!(reason, Reason::InvalidKind | Reason::UnsupportedProtocol)
}
