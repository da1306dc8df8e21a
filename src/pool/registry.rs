//! All pools and members of the process, and the one place that changes them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::dial::Connector;
use super::interned::Interned;
use super::member::MemberKey;
use super::place::Place;
use super::{Health, Member, Pool, State, permitted, probe, resolve};
use crate::model::{self, Address, EndpointState, PoolId, Probe, Transport, alternating};

/// How long a pool that nothing leads to any more keeps its members, for requests that are under way.
const RETIREMENT: Duration = Duration::from_secs(30);

/// What may be a backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy {
    /// Whether a loopback address may be one: true where the operator's own files name it, false where
    /// tenants of a cluster write the objects.
    pub allow_loopback: bool,
}

/// Probes answered, by result.
#[derive(Debug, Clone, Default)]
pub struct ProbeCounters(Arc<[AtomicU64; 2]>);

impl ProbeCounters {
    pub(super) fn count(&self, success: bool) {
        self.0[usize::from(success)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many failed, and how many succeeded.
    pub fn totals(&self) -> (u64, u64) {
        (self.0[0].load(Ordering::Relaxed), self.0[1].load(Ordering::Relaxed))
    }
}

/// All pools and members. Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

/// The registry, for tasks that end when it does.
#[derive(Debug, Clone)]
pub(super) struct WeakRegistry(Weak<Inner>);

impl WeakRegistry {
    pub(super) fn upgrade(&self) -> Option<Registry> {
        self.0.upgrade().map(Registry)
    }
}

#[derive(Debug)]
struct Inner {
    runtime: tokio::runtime::Handle,
    policy: Policy,
    changed: Arc<Notify>,
    counters: ProbeCounters,
    departures: watch::Sender<()>,
    registered: Mutex<Registered>,
}

#[derive(Debug, Default)]
struct Registered {
    specs: OrdMap<PoolId, Arc<model::Pool>>,
    departing: BTreeMap<SocketAddr, EndpointState>,
    pools: OrdMap<PoolId, Arc<Pool>>,
    /// Pools that nothing leads to any more, and since when, while a request or a session holds them.
    retired: BTreeMap<PoolId, (Weak<Pool>, Instant)>,
    places: HashMap<SocketAddr, Place>,
    /// Members that no pool names any more, and where, while something holds them.
    leaving: BTreeMap<u64, (SocketAddr, Weak<Member>)>,
    names: HashMap<String, Name>,
    /// Addresses that may not be backends: each is told once.
    refused: BTreeMap<PoolId, BTreeSet<SocketAddr>>,
    transports: Interned<Transport>,
    probes: Interned<Probe>,
    next_id: u64,
}

/// A DNS name that is resolved, and the pools that it leads into.
#[derive(Debug)]
struct Name {
    resolving: resolve::Resolving,
    pools: BTreeSet<PoolId>,
}

/// The pools that have changed: what is in them now, and what was.
#[derive(Debug, Default)]
struct Changed {
    filled: Vec<Arc<State>>,
    emptied: Vec<Arc<State>>,
    /// Addresses of which something else may be said now than before.
    addresses: HashSet<SocketAddr>,
    /// What was filled last, and by what: the next pool is often alike.
    last: Option<(Arc<model::Pool>, Arc<State>)>,
}

impl Registry {
    /// An empty registry, whose probes run on `runtime`.
    pub fn new(runtime: tokio::runtime::Handle, policy: Policy) -> Self {
        Self(Arc::new(Inner {
            runtime,
            policy,
            changed: Arc::default(),
            counters: ProbeCounters::default(),
            departures: watch::Sender::new(()),
            registered: Mutex::default(),
        }))
    }

    /// Makes the pools what `specs` says: members come and go within them. A pool that is not in `specs` any
    /// more lives on while a table, a request or a session holds it; its members do for a while, or while they are in use.
    /// Gives every pool of `specs`.
    ///
    /// `departing` are endpoints of no pool that go away: connections to them may be open from earlier.
    pub fn apply(
        &self,
        specs: &OrdMap<PoolId, Arc<model::Pool>>,
        departing: &BTreeMap<SocketAddr, EndpointState>,
    ) -> OrdMap<PoolId, Arc<Pool>> {
        let mut registered = self.lock();
        let mut changed = Changed::default();
        let many = registered.pools.len() * 2;
        let before = std::mem::replace(&mut registered.specs, specs.clone());
        let differences = || before.diff(specs);
        self.watch_names(&mut registered, differences());
        let gone = differences().filter_map(|difference| match difference {
            DiffItem::Remove(id, _) => Some(id),
            DiffItem::Add(..) | DiffItem::Update { .. } => None,
        });
        self.retire(&mut registered, gone, &mut changed);
        for difference in differences() {
            if let DiffItem::Add(id, spec) | DiffItem::Update { new: (id, spec), .. } = difference {
                self.fill(&mut registered, id, spec, &mut changed);
            }
        }
        let said = |departing: &BTreeMap<_, _>, address: &_| departing.get(address).copied();
        let before = std::mem::replace(&mut registered.departing, departing.clone());
        let named = before.keys().chain(departing.keys()).copied();
        changed.addresses.extend(named.filter(|address| said(&before, address) != said(departing, address)));
        self.settle(&mut registered, changed);
        if registered.pools.len() > many {
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

    /// Probes answered so far.
    pub fn probe_counters(&self) -> &ProbeCounters {
        &self.0.counters
    }

    /// New addresses for a name have come.
    pub(super) fn resolved(&self, name: &str, addresses: Vec<IpAddr>) {
        let mut registered = self.lock();
        let Some(name) = registered.names.get_mut(name) else { return };
        name.resolving.answer = Some(addresses);
        let mut changed = Changed::default();
        for id in name.pools.clone() {
            if let Some(spec) = registered.specs.get(&id).cloned() {
                self.fill(&mut registered, &id, &spec, &mut changed);
            }
        }
        self.settle(&mut registered, changed);
    }

    /// Empties the pools that have been retired for long enough.
    fn empty_retired(&self) {
        self.lock().retired.retain(|_, (pool, since)| {
            let held = pool.upgrade();
            if let Some(pool) = held.as_ref().filter(|_| since.elapsed() >= RETIREMENT) {
                pool.state.store(Arc::default());
            }
            held.is_some()
        });
    }

    /// Retires the pools that nothing leads to any more.
    fn retire<'a>(&self, registered: &mut Registered, gone: impl Iterator<Item = &'a PoolId>, changed: &mut Changed) {
        let mut any = false;
        for id in gone {
            registered.refused.remove(id);
            if let Some(pool) = registered.pools.remove(id) {
                changed.emptied.push(pool.state.load_full());
                registered.retired.insert(id.clone(), (Arc::downgrade(&pool), Instant::now()));
                any = true;
            }
        }
        if any {
            let registry = WeakRegistry(Arc::downgrade(&self.0));
            self.0.runtime.spawn(async move {
                tokio::time::sleep(RETIREMENT).await;
                if let Some(registry) = registry.upgrade() {
                    registry.empty_retired();
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves the names that pools lead to, and no others.
    fn watch_names<'a>(
        &self,
        registered: &mut Registered,
        differences: impl Iterator<Item = DiffItem<'a, 'a, PoolId, Arc<model::Pool>>>,
    ) {
        let names_of = |spec: Option<&'a Arc<model::Pool>>| -> BTreeSet<&'a String> {
            let endpoints = spec.into_iter().flat_map(|spec| &spec.endpoints);
            let names = endpoints.filter_map(|endpoint| match &endpoint.address {
                Address::Name(name, _) => Some(name),
                Address::Socket(_) => None,
            });
            names.collect()
        };
        let mut left = Vec::new();
        for difference in differences {
            let (id, before, after) = match difference {
                DiffItem::Add(id, after) => (id, None, Some(after)),
                DiffItem::Update { old: (_, before), new: (id, after) } => (id, Some(before), Some(after)),
                DiffItem::Remove(id, before) => (id, Some(before), None),
            };
            let (before, after) = (names_of(before), names_of(after));
            for name in &after {
                let watched = registered.names.entry(String::clone(name)).or_insert_with_key(|name| {
                    let registry = WeakRegistry(Arc::downgrade(&self.0));
                    let resolving = resolve::start(&self.0.runtime, registry, name.clone());
                    Name { resolving, pools: BTreeSet::new() }
                });
                watched.pools.insert(id.clone());
            }
            for name in before.difference(&after) {
                if let Some(watched) = registered.names.get_mut(*name) {
                    watched.pools.remove(id);
                    left.push(*name);
                }
            }
        }
        for name in left {
            if registered.names.get(name).is_some_and(|watched| watched.pools.is_empty()) {
                registered.names.remove(name);
            }
        }
    }

    /// Fills a pool with the members that its endpoints, and what their names resolve to, say.
    fn fill(&self, registered: &mut Registered, id: &PoolId, spec: &Arc<model::Pool>, changed: &mut Changed) {
        let next = match changed.last.as_ref().filter(|(last, _)| last == spec) {
            Some((_, state)) => {
                state.members.iter().for_each(|(member, _)| member.name());
                registered.refused.remove(id);
                Arc::clone(state)
            }
            None => self.state(registered, id, spec, changed),
        };
        changed.filled.push(Arc::clone(&next));
        match registered.pools.get(id) {
            Some(pool) => changed.emptied.push(pool.state.swap(next)),
            None => {
                let back = registered.retired.remove(id).and_then(|(pool, _)| pool.upgrade());
                let pool = back.unwrap_or_else(|| Arc::new(Pool::new(id.clone(), Arc::clone(&self.0.changed))));
                pool.state.store(next);
                registered.pools.insert(id.clone(), pool);
            }
        }
    }

    /// The members of a pool, each named by one more.
    fn state(
        &self,
        registered: &mut Registered,
        id: &PoolId,
        spec: &Arc<model::Pool>,
        changed: &mut Changed,
    ) -> Arc<State> {
        let (mut members, mut resolving, mut unresolved) = (Vec::new(), 0, 0);
        let (mut refused, mut whole) = (BTreeSet::new(), true);
        for endpoint in &spec.endpoints {
            let (addresses, name) = match &endpoint.address {
                Address::Socket(address) => (vec![*address], None),
                Address::Name(name, port) => {
                    let answer = registered.names.get(name).and_then(|name| name.resolving.answer.as_deref());
                    let known = answer.unwrap_or_default();
                    match answer {
                        None => resolving += 1,
                        Some([]) => unresolved += 1,
                        Some(_) => {}
                    }
                    (known.iter().map(|ip| SocketAddr::new(*ip, *port)).collect(), Some(name))
                }
            };
            for address in addresses {
                if !permitted(address.ip(), self.0.policy.allow_loopback) {
                    let refused_before = registered.refused.get(id).is_some_and(|before| before.contains(&address));
                    if refused.insert(address) && !refused_before {
                        tracing::warn!(pool = %id, %address, "not used as a backend: a loopback, link-local, \
                            multicast or unspecified address");
                    }
                    continue;
                }
                match self.intern(registered, address, name, spec) {
                    Some(member) => members.push((member, endpoint.state)),
                    None => whole = false,
                }
            }
        }
        let state = Arc::new(State { balance: spec.balance, members: members.into(), unresolved, resolving });
        // Of an address that is no member each pool is told for itself.
        changed.last = (whole && refused.is_empty()).then(|| (Arc::clone(spec), Arc::clone(&state)));
        match refused.is_empty() {
            true => registered.refused.remove(id),
            false => registered.refused.insert(id.clone(), refused),
        };
        state
    }

    /// Takes in, for each place, what is said there now that pools have changed.
    fn settle(&self, registered: &mut Registered, changed: Changed) {
        let Registered { places, leaving, departing, .. } = registered;
        let Changed { filled, emptied, mut addresses, last } = changed;
        drop(last);
        for (member, state) in filled.iter().flat_map(|pool| &pool.members) {
            if let Some(place) = places.get_mut(&member.key.address) {
                place.said.hear(member.key.name.is_some(), *state);
            }
            addresses.insert(member.key.address);
        }
        for (member, state) in emptied.iter().flat_map(|pool| &pool.members) {
            if let Some(place) = places.get_mut(&member.key.address) {
                place.said.unhear(member.key.name.is_some(), *state);
            }
            if member.unname() {
                leaving.insert(member.id, (member.key.address, Arc::downgrade(member)));
            }
            addresses.insert(member.key.address);
        }
        // After the pools: whoever is chosen from now on knows that the pod is going away.
        let mut departed = 0;
        for address in &addresses {
            if let Some(place) = places.get(address) {
                place.find_newest();
                let said = place.said.best().or_else(|| departing.get(address).copied());
                departed += usize::from(place.presence.take(said));
            }
        }
        let any = !filled.is_empty() || !emptied.is_empty();
        drop((filled, emptied));
        leaving.retain(|_, (address, member)| {
            let held = member.strong_count() > 0;
            if !held && places.get_mut(address).is_some_and(Place::forget_gone) {
                places.remove(address);
            }
            departed += usize::from(!held);
            held
        });
        if any {
            self.0.changed.notify_waiters();
        }
        if departed > 0 {
            self.0.departures.send_replace(());
        }
    }

    /// The member of a pool at an address, which `name` led to if it came by DNS; one more pool names it.
    fn intern(
        &self,
        registered: &mut Registered,
        address: SocketAddr,
        name: Option<&String>,
        spec: &model::Pool,
    ) -> Option<Arc<Member>> {
        let (transport, probe) = (&spec.transport, &spec.probe);
        let same = |key: &MemberKey| key.name.as_ref() == name && *key.transport == *transport && *key.probe == *probe;
        let place = registered.places.get(&address);
        if let Some(member) = place.and_then(|place| place.members().find(|member| same(&member.key))) {
            member.name();
            registered.leaving.remove(&member.id);
            return Some(member);
        }
        let connector = Connector::new(address, name.map(String::as_str), transport)
            .inspect_err(|error| tracing::warn!(%address, %error, "member can't be spoken to"))
            .ok()?;
        // Another probe for a place that is known to serve: what was learnt holds until the new probe answers.
        let neighbour = place.and_then(|place| place.members().max_by_key(|member| member.id));
        let known_up =
            neighbour.is_some_and(|member| *member.key.transport == *transport && member.health() == Health::Up);
        let health = if known_up { Health::Up } else { Health::Unknown };
        registered.next_id += 1;
        let place = registered.places.entry(address).or_default();
        let (transport, probe) = (registered.transports.of(transport), registered.probes.of(probe));
        let key = MemberKey { address, name: name.cloned(), transport, probe };
        let member = Arc::new(Member::new(key, registered.next_id, connector, Arc::clone(&place.presence), health));
        place.push(&member);
        let probing = probe::run(Arc::downgrade(&member), Arc::clone(&self.0.changed), self.0.counters.clone());
        self.0.runtime.spawn(probing);
        Some(member)
    }
}

#[cfg(test)]
mod tests;
