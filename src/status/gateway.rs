//! What is said of an ApplicationGateway: conditions, its listeners and rules, its pools.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::problem::{self, Problems, shortened};
use super::{MemberState, Parts, PoolHealth};
use crate::api::ApplicationGateway;
use crate::api::application_gateway::{
    AddressKind, ApplicationGatewayStatus, ElementStatus, GatewayAddress, PoolStatus,
};
use crate::model::PoolId;
use crate::report::{Reason, Severity};

/// Longest message of a condition, in bytes.
const LONGEST: usize = 1024;

/// Reason of a condition that is false where no report says why.
const NOT_SERVED: &str = "NotServed";

/// What the status of one gateway is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gateway<'a> {
    pub(super) object: &'a ApplicationGateway,
    pub(super) parts: &'a Parts,
    pub(super) problems: &'a Problems<'a>,
    pub(super) unopened: &'a BTreeMap<u16, String>,
    pub(super) health: &'a BTreeMap<PoolId, PoolHealth>,
    /// Where it can be reached; `None`: not known now.
    pub(super) addresses: Option<&'a [IngressLoadBalancerIngress]>,
    /// What its status says now.
    pub(super) shown: &'a ApplicationGatewayStatus,
    pub(super) now: Timestamp,
}

impl Gateway<'_> {
    /// The status that it should have.
    pub(super) fn status(&self) -> ApplicationGatewayStatus {
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
        let wrong = self.problems.errors().filter(|report| !report.reason.is_reference());
        if let Some(first) = wrong.first() {
            return self.condition("Accepted", false, first.reason.name(), wrong.message());
        }
        let warnings = self.problems.filter(|report| report.severity == Severity::Warning);
        let mut message = "the specification is valid".to_owned();
        if warnings.first().is_some() {
            message = format!("{message}; {}", warnings.message());
        }
        self.condition("Accepted", true, "Accepted", message)
    }

    fn resolved_refs(&self) -> Condition {
        let wrong = self.problems.errors().filter(|report| report.reason.is_reference());
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

    /// A condition. The time of its last change stays where its status does.
    fn condition(&self, type_: &str, status: bool, reason: &str, message: String) -> Condition {
        let status = if status { "True" } else { "False" };
        let same = self.shown.conditions.iter().find(|shown| shown.type_ == type_ && shown.status == status);
        let whole_second = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        Condition {
            last_transition_time: same.map_or(Time(whole_second), |shown| shown.last_transition_time.clone()),
            message: shortened(message, LONGEST),
            observed_generation: self.object.metadata.generation,
            reason: reason.to_owned(),
            status: status.to_owned(),
            type_: type_.to_owned(),
        }
    }

    fn listeners(&self) -> Vec<ElementStatus> {
        let spec = &self.object.spec;
        let each = spec.http_listeners.iter().enumerate().map(|(index, listener)| {
            let port = spec.frontend_ports.iter().find(|port| port.name == listener.frontend_port.name);
            let port = port.and_then(|port| u16::try_from(port.port).ok());
            if let Some((port, why)) = port.and_then(|port| self.unopened.get_key_value(&port)) {
                return ElementStatus {
                    name: listener.name.clone(),
                    served: false,
                    reason: Some(Reason::PortNotOpen.name().to_owned()),
                    message: Some(format!("port {port} could not be opened: {why}")),
                };
            }
            let served = self.parts.listeners.contains(&listener.name);
            self.element(&listener.name, served, &problem::of_listener(spec, index))
        });
        each.collect()
    }

    fn rules(&self, listeners: &[ElementStatus]) -> Vec<ElementStatus> {
        let spec = &self.object.spec;
        let each = spec.request_routing_rules.iter().enumerate().map(|(index, rule)| {
            let leads = self.parts.rules.contains(&rule.name);
            let mut element = self.element(&rule.name, leads, &problem::of_rule(spec, index));
            let listener = listeners.iter().find(|listener| listener.name == rule.http_listener.name);
            if let Some(listener) = listener.filter(|listener| !listener.served) {
                element.served = false;
                if element.reason.is_none() {
                    element.reason.clone_from(&listener.reason);
                    element.message = Some(format!("its listener {:?} is not served", listener.name));
                }
            }
            element
        });
        each.collect()
    }

    fn element(&self, name: &str, served: bool, fields: &BTreeSet<String>) -> ElementStatus {
        let problems = self.problems.within(fields);
        let first = problems.first();
        ElementStatus {
            name: name.to_owned(),
            served,
            reason: first.map(|report| report.reason.name().to_owned()),
            message: first.map(|_| shortened(problems.message(), LONGEST)),
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

/// The state of each member of one element. Where it became several pools, a member is one IP address, in the worst of
/// its states.
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
