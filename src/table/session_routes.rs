//! Whether a table still serves the route of a session.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;

use super::{ListenerTable, RoutingTable};
use crate::model::RouteId;

/// The request that opened a session, the route that it took and the member that it is with.
#[derive(Debug, Clone, Copy)]
pub struct SessionOrigin<'a> {
    /// Frontend port.
    pub port: u16,
    /// Host of the request: lower case, without port.
    pub host: &'a str,
    /// Path of the request, normalised.
    pub path: &'a str,
    /// Identity of the route. `None`: a route that is known not to be in the table.
    pub route: Option<&'a RouteId>,
    /// Address of the member.
    pub member: SocketAddr,
}

/// The routes of a table, as sessions need them. It remembers which routes it has looked for, since many sessions have one route.
#[derive(Debug)]
pub struct SessionRoutes<'a> {
    table: &'a RoutingTable,
    /// Whether the table has a route, by port and identity. Looked for only where another route takes the session's requests.
    present: RefCell<HashMap<(u16, RouteId), bool>>,
}

impl RoutingTable {
    /// The routes, as sessions need them.
    pub fn session_routes(&self) -> SessionRoutes<'_> {
        SessionRoutes { table: self, present: RefCell::default() }
    }
}

impl SessionRoutes<'_> {
    /// Whether a session may stay. It may if its route is still in the table, whatever the route does by now; or if the route that
    /// would take its request today leads to its member.
    pub fn covers(&self, session: &SessionOrigin<'_>) -> bool {
        let Some(listener) = self.table.listener(session.port) else { return false };
        let found = listener.find(session.host, session.path);
        let is_its_own = || found.is_some_and(|target| session.route.is_some_and(|route| target.has_id(route)));
        let leads_to_member = || found.is_some_and(|target| target.leads_to(session.member));
        is_its_own() || leads_to_member() || session.route.is_some_and(|route| self.has(listener, session.port, route))
    }

    fn has(&self, listener: &ListenerTable, port: u16, route: &RouteId) -> bool {
        let mut present = self.present.borrow_mut();
        *present.entry((port, route.clone())).or_insert_with(|| listener.has_route(route))
    }
}
