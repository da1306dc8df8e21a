//! The input of status: the objects, the result of their translation, and the health of members.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::model::PoolId;
use crate::report::Report;
use crate::source::{Key, Snapshot};

/// The objects of our classes, by language, and the result of their translation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// Ingresses, each with whether it has a route.
    pub ingresses: OrdMap<Key, bool>,
    /// ApplicationGateways.
    pub application_gateways: OrdMap<Key, Arc<ServedElements>>,
    /// Gateways of Gateway API, those that are not accepted included.
    pub gateways: OrdMap<Key, Arc<ServedListeners>>,
}

/// The listeners of a Gateway, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedListeners {
    /// Listeners that are served.
    pub served: BTreeSet<String>,
    /// The number of routes that are attached to each listener.
    pub attached: BTreeMap<String, usize>,
}

/// The elements of an ApplicationGateway that are served, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedElements {
    /// Listeners that are served.
    pub listeners: BTreeSet<String>,
    /// Rules that belong to a served listener and have a backend.
    pub rules: BTreeSet<String>,
    /// Listeners of streams that are served.
    pub stream_listeners: BTreeSet<String>,
    /// Rules that belong to a served listener of streams and have a backend.
    pub stream_rules: BTreeSet<String>,
    /// The pools of each `backendAddressPools` element: one for each settings element with which it is used.
    pub pools: BTreeMap<String, BTreeSet<PoolId>>,
}

/// One snapshot and the result of its translation.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The number of inputs so far; 0: none.
    pub generation: u64,
    /// The objects.
    pub snapshot: Arc<Snapshot>,
    /// The objects that are ours.
    pub served: Arc<Served>,
    /// Every report.
    pub reports: Arc<OrdSet<Report>>,
    /// Ports that could not be opened, each with its error.
    pub unopened: BTreeMap<u16, String>,
}

/// The state of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// It takes requests.
    Up,
    /// It has not been probed yet.
    Unknown,
    /// Its endpoint is not ready.
    NotReady,
    /// Its endpoint is terminating.
    Draining,
    /// It fails its probe.
    Down,
}

/// The health of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolHealth {
    /// Its members.
    pub members: Vec<(SocketAddr, MemberState)>,
    /// The number of DNS names without a known address.
    pub unresolved: usize,
}
