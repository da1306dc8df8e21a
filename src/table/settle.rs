//! Whether something still leads where a session has been led.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::net::SocketAddr;

use super::{RoutingTable, Target};
use crate::model::Action;

/// The places that sessions may have in a table.
#[derive(Debug)]
pub struct Places<'a> {
    table: &'a RoutingTable,
    /// Every route's port and id. Asked for where a route does not take the requests that it took.
    routes: OnceCell<HashSet<(u16, &'a str)>>,
}

impl RoutingTable {
    /// Where its sessions may be.
    pub fn places(&self) -> Places<'_> {
        Places { table: self, routes: OnceCell::new() }
    }
}

impl Places<'_> {
    /// Whether a session that was opened at `port` for `host` and `path`, by the route with this id and with this member, has a
    /// place: its route is still there, whatever it says by now; or what takes its place leads to a pool that has the member.
    pub fn has(&self, port: u16, host: &str, path: &str, route: &str, member: SocketAddr) -> bool {
        let Some(listener) = self.table.listener(port) else { return false };
        let found = listener.find(host, path);
        found.is_some_and(|target| &*target.id == route || leads_to(target, member))
            || self.routes.get_or_init(|| every_route(self.table).collect()).contains(&(port, route))
    }
}

fn every_route(table: &RoutingTable) -> impl Iterator<Item = (u16, &str)> {
    let listeners = table.listeners.iter();
    let hosts = listeners.flat_map(|(port, listener)| listener.host_tables().map(|routes| (*port, routes)));
    hosts.flat_map(|(port, routes)| routes.every_target().map(move |target| (port, &*target.id)))
}

fn leads_to(target: &Target, member: SocketAddr) -> bool {
    let has = || target.pool.as_ref().is_some_and(|pool| pool.has(member));
    matches!(target.route.action, Action::Forward(_)) && has()
}
