//! ApplicationGateways: from listeners, rules, pools and settings to hosts and routes.
//!
//! A reference that leads nowhere damages the rule that makes it, and nothing else. A gateway is made whole whenever
//! something changes that it refers to, or that others want too.

mod backend;
mod element;
mod frontends;
mod listener;
mod pool;
mod probe;
mod rule;
mod settings;
mod websocket;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::ApplicationGateway;
use crate::api::application_gateway::RequestRoutingRule;
use crate::model::{Action, HostPattern, ObjectRef, PathMatch, Protocol, Route};
use crate::report::Reason;
use crate::source::Key;

use super::claim::{Claims, Holder};
use super::draft::Draft;
use super::lookup::Lookup;
use super::report::Reports;
use super::tls;
use super::user::Refers;
use backend::Backends;
use element::{Element, Elements};
use frontends::Front;
use listener::Frontend;

pub(super) use frontends::Frontends;

/// A gateway that is served, read.
#[derive(Debug)]
struct Gateway<'a> {
    owner: &'a ObjectRef,
    elements: Elements<'a>,
    frontends: Vec<Frontend<'a>>,
    /// The rule that each listener obeys, by the listener's name.
    rules: BTreeMap<&'a str, Element<'a, RequestRoutingRule>>,
}

/// What a gateway refers to.
pub(super) fn refers(owner: &ObjectRef, object: &ApplicationGateway) -> Refers {
    let spec = &object.spec;
    let key = |name: &str| Key::new(owner.namespace(), name);
    let services = spec.backend_address_pools.iter().filter_map(|pool| pool.service_ref.as_ref());
    let certificates = spec.ssl_certificates.iter().map(|certificate| &certificate.secret_ref);
    let roots = spec.trusted_root_certificates.iter().filter_map(|root| root.secret_ref.as_ref());
    let maps = spec.trusted_root_certificates.iter().filter_map(|root| root.config_map_ref.as_ref());
    Refers {
        services: services.map(|service| key(&service.name)).collect(),
        secrets: certificates.chain(roots).map(|reference| key(&reference.name)).collect(),
        config_maps: maps.map(|reference| key(&reference.name)).collect(),
    }
}

impl<'a> Gateway<'a> {
    fn read(owner: &'a ObjectRef, object: &'a ApplicationGateway, lookup: &Lookup<'_>, reports: &mut Reports) -> Self {
        let elements = Elements::read(owner, &object.spec, reports);
        let frontends = listener::read(owner, &elements, lookup, reports);
        let rules = rule::by_listener(owner, &elements, reports);
        Self { owner, elements, frontends, rules }
    }

    /// Whether a listener can serve anything. One that can't keeps its hosts from others, but takes no port.
    fn serves(&self, frontend: &Frontend<'_>) -> bool {
        let certified = frontend.protocol == Protocol::Http || frontend.certificate.is_some();
        certified && self.rules.contains_key(frontend.listener.name.as_str())
    }

    /// What its listeners claim, in the order listed.
    fn fronts(&self) -> Vec<Front> {
        let front = |frontend: &Frontend<'_>| Front {
            port: frontend.port,
            protocol: frontend.protocol,
            hosts: frontend.hosts.iter().map(|(host, _)| host.clone()).collect(),
            serves: self.serves(frontend),
            is_certified: frontend.certificate.is_some(),
        };
        self.frontends.iter().map(front).collect()
    }

    /// Tells of the ports and hosts that others had first.
    fn claim(&self, claims: &Claims<'_>, reports: &mut Reports) {
        for (place, frontend) in self.frontends.iter().enumerate() {
            let Frontend { field, port, protocol, hosts, .. } = frontend;
            if self.serves(frontend)
                && let Some(winner) = claims.other_protocol(*port, *protocol)
            {
                let winner = self.call(winner);
                reports.error(
                    self.owner,
                    format!("{field}.protocol"),
                    Reason::Conflict,
                    format!("{winner} has port {port} for the other protocol, so the listener is not served"),
                    "give one of the two another port",
                );
                continue;
            }
            for (host, field) in hosts {
                let holder = claims.holder(*port, *protocol, host);
                let lost = holder.filter(|holder| *holder != Holder::Listener(self.owner, place));
                if let Some(winner) = lost {
                    let winner = self.call(winner.owner());
                    reports.error(
                        self.owner,
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
        if winner == self.owner { "another listener of this gateway".to_owned() } else { winner.to_string() }
    }

    /// Puts hosts, routes and pools into the draft.
    fn build(&self, lookup: &Lookup<'a>, claims: &Claims<'_>, draft: &mut Draft) {
        let backends = Backends::read(self.owner, &self.elements, &mut draft.reports);
        for (place, frontend) in self.frontends.iter().enumerate() {
            let (port, protocol) = (frontend.port, frontend.protocol);
            let holds =
                |host: &&HostPattern| claims.holder(port, protocol, host) == Some(Holder::Listener(self.owner, place));
            let held: Vec<&HostPattern> = frontend.hosts.iter().map(|(host, _)| host).filter(holds).collect();
            if held.is_empty() {
                continue;
            }
            let mut routes = match self.rules.get(frontend.listener.name.as_str()) {
                Some(rule) => rule::routes(self.owner, rule, &self.elements, &backends, lookup, draft),
                None => {
                    draft.reports.warning(
                        self.owner,
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
            if !routes.iter().any(|route| route.matches.path == PathMatch::Any) {
                let action = Action::NotFound;
                let (field, owner) = (frontend.field.as_str().into(), Arc::new(self.owner.clone()));
                routes.push(Route { field, owner, matches: PathMatch::Any.into(), action });
            }
            for host in &held {
                draft.add_host(port, protocol, (*host).clone(), routes.clone());
            }
            self.certify(frontend, &held, lookup, draft);
        }
    }

    /// Notes a listener that is served, and its rule where that leads somewhere.
    fn note(&self, frontend: &Frontend<'_>, routes: &[Route], draft: &mut Draft) {
        draft.parts.listeners.insert(frontend.listener.name.clone());
        let leads = routes.iter().any(|route| !matches!(route.action, Action::Unavailable(_)));
        let rule = self.rules.get(frontend.listener.name.as_str()).filter(|_| leads);
        draft.parts.rules.extend(rule.map(|rule| rule.value.name.clone()));
    }

    fn certify(&self, frontend: &Frontend<'_>, held: &[&HostPattern], lookup: &Lookup<'_>, draft: &mut Draft) {
        let Some(id) = &frontend.certificate else { return };
        let field = format!("{}.sslCertificate", frontend.field);
        for host in held {
            tls::check_names(lookup, id, host, self.owner, &field, &mut draft.reports);
            draft.set_certificate(frontend.port, host, id);
        }
    }
}
