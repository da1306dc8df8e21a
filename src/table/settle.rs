//! Whether something still leads where a session has been led.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;

use super::{ListenerTable, RoutingTable, Target};
use crate::model::Action;

/// The places that sessions may have in a table.
#[derive(Debug)]
pub struct Places<'a> {
    table: &'a RoutingTable,
    /// Whether a route is there, by port and id. Asked for where a route does not take the requests that it took.
    routes: RefCell<HashMap<(u16, Box<str>), bool>>,
}

impl RoutingTable {
    /// Where its sessions may be.
    pub fn places(&self) -> Places<'_> {
        Places { table: self, routes: RefCell::default() }
    }
}

impl Places<'_> {
    /// Whether a session that was opened at `port` for `host` and `path`, by the route with this id and with this member, has a
    /// place: its route is still there, whatever it says by now; or what takes its place leads to a pool that has the member.
    pub fn has(&self, port: u16, host: &str, path: &str, route: &str, member: SocketAddr) -> bool {
        let Some(listener) = self.table.listener(port) else { return false };
        let found = listener.find(host, path);
        let there = || *self.routes.borrow_mut().entry((port, route.into())).or_insert_with(|| has(listener, route));
        found.is_some_and(|target| &*target.id == route || leads_to(target, member)) || there()
    }
}

/// Whether the route with this id is there, whatever it takes.
fn has(listener: &ListenerTable, id: &str) -> bool {
    // Kind, name and host: there is no space in any of them.
    let hosts = id.split(' ').nth(2).into_iter().flat_map(|pattern| listener.shown_as(pattern));
    hosts.flat_map(|routes| &routes.targets).any(|target| &*target.id == id)
}

fn leads_to(target: &Target, member: SocketAddr) -> bool {
    let has = || target.pool.as_ref().is_some_and(|pool| pool.has(member));
    matches!(target.route.action, Action::Forward(_)) && has()
}
