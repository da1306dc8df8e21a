//! The status of a Gateway: its conditions, addresses and listeners.

use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::own;
use crate::api::gateway_api::GROUP;
use crate::api::gateway_api::{
    AllowedRoutes, Gateway, GatewayAddress, GatewayListener, GatewayStatus, ListenerStatus, RouteKind,
};
use crate::model::{Kind, ObjectRef};
use crate::report::Reason;
use crate::status::ServedListeners;
use crate::status::change::{DesiredStatus, PlanInput};
use crate::status::condition::Conditions;
use crate::status::object_reports::ObjectReports;

/// The conditions of a Gateway that are written here.
const GATEWAY_CONDITIONS: [&str; 2] = ["Accepted", "Programmed"];
/// The conditions of a listener that are written here.
const LISTENER_CONDITIONS: [&str; 4] = ["Accepted", "Programmed", "ResolvedRefs", "Conflicted"];

/// The status that a Gateway should have; `None`: it has it, or is another controller's.
pub(super) fn desired(
    input: &PlanInput<'_>,
    object: &Gateway,
    object_ref: &ObjectRef,
    reports: &ObjectReports<'_>,
    addresses: Option<&[IngressLoadBalancerIngress]>,
) -> Option<DesiredStatus> {
    let Some(served) = input.facts.served.gateways.get(&object_ref.key) else {
        return input.removal(object_ref, || input.has_written(&object.metadata));
    };
    let nothing = GatewayStatus::default();
    let shown = match input.written.get(object_ref) {
        Some(DesiredStatus::Gateway(written)) => written,
        Some(_) => &nothing,
        None => object.status.as_ref().unwrap_or(&nothing),
    };
    let status = Writer { input, object, served, reports, shown }.status(addresses);
    (status != own_part(shown)).then(|| DesiredStatus::Gateway(Box::new(status)))
}

/// What is written here of a status.
fn own_part(shown: &GatewayStatus) -> GatewayStatus {
    let listener = |listener: &ListenerStatus| ListenerStatus {
        conditions: own(&listener.conditions, &LISTENER_CONDITIONS),
        ..listener.clone()
    };
    GatewayStatus {
        conditions: own(&shown.conditions, &GATEWAY_CONDITIONS),
        listeners: shown.listeners.iter().map(listener).collect(),
        attached_listener_sets: None,
        ..shown.clone()
    }
}

struct Writer<'a> {
    input: &'a PlanInput<'a>,
    object: &'a Gateway,
    served: &'a ServedListeners,
    reports: &'a ObjectReports<'a>,
    shown: &'a GatewayStatus,
}

impl Writer<'_> {
    fn status(&self, addresses: Option<&[IngressLoadBalancerIngress]>) -> GatewayStatus {
        let addresses = addresses.map_or_else(|| self.shown.addresses.clone(), published);
        let listeners: Vec<_> =
            self.object.spec.listeners.iter().enumerate().map(|(index, each)| self.listener(index, each)).collect();
        let conditions = self.conditions(&self.shown.conditions);
        let (accepted, is_accepted) = self.accepted(&conditions, &listeners);
        let programmed = match (is_accepted, addresses.is_empty()) {
            (false, _) => conditions.make("Programmed", false, "Invalid", "the Gateway is not accepted".to_owned()),
            (true, true) => {
                let message = "the address of the controller's Service is not known".to_owned();
                conditions.make("Programmed", false, "AddressNotAssigned", message)
            }
            (true, false) => conditions.make("Programmed", true, "Programmed", "the Gateway is served".to_owned()),
        };
        let conditions = vec![accepted, programmed];
        GatewayStatus { addresses, conditions, listeners, attached_listener_sets: None }
    }

    fn conditions<'c>(&self, shown: &'c [Condition]) -> Conditions<'c> {
        Conditions { shown, generation: self.object.metadata.generation, now: self.input.now }
    }

    /// `Accepted`, and whether anything of the Gateway is served.
    fn accepted(&self, conditions: &Conditions<'_>, listeners: &[ListenerStatus]) -> (Condition, bool) {
        let of_listeners = ["spec.listeners".to_owned()].into();
        let wrong = self.reports.errors().outside(&of_listeners);
        if let Some(first) = wrong.first() {
            let reason = match first.reason {
                reason @ (Reason::UnsupportedAddress | Reason::InvalidParameters) => reason.name(),
                _ => "Invalid",
            };
            return (conditions.make("Accepted", false, reason, wrong.message()), false);
        }
        let is_true = |condition: &Condition| condition.type_ == "Accepted" && condition.status == "True";
        let accepted = listeners.iter().filter(|listener| listener.conditions.iter().any(is_true)).count();
        if accepted == listeners.len() {
            return (conditions.make("Accepted", true, "Accepted", "the specification is valid".to_owned()), true);
        }
        let message = format!("{accepted} of {} listeners are accepted", listeners.len());
        (conditions.make("Accepted", accepted > 0, "ListenersNotValid", message), accepted > 0)
    }

    fn listener(&self, index: usize, listener: &GatewayListener) -> ListenerStatus {
        let GatewayListener { name, port, protocol, allowed_routes, hostname: _, tls: _ } = listener;
        let shown = self.shown.listeners.iter().find(|shown| shown.name == *name);
        let conditions = self.conditions(shown.map_or(&[], |shown| &shown.conditions));
        let field = format!("spec.listeners[{index}]");
        let errors = self.reports.within(&[field].into()).errors();
        let conflicts =
            errors.filter(|report| matches!(report.reason, Reason::ProtocolConflict | Reason::HostnameConflict));
        let references = errors.filter(|report| is_reference(report.reason));
        let is_served = self.served.served.contains(name);
        // One that has lost some hosts to others, and not its own, is served.
        let is_lost = |reason| reason == Reason::Conflict && is_served;
        let others = errors.filter(|report| !is_reference(report.reason) && !is_lost(report.reason));

        let conflicted = match conflicts.first() {
            Some(first) => conditions.make("Conflicted", true, first.reason.name(), conflicts.message()),
            None => conditions.make("Conflicted", false, "NoConflicts", "no other listener contradicts it".to_owned()),
        };
        let accepted = match others.first() {
            Some(first) => {
                let reason = match first.reason {
                    reason @ (Reason::UnsupportedProtocol | Reason::ProtocolConflict | Reason::HostnameConflict) => {
                        reason.name()
                    }
                    Reason::Conflict => "PortUnavailable",
                    _ => Reason::UnsupportedValue.name(),
                };
                conditions.make("Accepted", false, reason, others.message())
            }
            None => conditions.make("Accepted", true, "Accepted", "the listener is valid".to_owned()),
        };
        let resolved = match references.first() {
            Some(first) => {
                let reason = match first.reason {
                    reason @ (Reason::RefNotPermitted | Reason::InvalidRouteKinds) => reason.name(),
                    _ => "InvalidCertificateRef",
                };
                conditions.make("ResolvedRefs", false, reason, references.message())
            }
            None => {
                let message = "everything that it refers to can be used".to_owned();
                conditions.make("ResolvedRefs", true, "ResolvedRefs", message)
            }
        };
        let unopened = u16::try_from(*port).ok().and_then(|port| self.input.facts.unopened.get(&port));
        let programmed = match (is_served, unopened) {
            (_, Some(why)) => {
                conditions.make("Programmed", false, "Invalid", format!("port {port} could not be opened: {why}"))
            }
            (true, None) => conditions.make("Programmed", true, "Programmed", "the listener is served".to_owned()),
            (false, None) => conditions.make("Programmed", false, "Invalid", "the listener is not served".to_owned()),
        };
        let attached = self.served.attached.get(name).copied().unwrap_or_default();
        ListenerStatus {
            name: name.clone(),
            supported_kinds: supported_kinds(protocol, allowed_routes.as_ref()),
            attached_routes: i32::try_from(attached).unwrap_or(i32::MAX),
            conditions: vec![accepted, programmed, resolved, conflicted],
        }
    }
}

/// Whether a report on a listener says that it refers to what can't be used.
fn is_reference(reason: Reason) -> bool {
    reason.is_reference() || matches!(reason, Reason::InvalidKind | Reason::InvalidRouteKinds)
}

fn supported_kinds(protocol: &str, allowed: Option<&AllowedRoutes>) -> Vec<RouteKind> {
    let http_route = RouteKind { group: Some(GROUP.to_owned()), kind: Kind::HTTPRoute.name().to_owned() };
    let kinds = allowed.map_or(&[][..], |allowed| &allowed.kinds);
    let is_named = kinds.is_empty()
        || kinds.iter().any(|RouteKind { group, kind }| {
            group.as_deref().is_none_or(|group| group == GROUP) && *kind == http_route.kind
        });
    if is_named && matches!(protocol, "HTTP" | "HTTPS") { vec![http_route] } else { Vec::new() }
}

fn published(published: &[IngressLoadBalancerIngress]) -> Vec<GatewayAddress> {
    let each = published.iter().flat_map(|IngressLoadBalancerIngress { ip, hostname, ports: _ }| {
        ip.iter().map(|value| ("IPAddress", value)).chain(hostname.iter().map(|value| ("Hostname", value)))
    });
    each.map(|(kind, value)| GatewayAddress { type_: Some(kind.to_owned()), value: Some(value.clone()) }).collect()
}
