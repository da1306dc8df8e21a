//! What status is made from: the objects, what translation made of them, and how the members are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::model::PoolId;
use crate::report::Report;
use crate::source::{Key, Snapshot};

/// The objects of our classes, and what came of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// Ingresses, each with whether it has a route.
    pub ingresses: OrdMap<Key, bool>,
    /// ApplicationGateways.
    pub gateways: OrdMap<Key, Arc<Parts>>,
}

/// What came of the elements of an ApplicationGateway, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Listeners that are served.
    pub listeners: BTreeSet<String>,
    /// Rules that a served listener obeys and that lead somewhere.
    pub rules: BTreeSet<String>,
    /// The pools that each `backendAddressPools` element became: one for each settings element it is used with.
    pub pools: BTreeMap<String, BTreeSet<PoolId>>,
}

/// One input, and what is served of it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Inputs taken in so far; 0: none.
    pub generation: u64,
    /// The objects.
    pub snapshot: Arc<Snapshot>,
    /// Those that are ours.
    pub served: Arc<Served>,
    /// Everything that users should know.
    pub reports: Arc<OrdSet<Report>>,
    /// Ports that could not be opened, and why.
    pub unopened: BTreeMap<u16, String>,
}

/// How a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// Takes requests.
    Up,
    /// Not probed yet.
    Unknown,
    /// Its endpoint is not ready.
    NotReady,
    /// Its endpoint is going away.
    Draining,
    /// Fails its probe.
    Down,
}

/// How the members of a pool are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolHealth {
    /// Each member.
    pub members: Vec<(SocketAddr, MemberState)>,
    /// DNS names that no address is known for.
    pub unresolved: usize,
}
