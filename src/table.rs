//! The routing table: the model compiled for look-up, and the handle by which it is swapped.
//!
//! A table is immutable. A request reads the newest one once and takes its route out of it; nothing that
//! lives longer than the look-up holds the table, so a superseded one is freed though sessions opened
//! under it live on.

mod by_name;
mod certificate;
mod compile;
mod look_up;
mod session_routes;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::OrdMap;

use crate::model::{Action, CertificateId, Host, HostPattern, ObjectRef, Protocol, Route, RouteId, SessionLimits};
use crate::pool::Pool;

use by_name::ByName;
use certificate::Certificates;

pub use certificate::ServedCertificate;
pub use compile::compile;
pub use look_up::{Considered, Explanation, Miss};
pub use session_routes::{SessionOrigin, SessionRoutes};

/// Everything the proxy asks, compiled from one model.
#[derive(Debug, Default)]
pub struct RoutingTable {
    /// Which publication this is, from 1; 0 is the empty table before the first.
    pub generation: u64,
    listeners: BTreeMap<u16, ListenerTable>,
    certificates: Certificates,
}

/// One frontend port. Cheap to clone: what the next table leaves as it was is shared.
#[derive(Debug, Clone)]
pub struct ListenerTable {
    /// What is spoken there.
    pub protocol: Protocol,
    /// What this was compiled from.
    hosts: OrdMap<HostPattern, Arc<Host>>,
    exact: ByName,
    single_label: ByName,
    /// In the order of their precedence, each pattern once.
    globs: Arc<Vec<Arc<HostTable>>>,
    any: Option<Arc<HostTable>>,
    certificates: OrdMap<CertificateId, Arc<ServedCertificate>>,
    default_certificate: Option<CertificateId>,
}

/// The routes of one host.
#[derive(Debug)]
pub struct HostTable {
    pattern: HostPattern,
    host: Arc<Host>,
    /// Of each route of the host, in the same order.
    targets: Box<[Arc<Target>]>,
    /// Whether the first route takes every path. No other is asked then: since routes are in the order of their precedence, none
    /// goes before it.
    takes_all: bool,
    /// Where there are too many routes to look at one by one.
    paths: Option<Box<Paths>>,
}

/// The routes of a host by their paths.
///
/// Invariant: exact paths go before prefixes, the longest prefix before shorter ones, and both before all others
/// ([`crate::model::MatchPrecedence`]). So a look-up asks the maps in that order and takes the first route that it finds.
#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<Box<str>, usize>,
    prefix: HashMap<Box<str>, usize>,
    /// Length of the longest prefix, so that long paths cost no more than that.
    longest_prefix: usize,
    /// The others: patterns, then the default.
    others: Vec<usize>,
}

/// A route, with the pool it leads to.
#[derive(Debug)]
pub struct Target {
    /// The route as the model has it.
    pub route: Arc<Route>,
    /// The pool of a route that forwards.
    pub pool: Option<Arc<Pool>>,
    /// The host that the route belongs to.
    host: HostPattern,
}

impl Target {
    /// A route of `host`.
    pub(crate) fn new(host: &HostPattern, route: Arc<Route>, pool: Option<Arc<Pool>>) -> Self {
        Self { route, pool, host: host.clone() }
    }

    /// The object that the route was made from. Logs and metrics name it.
    pub fn owner(&self) -> &Arc<ObjectRef> {
        &self.route.owner
    }

    /// The identity of the route.
    pub fn id(&self) -> RouteId {
        let Route { owner, matches, .. } = &*self.route;
        RouteId { owner: Arc::clone(owner), host: self.host.clone(), matches: matches.clone() }
    }

    /// Whether [`Self::id`] would give `id`.
    pub fn has_id(&self, id: &RouteId) -> bool {
        let RouteId { owner, host, matches } = id;
        self.route.matches == *matches && self.host == *host && self.route.owner == *owner
    }

    /// Whether one of its pools has a member at this address.
    pub fn leads_to(&self, member: SocketAddr) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.has(member))
    }

    /// The limits of its sessions.
    pub fn limits(&self) -> SessionLimits {
        match &self.route.action {
            Action::Forward(backend) => backend.websocket.limits,
            Action::Redirect(_) | Action::Unavailable(_) | Action::NotFound => SessionLimits::default(),
        }
    }
}

/// The handle by which the table is read and swapped. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Handle(Arc<ArcSwap<RoutingTable>>);

impl Handle {
    /// The newest table. To be let go of at once: never held over an await.
    pub fn load(&self) -> arc_swap::Guard<Arc<RoutingTable>> {
        self.0.load()
    }

    /// Makes `table` the one that every later look-up reads.
    pub fn publish(&self, table: RoutingTable) {
        self.0.store(Arc::new(table));
    }
}

impl RoutingTable {
    /// The listener at a frontend port.
    pub fn listener(&self, port: u16) -> Option<&ListenerTable> {
        self.listeners.get(&port)
    }

    /// Frontend ports that have a listener.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.listeners.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_superseded_table_is_freed_while_a_route_of_it_lives_on() {
        let handle = Handle::default();
        let model = look_up::tests::model(&[("a.example", "/")]);
        handle.publish(compile(&model, 1, &OrdMap::new()));
        let old = Arc::downgrade(&handle.load());
        let target =
            handle.load().listener(80).and_then(|listener| listener.find("a.example", "/x").cloned()).expect("found");
        handle.publish(RoutingTable::default());
        assert!(old.upgrade().is_none());
        assert_eq!(target.route.owner.name(), "site");
    }
}
