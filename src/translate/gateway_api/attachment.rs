//! Attachment: which routes belong to which listeners, for which hosts (HTTPRouteSpec.parentRefs, ListenerSpec.allowedRoutes).

use std::sync::Arc;

use super::host_names::{intersection, is_within};
use super::listener::ParsedListener;
use super::parents::{self, Parents};
use crate::api::gateway_api::{Gateway, GatewayListener, HttpRoute, ParentReference};
use crate::model::{HostPattern, Kind, ObjectRef};
use crate::report::Reason;
use crate::source::Snapshot;
use crate::translate::report::Reports;

/// A route that is attached to a listener.
#[derive(Debug)]
pub(super) struct AttachedRoute<'a> {
    pub(super) owner: Arc<ObjectRef>,
    pub(super) route: &'a HttpRoute,
    /// The hosts that it serves there.
    pub(super) hosts: Vec<HostPattern>,
}

/// The routes of each listener, from the oldest to the youngest, in the order of the listeners.
pub(super) fn attach<'a>(
    owner: &ObjectRef,
    object: &Gateway,
    listeners: &[ParsedListener<'_>],
    parents: &Parents,
    snapshot: &'a Snapshot,
    reports: &mut Reports,
) -> Vec<Vec<AttachedRoute<'a>>> {
    let routes = parents.routes_of(&owner.key).filter_map(|key| snapshot.http_routes.get_key_value(key));
    let mut routes: Vec<_> = routes.collect();
    routes.sort_by_key(|(key, route)| {
        let created = route.metadata.creation_timestamp.as_ref();
        (created.is_none(), created, *key)
    });
    let mut attached: Vec<Vec<AttachedRoute<'a>>> = listeners.iter().map(|_| Vec::new()).collect();
    for (key, route) in routes {
        let route_owner = Arc::new(ObjectRef { kind: Kind::HTTPRoute, key: key.clone() });
        let hosts = hosts(&route_owner, route, reports);
        let candidate = Candidate { owner: &route_owner, hosts: hosts.as_deref(), gateway: owner, object, snapshot };
        for (index, parent) in route.spec.parent_refs.iter().enumerate() {
            if parents::gateway(key.namespace(), parent).as_ref() != Some(&owner.key) {
                continue;
            }
            for (listener, hosts) in candidate.to_parent(index, parent, listeners, reports) {
                let of_listener = &mut attached[listener];
                let known = of_listener.last_mut().filter(|last| last.owner == route_owner);
                match known {
                    // Two of its references lead to this listener.
                    Some(known) => {
                        let new: Vec<_> = hosts.into_iter().filter(|host| !known.hosts.contains(host)).collect();
                        known.hosts.extend(new);
                    }
                    None => of_listener.push(AttachedRoute { owner: Arc::clone(&route_owner), route, hosts }),
                }
            }
        }
    }
    attached
}

/// The hosts of a route. `None`: it names none, and is for those of its listeners.
fn hosts(owner: &ObjectRef, route: &HttpRoute, reports: &mut Reports) -> Option<Vec<HostPattern>> {
    if route.spec.hostnames.is_empty() {
        return None;
    }
    let mut hosts = Vec::new();
    for (index, text) in route.spec.hostnames.iter().enumerate() {
        match HostPattern::any_labels(text) {
            Ok(HostPattern::Any) | Err(_) => {
                let message = format!("{text:?} is not a host, so it is left out");
                let field = format!("spec.hostnames[{index}]");
                reports.error(
                    owner,
                    field,
                    Reason::InvalidValue,
                    message,
                    "write a name such as a.example or *.example",
                );
            }
            Ok(host) => hosts.push(host),
        }
    }
    Some(hosts)
}

/// A route that wants to be attached to a Gateway.
struct Candidate<'a> {
    owner: &'a ObjectRef,
    hosts: Option<&'a [HostPattern]>,
    gateway: &'a ObjectRef,
    object: &'a Gateway,
    snapshot: &'a Snapshot,
}

impl Candidate<'_> {
    /// The listeners to which a reference of the route leads, by their index, each with the hosts that the route serves there.
    fn to_parent(
        &self,
        index: usize,
        parent: &ParentReference,
        listeners: &[ParsedListener<'_>],
        reports: &mut Reports,
    ) -> Vec<(usize, Vec<HostPattern>)> {
        let field = format!("spec.parentRefs[{index}]");
        let Self { owner, gateway, .. } = self;
        let is_named = |listener: &GatewayListener| {
            parent.section_name.as_ref().is_none_or(|name| *name == listener.name)
                && parent.port.is_none_or(|port| port == listener.port)
        };
        if !self.object.spec.listeners.iter().any(is_named) {
            let message = format!("{gateway} has no listener{}, so the route is not attached", describe(parent));
            let remedy = "correct sectionName and port, or leave them out";
            reports.error(owner, field, Reason::NoMatchingParent, message, remedy);
            return Vec::new();
        }
        // Listeners that are not accepted have been reported.
        let named: Vec<_> = listeners.iter().enumerate().filter(|(_, each)| is_named(each.listener)).collect();
        let takes = |(_, listener): &&(usize, &ParsedListener<'_>)| {
            let namespace = owner.namespace();
            listener.takes_http_routes && listener.namespaces.has(namespace, gateway.namespace(), self.snapshot)
        };
        let taking: Vec<_> = named.iter().filter(takes).collect();
        if taking.is_empty() {
            let message =
                format!("no listener{} of {gateway} takes this route, so it is not attached", describe(parent));
            let remedy = "have allowedRoutes of the listener allow this namespace and kind";
            reports.error(owner, field, Reason::NotAllowedByListeners, message, remedy);
            return Vec::new();
        }
        let served: Vec<_> = taking
            .into_iter()
            .map(|(index, listener)| (*index, self.served_hosts(listener, listeners)))
            .filter(|(_, hosts)| !hosts.is_empty())
            .collect();
        if served.is_empty() {
            let message = format!("no listener{} of {gateway} serves a host of this route", describe(parent));
            let remedy = "name hosts in spec.hostnames that a listener has";
            reports.error(owner, field, Reason::NoMatchingListenerHostname, message, remedy);
        }
        served
    }

    /// The hosts that the route serves on a listener. A host that lies within that of a more specific listener of the port is that
    /// one's alone (Gateway API, "listener isolation").
    fn served_hosts(&self, listener: &ParsedListener<'_>, listeners: &[ParsedListener<'_>]) -> Vec<HostPattern> {
        let any = [HostPattern::Any];
        let hosts = self.hosts.unwrap_or(&any).iter();
        let mut shared: Vec<HostPattern> = hosts.filter_map(|host| intersection(host, &listener.host)).collect();
        let is_closer = |other: &ParsedListener<'_>, host: &HostPattern| {
            other.at.port == listener.at.port
                && is_within(host, &other.host)
                && other.host.precedence() < listener.host.precedence()
        };
        shared.retain(|host| !listeners.iter().any(|other| is_closer(other, host)));
        shared.sort();
        shared.dedup();
        shared
    }
}

/// The listeners that a reference names, for people.
fn describe(parent: &ParentReference) -> String {
    match (&parent.section_name, parent.port) {
        (Some(name), Some(port)) => format!(" {name:?} with port {port}"),
        (Some(name), None) => format!(" {name:?}"),
        (None, Some(port)) => format!(" with port {port}"),
        (None, None) => String::new(),
    }
}
