//! The status of ApplicationGateways: conditions, listeners, rules, pools and addresses.

mod elements;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use imbl::OrdSet;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;

use self::elements::{listener_fields, rule_fields, stream_listener_fields, stream_rule_fields};
use super::change::{DesiredStatus, PlanInput, StatusChange};
use super::condition::{Conditions, MAX_MESSAGE_BYTES};
use super::object_reports::ObjectReports;
use super::shorten::shortened;
use super::{MemberState, PoolHealth, ServedElements};
use crate::api::ApplicationGateway;
use crate::api::application_gateway::{
    AddressKind, ApplicationGatewayStatus, ElementStatus, GatewayAddress, HttpListener, PoolStatus, Reference,
    StreamListener,
};
use crate::model::{Kind, ObjectRef, PoolId};
use crate::report::{Reason, Report, Severity};
use crate::source::Identity;

/// The reason of a condition that is false where no report gives one.
const NOT_SERVED: &str = "NotServed";

/// Plans the status of every ApplicationGateway. `addresses` are those to publish; `None`: they are not known now.
pub(super) fn plan(
    input: &PlanInput<'_>,
    addresses: Option<&[IngressLoadBalancerIngress]>,
    changes: &mut Vec<StatusChange>,
) {
    let reports = reports_by_gateway(&input.facts.reports);
    for (key, object) in &input.facts.snapshot.application_gateways {
        let object_ref = ObjectRef { kind: Kind::ApplicationGateway, key: key.clone() };
        let status = match input.facts.served.application_gateways.get(key) {
            Some(parts) => {
                let reports = reports.get(&object_ref).map(Vec::as_slice).unwrap_or_default();
                desired(input, object, &object_ref, parts, reports, addresses)
            }
            None => input.removal(&object_ref, || input.has_written(&object.metadata)),
        };
        changes.extend(status.map(|status| StatusChange::new(object_ref, Identity::from(&object.metadata), status)));
    }
}

/// The status of one gateway that is served; `None`: it has the right one.
fn desired(
    input: &PlanInput<'_>,
    object: &ApplicationGateway,
    object_ref: &ObjectRef,
    parts: &ServedElements,
    reports: &[&Report],
    addresses: Option<&[IngressLoadBalancerIngress]>,
) -> Option<DesiredStatus> {
    let nothing = ApplicationGatewayStatus::default();
    let shown = match input.written.get(object_ref) {
        Some(DesiredStatus::ApplicationGateway(written)) => written,
        Some(_) => &nothing,
        None => object.status.as_ref().unwrap_or(&nothing),
    };
    let reports = ObjectReports::new(reports.iter().copied());
    let status = GatewayStatus {
        object,
        parts,
        reports: &reports,
        unopened: &input.facts.unopened,
        health: input.health,
        addresses,
        shown,
        now: input.now,
    }
    .status();
    (status != *shown).then(|| DesiredStatus::ApplicationGateway(Box::new(status)))
}

fn reports_by_gateway(reports: &OrdSet<Report>) -> BTreeMap<&ObjectRef, Vec<&Report>> {
    let mut by_gateway: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.object.kind == Kind::ApplicationGateway) {
        by_gateway.entry(&report.object).or_default().push(report);
    }
    by_gateway
}

/// What the status of one gateway is made from.
#[derive(Debug, Clone, Copy)]
struct GatewayStatus<'a> {
    object: &'a ApplicationGateway,
    parts: &'a ServedElements,
    reports: &'a ObjectReports<'a>,
    /// The ports that could not be opened, each with its error.
    unopened: &'a BTreeMap<u16, String>,
    health: &'a BTreeMap<PoolId, PoolHealth>,
    /// The addresses to publish; `None`: they are not known now.
    addresses: Option<&'a [IngressLoadBalancerIngress]>,
    /// The status that the object has now.
    shown: &'a ApplicationGatewayStatus,
    now: Timestamp,
}

impl GatewayStatus<'_> {
    /// The status that it should have.
    fn status(&self) -> ApplicationGatewayStatus {
        let listeners = self.listeners();
        let rules = self.rules(&listeners);
        let backend_address_pools = self.pools();
        let up: i32 = backend_address_pools.iter().map(|pool| pool.up).sum();
        let total: i32 = backend_address_pools.iter().map(|pool| pool.total).sum();
        ApplicationGatewayStatus {
            conditions: vec![self.accepted(), self.programmed(&listeners, &rules), self.resolved_refs()],
            addresses: self.addresses.map_or_else(|| self.shown.addresses.clone(), addresses),
            listeners,
            rules,
            backend_address_pools,
            members: Some(format!("{up}/{total}")),
        }
    }

    fn accepted(&self) -> Condition {
        let wrong = self.reports.errors().filter(|report| !report.reason.is_reference());
        if let Some(first) = wrong.first() {
            return self.condition("Accepted", false, first.reason.name(), wrong.message());
        }
        let warnings = self.reports.filter(|report| report.severity == Severity::Warning);
        let mut message = "the specification is valid".to_owned();
        if warnings.first().is_some() {
            message = format!("{message}; {}", warnings.message());
        }
        self.condition("Accepted", true, "Accepted", message)
    }

    fn resolved_refs(&self) -> Condition {
        let wrong = self.reports.errors().filter(|report| report.reason.is_reference());
        match wrong.first() {
            Some(first) => self.condition("ResolvedRefs", false, first.reason.name(), wrong.message()),
            None => {
                let message = "everything that it refers to exists".to_owned();
                self.condition("ResolvedRefs", true, "ResolvedRefs", message)
            }
        }
    }

    fn programmed(&self, listeners: &[ElementStatus], rules: &[ElementStatus]) -> Condition {
        let served = |elements: &[ElementStatus]| elements.iter().filter(|element| element.served).count();
        let counts = format!(
            "{} of {} listeners and {} of {} rules are served",
            served(listeners),
            listeners.len(),
            served(rules),
            rules.len()
        );
        let named = listeners.iter().map(|each| ("listener", each)).chain(rules.iter().map(|each| ("rule", each)));
        let missing: Vec<_> = named.filter(|(_, element)| !element.served).collect();
        let Some((kind, first)) = missing.first() else {
            return self.condition("Programmed", true, "Programmed", counts);
        };
        let mut message = format!("{counts}; {kind} {:?}", first.name);
        if let Some(why) = &first.message {
            message = format!("{message}: {why}");
        }
        if missing.len() > 1 {
            message = format!("{message}; and {} more", missing.len() - 1);
        }
        let reason = first.reason.clone();
        self.condition("Programmed", false, reason.as_deref().unwrap_or(NOT_SERVED), message)
    }

    fn condition(&self, type_: &str, status: bool, reason: &str, message: String) -> Condition {
        let conditions =
            Conditions { shown: &self.shown.conditions, generation: self.object.metadata.generation, now: self.now };
        conditions.make(type_, status, reason, message)
    }

    /// Listeners of HTTP, then those of streams.
    fn listeners(&self) -> Vec<ElementStatus> {
        let spec = &self.object.spec;
        let http = spec.http_listeners.iter().enumerate().map(|(index, HttpListener { name, frontend_port, .. })| {
            let served = self.parts.listeners.contains(name);
            self.listener(name, frontend_port, served, &listener_fields(spec, index))
        });
        let streams = spec.listeners.iter().enumerate().map(|(index, StreamListener { name, frontend_port, .. })| {
            let served = self.parts.stream_listeners.contains(name);
            self.listener(name, frontend_port, served, &stream_listener_fields(spec, index))
        });
        http.chain(streams).collect()
    }

    fn listener(&self, name: &str, port: &Reference, served: bool, fields: &BTreeSet<String>) -> ElementStatus {
        let port = self.object.spec.frontend_ports.iter().find(|other| other.name == port.name);
        let port = port.and_then(|port| u16::try_from(port.port).ok());
        match port.and_then(|port| self.unopened.get_key_value(&port)) {
            Some((port, why)) => ElementStatus {
                name: name.to_owned(),
                served: false,
                reason: Some(Reason::PortNotOpen.name().to_owned()),
                message: Some(format!("port {port} could not be opened: {why}")),
            },
            None => self.element(name, served, fields),
        }
    }

    /// Rules of HTTP, then those of streams. `listeners` are those of [`Self::listeners`].
    fn rules(&self, listeners: &[ElementStatus]) -> Vec<ElementStatus> {
        let spec = &self.object.spec;
        let (http_listeners, stream_listeners) = listeners.split_at(spec.http_listeners.len());
        let http = spec.request_routing_rules.iter().enumerate().map(|(index, rule)| {
            let leads = self.parts.rules.contains(&rule.name);
            let element = self.element(&rule.name, leads, &rule_fields(spec, index));
            of_listener(element, http_listeners, &rule.http_listener)
        });
        let streams = spec.routing_rules.iter().enumerate().map(|(index, rule)| {
            let leads = self.parts.stream_rules.contains(&rule.name);
            let element = self.element(&rule.name, leads, &stream_rule_fields(spec, index));
            of_listener(element, stream_listeners, &rule.listener)
        });
        http.chain(streams).collect()
    }

    fn element(&self, name: &str, served: bool, fields: &BTreeSet<String>) -> ElementStatus {
        let reports = self.reports.within(fields);
        let first = reports.first();
        ElementStatus {
            name: name.to_owned(),
            served,
            reason: first.map(|report| report.reason.name().to_owned()),
            message: first.map(|_| shortened(reports.message(), MAX_MESSAGE_BYTES)),
        }
    }

    fn pools(&self) -> Vec<PoolStatus> {
        let each = self.object.spec.backend_address_pools.iter().map(|pool| {
            let ids = self.parts.pools.get(&pool.name);
            let health: Vec<_> = ids.into_iter().flatten().filter_map(|id| self.health.get(id)).collect();
            let states = states(&health);
            let count = |state| states.values().filter(|known| **known == state).count();
            let unresolved = health.iter().map(|health| health.unresolved).max().unwrap_or_default();
            PoolStatus {
                name: pool.name.clone(),
                up: whole(count(MemberState::Up)),
                down: whole(count(MemberState::Down)),
                draining: whole(count(MemberState::Draining)),
                total: whole(states.len() + unresolved),
            }
        });
        each.collect()
    }
}

/// The status of a rule, which is not served where its listener is not.
fn of_listener(mut rule: ElementStatus, listeners: &[ElementStatus], reference: &Reference) -> ElementStatus {
    let listener = listeners.iter().find(|listener| listener.name == reference.name);
    if let Some(listener) = listener.filter(|listener| !listener.served) {
        rule.served = false;
        if rule.reason.is_none() {
            rule.reason.clone_from(&listener.reason);
            rule.message = Some(format!("its listener {:?} is not served", listener.name));
        }
    }
    rule
}

/// The state of each member of one `backendAddressPools` element. Where the element became several pools (one for each
/// settings element), members of the same IP address are one, in the worst of their states.
fn states(pools: &[&PoolHealth]) -> BTreeMap<SocketAddr, MemberState> {
    let several = pools.len() > 1;
    let mut states = BTreeMap::new();
    for (address, state) in pools.iter().flat_map(|pool| &pool.members) {
        let member = if several { SocketAddr::new(address.ip(), 0) } else { *address };
        let known = states.entry(member).or_insert(*state);
        *known = (*known).max(*state);
    }
    states
}

fn whole(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn addresses(published: &[IngressLoadBalancerIngress]) -> Vec<GatewayAddress> {
    let each = published.iter().flat_map(|IngressLoadBalancerIngress { ip, hostname, ports: _ }| {
        let ip = ip.iter().map(|value| (AddressKind::IPAddress, value));
        ip.chain(hostname.iter().map(|value| (AddressKind::Hostname, value)))
    });
    each.map(|(kind, value)| GatewayAddress { kind, value: value.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn a_member_of_several_pools_is_counted_once_in_its_worst_state() {
        let address = |last, port| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
        let pool = |port, states: [MemberState; 2]| PoolHealth {
            members: vec![(address(1, port), states[0]), (address(2, port), states[1])],
            unresolved: 0,
        };
        let first = pool(80, [MemberState::Up, MemberState::Down]);
        let second = pool(81, [MemberState::Up, MemberState::Up]);
        let both: Vec<_> = states(&[&first, &second]).into_values().collect();
        assert_eq!(both, [MemberState::Up, MemberState::Down]);
        assert_eq!(states(&[&first]).len(), 2);
    }
}
