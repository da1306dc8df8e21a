//! ApplicationGateways: from listeners, rules, pools and settings to hosts and routes.
//!
//! A reference that leads nowhere damages the rule that makes it, and nothing else.

mod backend;
mod element;
mod listener;
mod pool;
mod probe;
mod rule;
mod settings;

use crate::api::ApplicationGateway;
use crate::model::{HostPattern, ObjectRef};
use crate::source::Snapshot;
use crate::status::Reason;

use super::claim::{Age, Claims, Holder};
use super::class::Classes;
use super::draft::Draft;
use super::lookup::Lookup;
use super::report::Reports;
use super::tls;
use backend::Backends;
use element::Elements;
use listener::Frontend;

/// A gateway that is served.
#[derive(Debug)]
pub(super) struct Gateway<'a> {
    owner: ObjectRef,
    object: &'a ApplicationGateway,
    elements: Elements<'a>,
    frontends: Vec<Frontend<'a>>,
}

/// Reads the gateways that are ours.
pub(super) fn read<'a>(snapshot: &'a Snapshot, classes: &Classes<'_>, reports: &mut Reports) -> Vec<Gateway<'a>> {
    let mut gateways = Vec::new();
    for (key, object) in &snapshot.gateways {
        let owner = ObjectRef::new("ApplicationGateway", key.namespace.clone(), key.name.clone());
        let named = object.spec.ingress_class_name.as_deref();
        if classes.of(&owner, &object.metadata, named, reports).is_none() {
            continue;
        }
        let elements = Elements::read(&owner, &object.spec, reports);
        let frontends = listener::read(&owner, &elements, reports);
        gateways.push(Gateway { owner, object, elements, frontends });
    }
    gateways
}

impl Gateway<'_> {
    pub(super) fn age(&self) -> Age<'_> {
        Age::of(&self.object.metadata, &self.owner)
    }

    /// Claims the ports and hosts of the listeners, in the order listed. `index` is the gateway's own.
    pub(super) fn claim(&self, index: usize, claims: &mut Claims, reports: &mut Reports) {
        for (place, frontend) in self.frontends.iter().enumerate() {
            let Frontend { field, port, protocol, hosts, .. } = frontend;
            if let Err(winner) = claims.port(*port, *protocol, &self.owner) {
                let winner = self.call(&winner);
                reports.error(
                    &self.owner,
                    format!("{field}.protocol"),
                    Reason::Conflict,
                    format!("{winner} has port {port} for the other protocol, so the listener is not served"),
                    "give one of the two another port",
                );
                continue;
            }
            for (host, field) in hosts {
                if let Err(winner) = claims.host(*port, host, Holder::Listener(index, place), &self.owner) {
                    let winner = self.call(&winner);
                    reports.error(
                        &self.owner,
                        field,
                        Reason::Conflict,
                        format!("{winner} already serves host {host} on port {port}, so this listener does not"),
                        "remove the host from one of the two",
                    );
                }
            }
        }
    }

    fn call(&self, winner: &ObjectRef) -> String {
        if *winner == self.owner { "another listener of this gateway".to_owned() } else { winner.to_string() }
    }

    /// Puts hosts, routes, pools and certificates into the draft.
    pub(super) fn build(&self, index: usize, lookup: &Lookup<'_>, claims: &Claims, draft: &mut Draft) {
        let backends = Backends::read(&self.owner, &self.elements, &mut draft.reports);
        let rules = rule::by_listener(&self.owner, &self.elements, &mut draft.reports);
        for (place, frontend) in self.frontends.iter().enumerate() {
            let holder = Holder::Listener(index, place);
            let held = frontend.hosts.iter().map(|(host, _)| host);
            let held: Vec<&HostPattern> = held.filter(|host| claims.holds(frontend.port, host, &holder)).collect();
            if held.is_empty() {
                continue;
            }
            let routes = match rules.get(frontend.listener.name.as_str()) {
                Some(rule) => rule::routes(&self.owner, rule, &self.elements, &backends, lookup, draft),
                None => {
                    draft.reports.warning(
                        &self.owner,
                        &frontend.field,
                        Reason::ElementNotFound,
                        format!("no rule names the listener {:?}, so it answers 404", frontend.listener.name),
                        "add a requestRoutingRule for it",
                    );
                    Vec::new()
                }
            };
            for host in &held {
                draft.host(frontend.port, frontend.protocol, (*host).clone(), routes.clone());
            }
            self.certificate(frontend, &held, lookup, draft);
        }
    }

    fn certificate(&self, frontend: &Frontend<'_>, held: &[&HostPattern], lookup: &Lookup<'_>, draft: &mut Draft) {
        let Some((field, secret)) = &frontend.secret else { return };
        let id = match tls::server_certificate(lookup, &mut draft.model, &self.owner.namespace, secret) {
            Ok(id) => id,
            Err(fault) => return draft.reports.fault(&self.owner, field, &fault),
        };
        let listener = draft.listener(frontend.port, frontend.protocol);
        for host in held {
            if **host == HostPattern::Any {
                listener.default_certificate = Some(id.clone());
            } else if let Some(host) = listener.hosts.get_mut(host) {
                host.certificate = Some(id.clone());
            }
        }
    }
}
