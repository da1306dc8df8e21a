//! One ApplicationGateway: what it refers to, what its listeners claim, and the hosts and routes that they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::application_gateway::{ConfigReference, RequestRoutingRule};
use crate::api::{ApplicationGateway, ApplicationGatewaySpec};
use crate::model::{Action, ErrorPages, HostPattern, Kind, ObjectRef, PathMatch, Policies, Route, RouteMatch};
use crate::report::Reason;
use crate::source::Snapshot;

use super::backend::Backends;
use super::element::{Element, Elements};
use super::guard;
use super::listener::{self, ParsedListener};
use super::rule::{self, RuleKey};
use super::ssl_profile::Profiles;
use super::stream::Streams;
use super::token::{self, Tokens};
use super::{error_page, redirect, reference};
use crate::translate::claim::{Claims, ListenerClaim};
use crate::translate::claimed::ClaimedListener;
use crate::translate::class::Classes;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::refs::Refs;
use crate::translate::report::Reports;
use crate::translate::{self, tls};

/// A gateway that is served, read.
#[derive(Debug)]
pub(super) struct Gateway<'a> {
    owner: &'a ObjectRef,
    spec: &'a ApplicationGatewaySpec,
    elements: Elements<'a>,
    listeners: Vec<ParsedListener<'a>>,
    /// The rule that each listener obeys, by the listener's name.
    rules: BTreeMap<&'a str, Element<'a, RequestRoutingRule>>,
    streams: Streams<'a>,
}

/// What becomes of listeners that no rule names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum IdleListeners {
    /// They keep their hosts from others, and serve nothing, which is reported.
    #[default]
    Reported,
    /// They are defaults of the Ingresses of a class, and claim nothing themselves.
    Defaults,
}

impl IdleListeners {
    /// What becomes of those of a gateway.
    pub(super) fn of(owner: &ObjectRef, classes: &Classes) -> Self {
        if classes.are_parameters(owner) { Self::Defaults } else { Self::Reported }
    }
}

/// Everything that a gateway refers to and may refer to. What is not in it is neither fetched from a cluster nor followed when it changes.
pub(super) fn refs(owner: &ObjectRef, object: &ApplicationGateway, snapshot: &Snapshot) -> Refs {
    let spec = &object.spec;
    let services = spec.backend_address_pools.iter().filter_map(|pool| pool.service_ref.as_ref());
    let certificates = spec.ssl_certificates.iter().map(|certificate| &certificate.secret_ref);
    let roots = spec.trusted_root_certificates.iter().filter_map(|root| root.secret_ref.as_ref());
    let client_roots = spec.trusted_client_certificates.iter().filter_map(|root| root.secret_ref.as_ref());
    let maps = spec.trusted_root_certificates.iter().filter_map(|root| root.config_map_ref.as_ref());
    let client_maps = spec.trusted_client_certificates.iter().filter_map(|root| root.config_map_ref.as_ref());
    let of_listeners = spec.http_listeners.iter().flat_map(|listener| &listener.custom_error_configurations);
    let pages = spec.custom_error_configurations.iter().chain(of_listeners).filter_map(|page| {
        Some(reference::config_key(snapshot, owner, Kind::ConfigMap, page.config_map_ref.as_ref()?).ok()?.key)
    });
    let key = |kind, reference: &ConfigReference| {
        reference::config(snapshot, owner, kind, reference).ok().map(|object| object.key)
    };
    Refs {
        services: services
            .filter_map(|service| reference::service(snapshot, owner, service).ok().map(|object| object.key))
            .collect(),
        secrets: certificates
            .chain(roots)
            .chain(client_roots)
            .filter_map(|reference| key(Kind::Secret, reference))
            .chain(token::refs(snapshot, owner, spec, Kind::Secret))
            .collect(),
        config_maps: maps
            .chain(client_maps)
            .filter_map(|reference| key(Kind::ConfigMap, reference))
            .chain(pages)
            .chain(token::refs(snapshot, owner, spec, Kind::ConfigMap))
            .collect(),
        ..Refs::default()
    }
}

impl<'a> Gateway<'a> {
    /// Reads a gateway. What refers to nothing is reported, and left out.
    pub(super) fn read(
        owner: &'a ObjectRef,
        object: &'a ApplicationGateway,
        idle: IdleListeners,
        lookup: &Lookup<'_>,
        reports: &mut Reports,
    ) -> Self {
        let elements = Elements::read(owner, &object.spec, reports);
        let profiles = Profiles::read(owner, &object.spec, &elements, lookup.snapshot, reports);
        let mut listeners = listener::read(owner, &elements, &profiles, lookup, reports);
        let rules = rule::by_listener(owner, &elements.rules, &elements.listeners, RuleKey::of_http, reports);
        if idle == IdleListeners::Defaults {
            listeners.retain(|listener| rules.contains_key(listener.name()));
        }
        let streams = Streams::read(owner, &elements, &profiles, lookup, reports);
        guard::report_gateway(owner, &object.spec, reports);
        Self { owner, spec: &object.spec, elements, listeners, rules, streams }
    }

    /// Whether a listener can serve anything: it has a rule, and a certificate if it needs one.
    fn serves(&self, listener: &ParsedListener<'_>) -> bool {
        !listener.lacks_certificate() && self.rules.contains_key(listener.name())
    }

    /// What its listeners claim: those of HTTP, then those of streams, each in the order listed.
    pub(super) fn claims(&self) -> Vec<ListenerClaim> {
        let claim = |listener: &ParsedListener<'_>| ListenerClaim {
            at: listener.at,
            hosts: listener.hosts.iter().map(|(host, _)| host.clone()).collect(),
            serves: self.serves(listener),
            is_certified: listener.certificate.is_some(),
        };
        self.listeners.iter().map(claim).chain(self.streams.claims()).collect()
    }

    /// A listener as it claims. `index`: its number in the order listed.
    fn claimed<'l>(&'l self, index: usize, listener: &'l ParsedListener<'a>) -> ClaimedListener<'l> {
        let ParsedListener { field, at, hosts, .. } = listener;
        ClaimedListener { owner: self.owner, index, field, at: *at, hosts, serves: self.serves(listener) }
    }

    /// Reports the ports and hosts that other objects had first.
    pub(super) fn report_lost_claims(&self, claims: &Claims<'_>, reports: &mut Reports) {
        for (index, listener) in self.listeners.iter().enumerate() {
            self.claimed(index, listener).report_lost(claims, reports);
        }
        self.streams.report_lost_claims(self.listeners.len(), claims, reports);
    }

    /// Puts hosts, routes and pools into the draft.
    pub(super) fn build(&self, lookup: &Lookup<'a>, claims: &Claims<'_>, draft: &mut Draft) {
        let backends = Backends::read(self.owner, &self.elements, lookup, &mut draft.reports);
        // Every redirect, in use or not, so that each mistake is reported.
        for element in self.elements.redirects.iter() {
            let _reported = redirect::read(self.owner, &self.elements, &element, &mut draft.reports);
        }
        let owner = Arc::new(self.owner.clone());
        let pages = &self.spec.custom_error_configurations;
        let pages = error_page::read(&owner, "spec", pages, lookup.snapshot, &mut draft.reports);
        let tokens = Tokens::read(self.owner, &self.elements, lookup, &mut draft.reports);
        for (index, listener) in self.listeners.iter().enumerate() {
            let at = listener.at;
            let held = self.claimed(index, listener).held(claims);
            if held.is_empty() {
                continue;
            }

            // The routes of its rule are those of each of these hosts.
            let mut routes = match self.rules.get(listener.name()) {
                Some(rule) => {
                    rule::routes(self.owner, rule, listener.guarded.access, &backends, &tokens, lookup, draft)
                }
                None => {
                    draft.reports.warning(
                        self.owner,
                        &listener.field,
                        Reason::ElementNotFound,
                        format!("no rule names the listener {:?}, so it serves nothing", listener.name()),
                        "add a requestRoutingRule for it",
                    );
                    Vec::new()
                }
            };
            if !claims.speaks(at) {
                continue;
            }
            if self.serves(listener) {
                self.note_served(listener, &routes, draft);
            }
            let (field, own) = (&listener.field, listener.error_pages());
            let own = error_page::read(&owner, field, own, lookup.snapshot, &mut draft.reports);
            let pages = translate::error_page::load(&owner, &own, &pages, lookup, &mut draft.reports);
            // What no rule takes is not for a wider host, which may be another tenant's.
            let every_path = RouteMatch::from(PathMatch::Any);
            if !routes.iter().any(|route| route.matches == every_path) {
                let action = Action::NotFound;
                let (field, owner) = (listener.field.as_str().into(), Arc::clone(&owner));
                routes.push(Route { field, owner, matches: every_path, action, policies: None });
            }
            show_pages(&mut routes, pages);
            for host in &held {
                draft.add_host(at.port, at.protocol, (*host).clone(), routes.clone());
                draft.set_tls(at.port, host, listener.guarded.tls.as_ref());
            }
            self.certify(listener, &held, lookup, draft);
        }
        self.streams.build(self.listeners.len(), &backends, lookup, claims, draft);
    }

    /// Notes that a listener is served, and so is its rule where that leads somewhere.
    fn note_served(&self, listener: &ParsedListener<'_>, routes: &[Route], draft: &mut Draft) {
        draft.parts.listeners.insert(listener.name().to_owned());
        let leads = routes.iter().any(|route| !matches!(route.action, Action::Unavailable(_)));
        let rule = self.rules.get(listener.name()).filter(|_| leads);
        draft.parts.rules.extend(rule.map(|rule| rule.value.name.clone()));
    }

    /// Has the hosts that a listener holds show its certificate.
    fn certify(&self, listener: &ParsedListener<'_>, held: &[&HostPattern], lookup: &Lookup<'_>, draft: &mut Draft) {
        let Some(id) = &listener.certificate else { return };
        let field = format!("{}.sslCertificate", listener.field);
        for host in held {
            tls::check_names(lookup, id, host, self.owner, &field, &mut draft.reports);
            draft.set_certificate(listener.at.port, host, id);
        }
    }
}

/// Has the routes of a listener show its pages. Routes without another policy share one value.
fn show_pages(routes: &mut [Route], pages: Option<Arc<ErrorPages>>) {
    let Some(pages) = pages else { return };
    let shared = Policies { error_pages: Some(Arc::clone(&pages)), ..Policies::default() }.into_shared();
    for route in routes {
        route.policies = match route.policies.take() {
            Some(policies) => {
                let error_pages = Some(Arc::clone(&pages));
                Policies { error_pages, ..Arc::unwrap_or_clone(policies) }.into_shared()
            }
            None => shared.clone(),
        };
    }
}
