//! One Gateway that is served, with its routes: what it claims, and the hosts and routes that its listeners hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::attachment::{self, AttachedRoute};
use super::backend;
use super::class;
use super::listener::{self, ParsedListener};
use super::parents::Parents;
use super::rule::RuleReader;
use crate::api::gateway_api::{Gateway, GatewaySpec};
use crate::model::{Action, HostPattern, ObjectRef, PathMatch, Route, RouteMatch};
use crate::report::Reason;
use crate::status::ServedListeners;
use crate::translate::claim::{Claims, ListenerClaim};
use crate::translate::claimed::ClaimedListener;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::refs::Refs;
use crate::translate::report::Reports;
use crate::translate::tls;

/// A Gateway that is served, read.
#[derive(Debug)]
pub(super) struct ServedGateway<'a> {
    owner: &'a ObjectRef,
    object: &'a Gateway,
    listeners: Vec<ParsedListener<'a>>,
    /// The routes of each listener, in the order of the listeners.
    attached: Vec<Vec<AttachedRoute<'a>>>,
    refs: Refs,
}

impl<'a> ServedGateway<'a> {
    /// Reads a Gateway and its routes. `None`: it is not there, or is another controller's. One that asks for what can't be given has no
    /// listeners.
    pub(super) fn read(
        owner: &'a ObjectRef,
        parents: &Parents,
        lookup: &Lookup<'a>,
        reports: &mut Reports,
    ) -> Option<Self> {
        let object = lookup.snapshot.gateways.get(&owner.key)?;
        let is_served = class::is_served(owner, object, lookup, reports)?;
        let listeners = match is_served && is_accepted(owner, &object.spec, reports) {
            true => listener::read(owner, object, lookup, reports),
            false => Vec::new(),
        };
        let attached = attachment::attach(owner, object, &listeners, parents, lookup.snapshot, reports);
        let mut refs = listener::refs(owner, object, lookup.snapshot);
        let routes = attached.iter().flatten();
        refs.services =
            routes.flat_map(|route| backend::services(&route.owner, route.route, lookup.snapshot)).collect();
        Some(Self { owner, object, listeners, attached, refs })
    }

    /// What it and its routes refer to, and may refer to.
    pub(super) fn refs(&self) -> Refs {
        self.refs.clone()
    }

    /// `metadata.creationTimestamp`
    pub(super) fn created(&self) -> Option<&'a Time> {
        self.object.metadata.creation_timestamp.as_ref()
    }

    /// What its listeners claim, in their order: their own hosts and those of their routes.
    pub(super) fn claims(&self) -> Vec<ListenerClaim> {
        let claim = |(listener, attached): (&ParsedListener<'_>, &Vec<AttachedRoute<'_>>)| ListenerClaim {
            at: listener.at,
            hosts: hosts(listener, attached).into_iter().map(|(host, _)| host).collect(),
            serves: listener.serves(),
            // Ingresses are redirected to HTTPS where Ingresses and ApplicationGateways have it.
            is_certified: false,
        };
        self.listeners.iter().zip(&self.attached).map(claim).collect()
    }

    /// Puts hosts, routes and pools into the draft.
    pub(super) fn build(&self, lookup: &Lookup<'a>, claims: &Claims<'_>, draft: &mut Draft) {
        let mut noted = ServedListeners::default();
        for (index, (listener, attached)) in self.listeners.iter().zip(&self.attached).enumerate() {
            let at = listener.at;
            noted.attached.insert(listener.listener.name.clone(), attached.len());
            let hosts = hosts(listener, attached);
            let (owner, field, serves) = (self.owner, listener.field.as_str(), listener.serves());
            let claimed = ClaimedListener { owner, index, field, at, hosts: &hosts, serves };
            claimed.report_lost(claims, &mut draft.reports);
            let held = claimed.held(claims);
            // The routes are read in any case, so that each mistake is reported.
            let mut by_host = self.routes(listener, attached, lookup, draft);
            if !serves || !claims.speaks(at) {
                continue;
            }
            if held.contains(&&listener.host) {
                noted.served.insert(listener.listener.name.clone());
            }
            for host in held {
                let mut routes = by_host.remove(host).unwrap_or_default();
                if *host == listener.host {
                    routes.push(self.not_found(listener));
                }
                // None of its routes has a match that can be read.
                if routes.is_empty() {
                    continue;
                }
                draft.add_host(at.port, at.protocol, host.clone(), routes);
                if let Some(id) = &listener.certificate {
                    let field = format!("{field}.tls.certificateRefs");
                    tls::check_names(lookup, id, host, owner, &field, &mut draft.reports);
                    draft.set_certificate(at.port, host, id);
                }
            }
        }
        draft.listeners = Some(noted);
    }

    /// The routes of a listener by host. Of two that are for the same requests, the first has them.
    fn routes(
        &self,
        listener: &ParsedListener<'_>,
        attached: &[AttachedRoute<'a>],
        lookup: &Lookup<'a>,
        draft: &mut Draft,
    ) -> BTreeMap<HostPattern, Vec<Route>> {
        let mut by_host: BTreeMap<HostPattern, Vec<Route>> = BTreeMap::new();
        let mut seen: BTreeMap<&HostPattern, BTreeSet<RouteMatch>> = BTreeMap::new();
        for route in attached {
            let mut reader = RuleReader { gateway: self.owner, at: listener.at, route, lookup, draft };
            let routes = reader.routes();
            for host in &route.hosts {
                let seen = seen.entry(host).or_default();
                let new = routes.iter().filter(|route| seen.insert(route.matches.clone())).cloned();
                by_host.entry(host.clone()).or_default().extend(new);
            }
        }
        by_host
    }

    /// What no route of a listener takes is not for a wider listener.
    fn not_found(&self, listener: &ParsedListener<'_>) -> Route {
        Route {
            field: listener.field.as_str().into(),
            owner: Arc::new(self.owner.clone()),
            matches: PathMatch::Any.into(),
            action: Action::NotFound,
            policies: None,
        }
    }
}

/// The hosts of a listener, each with the field that names it: its own, and those of its routes within.
fn hosts(listener: &ParsedListener<'_>, attached: &[AttachedRoute<'_>]) -> Vec<(HostPattern, String)> {
    let own = (listener.host.clone(), listener.host_field.clone());
    let of_routes: BTreeSet<&HostPattern> = attached.iter().flat_map(|route| &route.hosts).collect();
    let of_routes = of_routes.into_iter().filter(|host| **host != listener.host);
    std::iter::once(own).chain(of_routes.map(|host| (host.clone(), listener.host_field.clone()))).collect()
}

/// Whether a Gateway can be what it asks for as a whole. If not, it is not served: it would be open to other clients than meant.
fn is_accepted(owner: &ObjectRef, spec: &GatewaySpec, reports: &mut Reports) -> bool {
    let GatewaySpec { gateway_class_name: _, listeners: _, addresses, infrastructure, allowed_listeners: _, tls } =
        spec;
    let mut refuse = |field: &str, reason, message: &str, remedy: &str| {
        reports.error(owner, field, reason, format!("{message}, so the Gateway is not served"), remedy);
        false
    };
    let has_addresses = addresses.is_empty()
        || refuse(
            "spec.addresses",
            Reason::UnsupportedAddress,
            "this version gives no Gateway an address of its own",
            "remove the addresses",
        );
    let has_parameters = infrastructure.as_ref().is_none_or(|infrastructure| infrastructure.parameters_ref.is_none())
        || refuse(
            "spec.infrastructure.parametersRef",
            Reason::InvalidParameters,
            "this version reads no parameters of Gateways",
            "remove the reference",
        );
    let has_frontend = tls.as_ref().is_none_or(|tls| tls.frontend.is_none())
        || refuse(
            "spec.tls.frontend",
            Reason::UnsupportedValue,
            "this version does not ask the clients of a Gateway for certificates",
            "remove the field, or serve the hosts otherwise",
        );
    if tls.as_ref().is_some_and(|tls| tls.backend.is_some()) {
        let message = "this version shows no certificate of a Gateway to backends";
        reports.warning(owner, "spec.tls.backend", Reason::UnsupportedValue, message, "remove the field");
    }
    has_addresses && has_parameters && has_frontend
}
