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
mod websocket;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::ApplicationGateway;
use crate::api::gateway::RequestRoutingRule;
use crate::model::{Action, HostPattern, ObjectRef, PathMatch, Protocol, Route};
use crate::source::{Key, Snapshot};
use crate::status::{Parts, Reason};

use super::claim::{Age, Claims, Holder};
use super::class::Classes;
use super::draft::Draft;
use super::lookup::Lookup;
use super::report::Reports;
use super::tls;
use backend::Backends;
use element::{Element, Elements};
use listener::Frontend;

/// A gateway that is served.
#[derive(Debug)]
pub(super) struct Gateway<'a> {
    owner: ObjectRef,
    object: &'a ApplicationGateway,
    elements: Elements<'a>,
    frontends: Vec<Frontend<'a>>,
    /// The rule that each listener obeys, by the listener's name.
    rules: BTreeMap<&'a str, Element<'a, RequestRoutingRule>>,
}

/// Reads the gateways that are ours.
pub(super) fn read<'a>(
    snapshot: &'a Snapshot,
    classes: &Classes<'_>,
    lookup: &Lookup<'_>,
    draft: &mut Draft,
) -> Vec<Gateway<'a>> {
    let mut gateways = Vec::new();
    for (key, object) in &snapshot.gateways {
        let owner = ObjectRef::new("ApplicationGateway", key.namespace.clone(), key.name.clone());
        let named = object.spec.ingress_class_name.as_deref();
        if classes.of(&owner, &object.metadata, named, &mut draft.reports).is_none() {
            continue;
        }
        draft.served.gateways.insert(key.clone(), Parts::default());
        let elements = Elements::read(&owner, &object.spec, &mut draft.reports);
        let frontends = listener::read(&owner, &elements, lookup, draft);
        let rules = rule::by_listener(&owner, &elements, &mut draft.reports);
        gateways.push(Gateway { owner, object, elements, frontends, rules });
    }
    gateways
}

impl Gateway<'_> {
    pub(super) fn age(&self) -> Age<'_> {
        Age::of(&self.object.metadata, &self.owner)
    }

    /// Whether a listener can serve anything. One that can't keeps its hosts from others, but takes no port.
    fn serves(&self, frontend: &Frontend<'_>) -> bool {
        let certified = frontend.protocol == Protocol::Http || frontend.certificate.is_some();
        certified && self.rules.contains_key(frontend.listener.name.as_str())
    }

    /// Claims the ports and hosts of the listeners, in the order listed. `index` is the gateway's own.
    pub(super) fn claim(&self, index: usize, claims: &mut Claims, reports: &mut Reports) {
        for (place, frontend) in self.frontends.iter().enumerate() {
            let Frontend { field, port, protocol, hosts, .. } = frontend;
            let serves = self.serves(frontend);
            if serves && let Err(winner) = claims.port(*port, *protocol, &self.owner) {
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
                let holder = Holder::Listener(index, place);
                if let Err(winner) = claims.host(*port, *protocol, host, holder, &self.owner) {
                    let winner = self.call(&winner);
                    reports.error(
                        &self.owner,
                        field,
                        Reason::Conflict,
                        format!("{winner} already serves host {host} on port {port}, so this listener does not"),
                        "remove the host from one of the two",
                    );
                } else if serves && frontend.certificate.is_some() {
                    claims.certify(*port, host);
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
        for (place, frontend) in self.frontends.iter().enumerate() {
            let holder = Holder::Listener(index, place);
            let held = frontend.hosts.iter().map(|(host, _)| host);
            let (port, protocol) = (frontend.port, frontend.protocol);
            let held: Vec<&HostPattern> = held.filter(|host| claims.holds(port, protocol, host, &holder)).collect();
            if held.is_empty() {
                continue;
            }
            let mut routes = match self.rules.get(frontend.listener.name.as_str()) {
                Some(rule) => rule::routes(&self.owner, rule, &self.elements, &backends, lookup, draft),
                None => {
                    draft.reports.warning(
                        &self.owner,
                        &frontend.field,
                        Reason::ElementNotFound,
                        format!("no rule names the listener {:?}, so it serves nothing", frontend.listener.name),
                        "add a requestRoutingRule for it",
                    );
                    Vec::new()
                }
            };
            if !claims.speaks(port, protocol) {
                continue;
            }
            if self.serves(frontend) {
                self.note(frontend, &routes, draft);
            }
            // What no rule takes is not for a wider host, which may be another tenant's.
            if !routes.iter().any(|route| route.path == PathMatch::Any) {
                let action = Action::NotFound;
                let (field, owner) = (frontend.field.clone(), self.owner.clone());
                routes.push(Route { field, owner, path: PathMatch::Any, action });
            }
            for host in &held {
                draft.host(port, protocol, (*host).clone(), routes.clone());
            }
            self.certify(frontend, &held, draft);
        }
    }

    /// Notes a listener that is served, and its rule where that leads somewhere.
    fn note(&self, frontend: &Frontend<'_>, routes: &[Route], draft: &mut Draft) {
        let parts = self.parts(draft);
        parts.listeners.insert(frontend.listener.name.clone());
        let leads = routes.iter().any(|route| !matches!(route.action, Action::Unavailable(_)));
        let rule = self.rules.get(frontend.listener.name.as_str()).filter(|_| leads);
        parts.rules.extend(rule.map(|rule| rule.value.name.clone()));
    }

    fn parts<'d>(&self, draft: &'d mut Draft) -> &'d mut Parts {
        let key = Key::new(self.owner.namespace.as_str(), self.owner.name.as_str());
        draft.served.gateways.entry(key).or_default()
    }

    fn certify(&self, frontend: &Frontend<'_>, held: &[&HostPattern], draft: &mut Draft) {
        let Some(id) = &frontend.certificate else { return };
        let field = format!("{}.sslCertificate", frontend.field);
        for host in held {
            tls::check_names(&draft.model, id, host, &self.owner, &field, &mut draft.reports);
            let listener = draft.listener(frontend.port, frontend.protocol);
            if **host == HostPattern::Any {
                listener.default_certificate = Some(id.clone());
            } else if let Some(host) = listener.hosts.get_mut(*host) {
                Arc::make_mut(host).certificate = Some(id.clone());
            }
        }
    }
}
