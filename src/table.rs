//! The routing table: the model compiled for look-up, and the handle by which it is swapped.
//!
//! A table is immutable. A request reads the newest one once and takes its route out of it. Nothing holds a table for longer than
//! a look-up, so that a superseded table is freed while the sessions that were opened with it live on.

mod by_name;
mod certificate;
mod compile;
mod look_up;
mod session_routes;
mod target;
mod tls;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::OrdMap;

use crate::model::{CertificateId, Host, HostPattern, PoolId, Protocol};
use crate::pool::Pool;

use by_name::ByName;
use certificate::Certificates;
use tls::TlsPolicies;

pub use certificate::ServedCertificate;
pub use compile::compile;
pub use look_up::{Considered, Explanation, Miss};
pub use session_routes::{SessionOrigin, SessionRoutes};
pub use target::{NoPool, PoolIndex, Target};
pub use tls::{ServedTls, TlsConfig};

/// Everything that the proxy looks up, compiled from one model.
#[derive(Debug, Default)]
pub struct RoutingTable {
    /// The generation of the input that the table was made from, from 1. 0 is the empty table before the first.
    pub generation: u64,
    listeners: BTreeMap<u16, ListenerTable>,
    certificates: Certificates,
    /// The pools that the table was made with.
    pools: OrdMap<PoolId, Arc<Pool>>,
}

/// The routes and certificates of one frontend port. Cheap to clone: the next table shares what has not changed.
#[derive(Debug, Clone)]
pub struct ListenerTable {
    /// The protocol that clients speak.
    pub protocol: Protocol,
    /// The hosts of the model that the table was compiled from.
    hosts: OrdMap<HostPattern, Arc<Host>>,
    exact: ByName,
    single_label: ByName,
    /// In the order of their precedence, each pattern once.
    globs: Arc<Vec<Arc<HostTable>>>,
    any: Option<Arc<HostTable>>,
    certificates: OrdMap<CertificateId, Arc<ServedCertificate>>,
    default_certificate: Option<CertificateId>,
    /// The certificate of the model for hosts that have none.
    fallback_certificate: Option<CertificateId>,
    tls_policies: TlsPolicies,
}

/// The routes of one host.
#[derive(Debug)]
pub struct HostTable {
    pattern: HostPattern,
    host: Arc<Host>,
    /// A target for each route of the host, in the order of the routes.
    targets: Box<[Arc<Target>]>,
    /// What connections must be like.
    tls: Option<Arc<ServedTls>>,
    /// Whether the first route accepts every path and has no other condition ([`crate::model::RouteMatch::is_unconditional`]). No
    /// other is looked at then: since routes are in the order of their precedence, none goes before it.
    takes_all: bool,
    /// An index by path, where there are too many routes to scan.
    paths: Option<Box<Paths>>,
}

/// The routes of a host by their paths.
///
/// Invariant: exact paths go before prefixes, the longest prefix before shorter ones, and both before all others. Routes of one
/// path are adjacent ([`crate::model::MatchPrecedence`]). So a look-up goes from one path that matches to the next in that order. It
/// takes the first route of a path that accepts the request:
///
/// ```text
/// index  route                GET /a/b
/// 0      /a/b, if it is POST  prefix["/a/b"] = 0: not accepted, and the path of 1 is another
/// 1      /a, if it is POST    prefix["/a"] = 1: not accepted
/// 2      /a                   the path of 1: accepted
/// ```
#[derive(Debug, Default)]
struct Paths {
    /// Index of the first route with each exact path.
    exact: HashMap<Box<str>, usize>,
    /// Index of the first route with each prefix.
    prefix: HashMap<Box<str>, usize>,
    /// Length of the longest prefix, so that a long path is looked up by no more than that.
    longest_prefix: usize,
    /// The routes with a regular expression, in their order.
    regexes: Vec<usize>,
    /// The other routes in their order: patterns, then the route for every path.
    others: Vec<usize>,
}

/// The handle by which the table is read and swapped. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Handle(Arc<ArcSwap<RoutingTable>>);

impl Handle {
    /// The newest table. It must be dropped at once, and never be held over an await.
    pub fn load(&self) -> arc_swap::Guard<Arc<RoutingTable>> {
        self.0.load()
    }

    /// Makes `table` the newest table: every later look-up reads it.
    pub fn publish(&self, table: RoutingTable) {
        self.0.store(Arc::new(table));
    }
}

impl RoutingTable {
    /// The listener at a frontend port.
    pub fn listener(&self, port: u16) -> Option<&ListenerTable> {
        self.listeners.get(&port)
    }

    /// Whether the table was made with these pools: whether they are the same map, not only an equal one.
    pub fn has_pools(&self, pools: &OrdMap<PoolId, Arc<Pool>>) -> bool {
        self.pools.ptr_eq(pools)
    }

    /// Frontend ports that have a listener.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.listeners.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MatchInput;

    #[test]
    fn a_superseded_table_is_freed_while_a_route_of_it_lives_on() {
        let handle = Handle::default();
        let model = look_up::tests::model(&[("a.example", "/")]);
        handle.publish(compile(&model, 1, &OrdMap::new()));
        let old = Arc::downgrade(&handle.load());
        let input = MatchInput::from_path("/x");
        let target =
            handle.load().listener(80).and_then(|listener| listener.find("a.example", input).cloned()).expect("found");
        handle.publish(RoutingTable::default());
        assert!(old.upgrade().is_none());
        assert_eq!(target.route.owner.name(), "site");
    }
}
