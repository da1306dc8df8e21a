//! The status of Gateway API: GatewayClasses, Gateways with their listeners, and what HTTPRoutes are told by their parents.
//!
//! The conditions and their reasons are those of Gateway API; which of them a report leads to is written here. Conditions of other
//! types and what other controllers say of a route stay as they are.

mod gateway;
mod route;

use std::collections::BTreeMap;

use imbl::OrdSet;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::change::{DesiredStatus, PlanInput, StatusChange};
use super::condition::Conditions;
use super::object_reports::ObjectReports;
use crate::api::gateway_api::{CONTROLLER, GatewayClassStatus, SUPPORTED_FEATURES, SupportedFeature};
use crate::model::{Kind, ObjectRef};
use crate::report::Report;
use crate::source::Identity;

/// Plans the status of every object of Gateway API. `addresses` are those to publish; `None`: they are not known now.
pub(super) fn plan(
    input: &PlanInput<'_>,
    addresses: Option<&[IngressLoadBalancerIngress]>,
    changes: &mut Vec<StatusChange>,
) {
    let snapshot = &input.facts.snapshot;
    if snapshot.gateways.is_empty() && snapshot.gateway_classes.is_empty() && snapshot.http_routes.is_empty() {
        return;
    }
    classes(input, changes);
    let reports = by_object(&input.facts.reports);
    let of = |object: &ObjectRef| ObjectReports::new(reports.get(object).into_iter().flatten().copied());
    for (key, object) in &snapshot.gateways {
        let object_ref = ObjectRef { kind: Kind::Gateway, key: key.clone() };
        let status = gateway::desired(input, object, &object_ref, &of(&object_ref), addresses);
        changes.extend(status.map(|status| StatusChange::new(object_ref, Identity::from(&object.metadata), status)));
    }
    for (key, object) in &snapshot.http_routes {
        let object_ref = ObjectRef { kind: Kind::HTTPRoute, key: key.clone() };
        let status = route::desired(input, object, &object_ref, &of(&object_ref));
        changes.extend(status.map(|status| StatusChange::new(object_ref, Identity::from(&object.metadata), status)));
    }
}

fn by_object(reports: &OrdSet<Report>) -> BTreeMap<&ObjectRef, Vec<&Report>> {
    let mut by_object: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for report in reports.iter().filter(|report| matches!(report.object.kind, Kind::Gateway | Kind::HTTPRoute)) {
        by_object.entry(&report.object).or_default().push(report);
    }
    by_object
}

/// Plans the status of the classes of this controller.
fn classes(input: &PlanInput<'_>, changes: &mut Vec<StatusChange>) {
    for (key, object) in &input.facts.snapshot.gateway_classes {
        if object.spec.controller_name != CONTROLLER {
            continue;
        }
        let object_ref = ObjectRef { kind: Kind::GatewayClass, key: key.clone() };
        let nothing = GatewayClassStatus::default();
        let shown = match input.written.get(&object_ref) {
            Some(DesiredStatus::GatewayClass(written)) => written,
            Some(_) => &nothing,
            None => object.status.as_ref().unwrap_or(&nothing),
        };
        let conditions =
            Conditions { shown: &shown.conditions, generation: object.metadata.generation, now: input.now };
        let accepted = match &object.spec.parameters_ref {
            None => conditions.make("Accepted", true, "Accepted", "the class is served".to_owned()),
            Some(_) => {
                let message = "spec.parametersRef: this version reads no parameters, so the class is not served";
                conditions.make("Accepted", false, "InvalidParameters", message.to_owned())
            }
        };
        let features = SUPPORTED_FEATURES.iter().map(|name| SupportedFeature { name: (*name).to_owned() });
        let status = GatewayClassStatus { conditions: vec![accepted], supported_features: features.collect() };
        let own = GatewayClassStatus { conditions: own(&shown.conditions, &["Accepted"]), ..shown.clone() };
        if status != own {
            let status = DesiredStatus::GatewayClass(Box::new(status));
            changes.push(StatusChange::new(object_ref, Identity::from(&object.metadata), status));
        }
    }
}

/// The conditions of these types, in this order. Those of other types are other writers'.
fn own(shown: &[Condition], types: &[&str]) -> Vec<Condition> {
    let each = types.iter().filter_map(|type_| shown.iter().find(|condition| condition.type_ == *type_));
    each.cloned().collect()
}
