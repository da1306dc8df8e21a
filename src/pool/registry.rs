//! The registry of all pools and members of the process: the one place that changes them.
//!
//! A change of configuration or of a DNS name becomes a list of pools that are filled anew ([`fill`]). Then each address that such a
//! pool has, or had, is brought up to date ([`addresses`]). The cost is that of what has changed.

mod address_entry;
mod addresses;
mod fill;
mod interned;
mod names;
mod restrict;
mod retire;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Pool;
use super::affinity::AffinityKey;
use super::member::Member;
use super::pool_state::PoolState;
use super::probe::ProbeCounters;
use crate::model::{self, AddressPolicy, EndpointState, PoolId, Probe, Transport, alternating};
use address_entry::AddressEntry;
use interned::Interned;
use names::WatchedName;

/// All pools and members. Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct Registry(Arc<RegistryInner>);

/// The registry, for tasks that end when it does.
#[derive(Debug, Clone)]
struct WeakRegistry(Weak<RegistryInner>);

impl WeakRegistry {
    fn upgrade(&self) -> Option<Registry> {
        self.0.upgrade().map(Registry)
    }
}

#[derive(Debug)]
struct RegistryInner {
    /// Where members are probed and names are resolved.
    runtime: tokio::runtime::Handle,
    affinity_key: AffinityKey,
    /// Notified when members of pools or their health have changed.
    changed: Arc<Notify>,
    counters: ProbeCounters,
    departures: watch::Sender<()>,
    registered: Mutex<Registered>,
}

#[derive(Debug, Default)]
struct Registered {
    policy: AddressPolicy,
    specs: OrdMap<PoolId, Arc<model::Pool>>,
    /// Endpoints of no pool that go away.
    departing: BTreeMap<SocketAddr, EndpointState>,
    pools: OrdMap<PoolId, Arc<Pool>>,
    /// Pools that nothing leads to any more, and since when, while a request or a session holds them.
    retired: BTreeMap<PoolId, (Weak<Pool>, Instant)>,
    addresses: HashMap<SocketAddr, AddressEntry>,
    /// Members that no pool refers to any more, and their addresses, while something holds them.
    leaving: BTreeMap<u64, (SocketAddr, Weak<Member>)>,
    names: HashMap<String, WatchedName>,
    /// Addresses that may not be backends, by pool: each is logged once.
    refused: BTreeMap<PoolId, BTreeSet<SocketAddr>>,
    transports: Interned<Transport>,
    probes: Interned<Probe>,
    last_id: u64,
}

/// The pools that a change has filled anew: their members now, and their members before.
#[derive(Debug, Default)]
struct PoolChanges {
    filled: Vec<Arc<PoolState>>,
    emptied: Vec<Arc<PoolState>>,
    /// Addresses of which something else may be reported now than before.
    addresses: HashSet<SocketAddr>,
    /// The last pool that was filled, and its state. The next pool often has equal endpoints, and shares the state.
    last: Option<(Arc<model::Pool>, Arc<PoolState>)>,
}

impl Registry {
    /// An empty registry, whose probes run on `runtime`, and whose affinity cookies have tokens of this key.
    pub fn new(runtime: tokio::runtime::Handle, policy: AddressPolicy, affinity_key: AffinityKey) -> Self {
        Self(Arc::new(RegistryInner {
            runtime,
            affinity_key,
            changed: Arc::default(),
            counters: ProbeCounters::default(),
            departures: watch::Sender::new(()),
            registered: Mutex::new(Registered { policy, ..Registered::default() }),
        }))
    }

    /// Brings the pools to what `specs` has: members come and go within them. A pool that is not in `specs` any more lives on while a
    /// table, a request or a session holds it; its members do for a while, or while they are in use. Gives every pool of `specs`.
    ///
    /// `departing` are endpoints of no pool that go away: connections to them may be open from earlier.
    pub fn apply(
        &self,
        specs: &OrdMap<PoolId, Arc<model::Pool>>,
        departing: &BTreeMap<SocketAddr, EndpointState>,
    ) -> OrdMap<PoolId, Arc<Pool>> {
        let mut registered = self.lock();
        let mut changes = PoolChanges::default();
        let doubled = registered.pools.len() * 2;
        let before = std::mem::replace(&mut registered.specs, specs.clone());
        let differences = || before.diff(specs);

        // Names first: a pool is filled with the addresses of its names that are known already.
        self.watch_names(&mut registered, differences());
        let gone = differences().filter_map(|difference| match difference {
            DiffItem::Remove(id, _) => Some(id),
            DiffItem::Add(..) | DiffItem::Update { .. } => None,
        });
        self.retire(&mut registered, gone, &mut changes);
        for difference in differences() {
            if let DiffItem::Add(id, spec) | DiffItem::Update { new: (id, spec), .. } = difference {
                self.fill(&mut registered, id, spec, &mut changes);
            }
        }

        let state_of = |departing: &BTreeMap<_, _>, address: &_| departing.get(address).copied();
        let before = std::mem::replace(&mut registered.departing, departing.clone());
        let either = before.keys().chain(departing.keys()).copied();
        changes.addresses.extend(either.filter(|address| state_of(&before, address) != state_of(departing, address)));
        self.update_addresses(&mut registered, changes);

        // A map that has grown at once is copied into one without room to spare.
        if registered.pools.len() > doubled {
            registered.pools = alternating(std::mem::take(&mut registered.pools)).collect();
        }
        registered.pools.clone()
    }

    /// Every pool now.
    pub fn pools(&self) -> OrdMap<PoolId, Arc<Pool>> {
        self.lock().pools.clone()
    }

    /// Changes when members have begun to go away, or have gone.
    pub fn departures(&self) -> watch::Receiver<()> {
        self.0.departures.subscribe()
    }

    /// The counters of answered probes.
    pub fn probe_counters(&self) -> &ProbeCounters {
        &self.0.counters
    }

    fn downgrade(&self) -> WeakRegistry {
        WeakRegistry(Arc::downgrade(&self.0))
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
