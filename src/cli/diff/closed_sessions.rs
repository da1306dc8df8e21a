//! The sessions that a change would close. The code that decides it in a running gateway decides it here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;

use super::view::ConfigView;
use crate::admin::sessions::ListedSession;
use crate::model::{
    Address, AddressPolicy, Endpoint, HostPattern, MatchInput, Model, Pool, RequestHead, Route, RouteId,
};
use crate::pool::{AddressSource, AddressStates, AffinityKey, Registry, ends_tenure};
use crate::table::{RoutingTable, SessionOrigin, SessionRoutes, compile};
use crate::websocket::CloseCause;

/// The table after the change, with members that are never probed.
pub(super) struct NextTable {
    table: RoutingTable,
    /// The routes of the table by port and displayed identity. A running gateway shows no more of the identity.
    route_ids: HashMap<(u16, String), RouteId>,
    standings: AddressStates,
    /// Never driven, so that neither a probe nor a DNS query is made.
    _runtime: tokio::runtime::Runtime,
}

/// The state before the change that decides about sessions.
pub(super) struct CurrentState {
    pub(super) standings: AddressStates,
    /// Whether a table is published for the change. Without one, no session is closed for its route.
    pub(super) publishes: bool,
}

/// Sessions that would be closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct ClosedSessions {
    /// Number of open sessions.
    pub(super) open: usize,
    /// Number of those that are already closing.
    pub(super) already_closing: usize,
    /// Number of others that the change would close.
    pub(super) closed: usize,
    /// The sessions that the change would close, by cause, route and member.
    pub(super) by: Vec<ClosedGroup>,
}

/// Sessions that would be closed for one cause, by one route and at one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ClosedGroup {
    pub(super) cause: &'static str,
    pub(super) object: String,
    pub(super) member: SocketAddr,
    pub(super) sessions: Vec<u64>,
}

/// The addresses of DNS names.
pub(super) type ResolvedNames = HashMap<String, Vec<IpAddr>>;

/// The addresses to which a running gateway has resolved names.
pub(super) fn names(running: &ConfigView) -> ResolvedNames {
    let mut names = ResolvedNames::new();
    for member in running.pools.values().flatten() {
        if let Some(name) = &member.name {
            let addresses = names.entry(name.clone()).or_default();
            if !addresses.contains(&member.address.ip()) {
                addresses.push(member.address.ip());
            }
        }
    }
    names
}

/// The addresses of an endpoint, and how they are known.
fn addresses(address: &Address, names: &ResolvedNames) -> (Vec<SocketAddr>, AddressSource) {
    match address {
        Address::Socket(address) => (vec![*address], AddressSource::Address),
        Address::Name(name, port) => {
            let addresses = names.get(name).into_iter().flatten().map(|ip| SocketAddr::new(*ip, *port));
            (addresses.collect(), AddressSource::DnsName)
        }
    }
}

/// The state of each address according to a model.
pub(super) fn standings(model: &Model, names: &ResolvedNames) -> AddressStates {
    let mut standings = AddressStates::default();
    for endpoint in model.pools.values().flat_map(|pool| &pool.endpoints) {
        let (addresses, source) = addresses(&endpoint.address, names);
        addresses.into_iter().for_each(|address| standings.add(address, source, endpoint.state));
    }
    standings.add_departing(&model.departing);
    standings
}

/// The state of each address according to a running gateway.
pub(super) fn standings_of(running: &ConfigView) -> AddressStates {
    let mut standings = AddressStates::default();
    for member in running.pools.values().flatten() {
        let source = if member.name.is_some() { AddressSource::DnsName } else { AddressSource::Address };
        standings.add(member.address, source, member.state());
    }
    standings.add_departing(&running.departing());
    standings
}

impl NextTable {
    /// Compiles a model.
    pub(super) fn of(model: &Model, names: &ResolvedNames) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let pools = model.pools.iter().map(|(id, pool)| {
            // The running gateway has resolved the names, and will have when it processes the change.
            let found = pool.endpoints.iter().flat_map(|endpoint| {
                let (addresses, _) = addresses(&endpoint.address, names);
                addresses.into_iter().map(|address| Endpoint { address: Address::Socket(address), ..endpoint.clone() })
            });
            (id.clone(), Arc::new(Pool { endpoints: found.collect(), ..Pool::clone(pool) }))
        });
        let registry = Registry::new(
            runtime.handle().clone(),
            AddressPolicy { allow_loopback: true, ..AddressPolicy::default() },
            AffinityKey::random(),
        );
        let table = compile(model, 1, &registry.apply(&pools.collect(), &model.departing));
        let listeners = table.ports().filter_map(|port| Some((port, table.listener(port)?)));
        let route_ids =
            listeners.flat_map(|(port, listener)| listener.route_ids().map(move |id| ((port, id.to_string()), id)));
        Ok(Self { route_ids: route_ids.collect(), table, standings: standings(model, names), _runtime: runtime })
    }

    /// The cause for which a session would be closed, if it would.
    fn cause(
        &self,
        before: &CurrentState,
        routes: &SessionRoutes<'_>,
        session: &SessionOrigin<'_>,
    ) -> Option<&'static str> {
        if before.publishes && !routes.covers(session) {
            return Some(CloseCause::RouteRemoved.name());
        }
        let member = session.member;
        ends_tenure(before.standings.of(member), self.standings.of(member)).then(|| CloseCause::MemberDrain.name())
    }

    /// The sessions of a running gateway that would be closed.
    pub(super) fn closes(&self, before: &CurrentState, sessions: &[ListedSession<'_>]) -> ClosedSessions {
        let routes = self.table.session_routes();
        let mut groups: BTreeMap<(&'static str, &str, SocketAddr), Vec<u64>> = BTreeMap::new();
        let (going, staying): (Vec<_>, Vec<_>) = sessions.iter().partition(|session| session.closing.is_some());
        for session in staying {
            let (port, member) = (session.port, session.member);
            let route = self.route_ids.get(&(port, session.route.to_string()));
            let head = route.map_or(RequestHead::Meets(None), |route| route.matches.met());
            let input = MatchInput { path: &session.path, head: &head };
            let origin = SessionOrigin { port, host: &session.host, input, route, member };
            if let Some(cause) = self.cause(before, &routes, &origin) {
                groups.entry((cause, &session.object, member)).or_default().push(session.id);
            }
        }
        let by: Vec<_> = groups
            .into_iter()
            .map(|((cause, object, member), sessions)| ClosedGroup {
                cause,
                object: object.to_owned(),
                member,
                sessions,
            })
            .collect();
        ClosedSessions {
            open: sessions.len(),
            already_closing: going.len(),
            closed: by.iter().map(|group| group.sessions.len()).sum(),
            by,
        }
    }

    /// The routes whose sessions would be closed, if they have any, and the members to which they led.
    pub(super) fn closed_routes(&self, before: &CurrentState, model: &Model) -> BTreeSet<ClosedRoute> {
        let routes = self.table.session_routes();
        let mut closed = BTreeSet::new();
        for (port, listener) in &model.listeners {
            for (pattern, host) in &listener.hosts {
                for route in &host.routes {
                    let Route { owner, matches, .. } = &**route;
                    let (host, head) = (sample_host(pattern), matches.met());
                    let input = MatchInput { path: matches.example_path(), head: &head };
                    let id = RouteId { owner: owner.clone(), host: pattern.clone(), matches: matches.clone() };
                    let pools = route.action.pools().filter_map(|pool| model.pools.get(pool));
                    for endpoint in pools.flat_map(|pool| &pool.endpoints) {
                        let Address::Socket(member) = endpoint.address else { continue };
                        let port = *port;
                        let origin = SessionOrigin { port, host: &host, input, route: Some(&id), member };
                        if let Some(cause) = self.cause(before, &routes, &origin) {
                            let (route_id, pod) = (id.to_string(), endpoint.target.clone());
                            closed.insert(ClosedRoute { cause, port, route_id, member, pod });
                        }
                    }
                }
            }
        }
        closed
    }
}

/// A route whose sessions at one member would be closed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct ClosedRoute {
    pub(super) cause: &'static str,
    pub(super) port: u16,
    pub(super) route_id: String,
    pub(super) member: SocketAddr,
    pub(super) pod: Option<String>,
}

/// A host that the pattern matches.
fn sample_host(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Any => String::new(),
        pattern => pattern.to_string().replace(['*', '?'], "x"),
    }
}
