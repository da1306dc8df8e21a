//! Which sessions a change would close: asked of those that decide it in a gateway that runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;

use super::view::View;
use crate::admin::sessions::Listed;
use crate::model::{Action, Address, Endpoint, HostPattern, Model, PathMatch, Pool, Route, RouteId};
use crate::pool::{Policy, Registry, Standings, ends_tenure};
use crate::table::{RoutingTable, SessionOrigin, SessionRoutes, compile};
use crate::websocket::CloseCause;

/// What is served after the change, compiled, with members that nobody asks anything.
pub(super) struct After {
    table: RoutingTable,
    /// The routes of the table by port and by what their identity displays, which is all that a gateway tells of it.
    route_ids: HashMap<(u16, String), RouteId>,
    standings: Standings,
    /// Never driven: neither a probe nor a look-up is made.
    _runtime: tokio::runtime::Runtime,
}

/// What is known of sessions before it.
pub(super) struct Before {
    pub(super) standings: Standings,
    /// Whether a table is published for the change; where none is, routes close nothing.
    pub(super) publishes: bool,
}

/// Sessions that would be closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Closes {
    /// How many are open.
    pub(super) open: usize,
    /// How many of those are about to be closed anyway.
    pub(super) already_closing: usize,
    /// How many others the change would close.
    pub(super) closed: usize,
    /// The same, by cause and route.
    pub(super) by: Vec<Group>,
}

/// Some of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Group {
    pub(super) cause: &'static str,
    pub(super) object: String,
    pub(super) member: SocketAddr,
    pub(super) sessions: Vec<u64>,
}

/// Addresses that names are known to lead to.
pub(super) type Names = HashMap<String, Vec<IpAddr>>;

/// Those that a gateway knows which runs.
pub(super) fn names(running: &View) -> Names {
    let mut names = Names::new();
    for member in running.pools.values().flatten() {
        if let Some(name) = &member.name {
            let known = names.entry(name.clone()).or_default();
            if !known.contains(&member.address.ip()) {
                known.push(member.address.ip());
            }
        }
    }
    names
}

/// The addresses of an endpoint, and whether a name leads there.
fn addresses(address: &Address, names: &Names) -> (Vec<SocketAddr>, bool) {
    match address {
        Address::Socket(address) => (vec![*address], false),
        Address::Name(name, port) => {
            (names.get(name).into_iter().flatten().map(|ip| SocketAddr::new(*ip, *port)).collect(), true)
        }
    }
}

/// What a model says of each address.
pub(super) fn standings(model: &Model, names: &Names) -> Standings {
    let mut standings = Standings::default();
    for endpoint in model.pools.values().flat_map(|pool| &pool.endpoints) {
        let (addresses, by_name) = addresses(&endpoint.address, names);
        addresses.into_iter().for_each(|address| standings.hear(address, by_name, endpoint.state));
    }
    standings.hear_departing(&model.departing);
    standings
}

/// What a gateway that runs says of each.
pub(super) fn standings_of(running: &View) -> Standings {
    let mut standings = Standings::default();
    for member in running.pools.values().flatten() {
        standings.hear(member.address, member.name.is_some(), member.state());
    }
    standings.hear_departing(&running.departing());
    standings
}

impl After {
    /// Compiles a model.
    pub(super) fn of(model: &Model, names: &Names) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let pools = model.pools.iter().map(|(id, pool)| {
            // What names lead to is known by the gateway that runs, as it will be when it takes the change in.
            let found = pool.endpoints.iter().flat_map(|endpoint| {
                let (addresses, _) = addresses(&endpoint.address, names);
                addresses.into_iter().map(|address| Endpoint { address: Address::Socket(address), ..endpoint.clone() })
            });
            (id.clone(), Arc::new(Pool { endpoints: found.collect(), ..Pool::clone(pool) }))
        });
        let registry = Registry::new(runtime.handle().clone(), Policy { allow_loopback: true });
        let table = compile(model, 1, &registry.apply(&pools.collect(), &model.departing));
        let listeners = table.ports().filter_map(|port| Some((port, table.listener(port)?)));
        let route_ids =
            listeners.flat_map(|(port, listener)| listener.route_ids().map(move |id| ((port, id.to_string()), id)));
        Ok(Self { route_ids: route_ids.collect(), table, standings: standings(model, names), _runtime: runtime })
    }

    /// Why a session would be closed, if it would.
    fn cause(&self, before: &Before, routes: &SessionRoutes<'_>, session: &SessionOrigin<'_>) -> Option<&'static str> {
        if before.publishes && !routes.covers(session) {
            return Some(CloseCause::RouteRemoved.name());
        }
        let member = session.member;
        ends_tenure(before.standings.of(member), self.standings.of(member)).then(|| CloseCause::Member.name())
    }

    /// Those of these sessions that would be closed.
    pub(super) fn closes(&self, before: &Before, sessions: &[Listed<'_>]) -> Closes {
        let routes = self.table.session_routes();
        let mut groups: BTreeMap<(&'static str, &str, SocketAddr), Vec<u64>> = BTreeMap::new();
        let (going, staying): (Vec<_>, Vec<_>) = sessions.iter().partition(|session| session.closing.is_some());
        for session in staying {
            let (port, member) = (session.port, session.member);
            let route = self.route_ids.get(&(port, session.route.to_string()));
            let origin = SessionOrigin { port, host: &session.host, path: &session.path, route, member };
            if let Some(cause) = self.cause(before, &routes, &origin) {
                groups.entry((cause, &session.object, member)).or_default().push(session.id);
            }
        }
        let by: Vec<_> = groups
            .into_iter()
            .map(|((cause, object, member), sessions)| Group { cause, object: object.to_owned(), member, sessions })
            .collect();
        Closes {
            open: sessions.len(),
            already_closing: going.len(),
            closed: by.iter().map(|group| group.sessions.len()).sum(),
            by,
        }
    }

    /// The routes whose sessions would be closed, if they have any, and the members to which they led.
    pub(super) fn closed_routes(&self, before: &Before, model: &Model) -> BTreeSet<ClosedRoute> {
        let routes = self.table.session_routes();
        let mut closed = BTreeSet::new();
        for (port, listener) in &model.listeners {
            for (pattern, host) in &listener.hosts {
                for route in &host.routes {
                    let Action::Forward(backend) = &route.action else { continue };
                    let (host, path) = (sample_host(pattern), sample_path(&route.matches.path));
                    let Route { owner, matches, .. } = &**route;
                    let id = RouteId { owner: owner.clone(), host: pattern.clone(), matches: matches.clone() };
                    let endpoints = model.pools.get(&backend.pool).into_iter().flat_map(|pool| &pool.endpoints);
                    for endpoint in endpoints {
                        let Address::Socket(member) = endpoint.address else { continue };
                        let port = *port;
                        let origin = SessionOrigin { port, host: &host, path, route: Some(&id), member };
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

/// A path that the condition matches.
fn sample_path(path: &PathMatch) -> &str {
    match path {
        PathMatch::Any => "/",
        PathMatch::Prefix(prefix) if prefix.is_empty() => "/",
        PathMatch::Exact(text)
        | PathMatch::Prefix(text)
        | PathMatch::PatternExact(text)
        | PathMatch::PatternPrefix(text) => text,
    }
}
