//! All pools and members of the process, and the one place that changes them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use imbl::OrdMap;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::dial::Connector;
use super::member::MemberKey;
use super::presence::{Presence, Standings};
use super::{Health, Member, Pool, State, permitted, probe, resolve};
use crate::model::{self, Address, EndpointState, PoolId};

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
    pools: BTreeMap<PoolId, Arc<Pool>>,
    /// Pools that nothing leads to any more, and since when, while a request or a session holds them.
    retired: BTreeMap<PoolId, (Weak<Pool>, Instant)>,
    members: HashMap<MemberKey, Weak<Member>>,
    /// The newest member at each address, for what is known of the place.
    places: HashMap<SocketAddr, Weak<Member>>,
    /// The pods, whoever the members there are: another probe is no other pod.
    presences: HashMap<SocketAddr, Weak<Presence>>,
    names: HashMap<String, resolve::Resolving>,
    /// Addresses that may not be backends: each is told once.
    refused: HashSet<(PoolId, SocketAddr)>,
    next_id: u64,
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
    ) -> BTreeMap<PoolId, Arc<Pool>> {
        let mut registered = self.lock();
        registered.specs.clone_from(specs);
        registered.departing.clone_from(departing);
        self.watch_names(&mut registered);
        self.refresh(&mut registered);
        registered.pools.clone()
    }

    /// Every pool now.
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        self.lock().pools.values().cloned().collect()
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
        if let Some(resolving) = registered.names.get_mut(name) {
            resolving.answer = Some(addresses);
            self.refresh(&mut registered);
        }
    }

    /// Empties the pools that have been retired for long enough.
    fn empty_retired(&self) {
        for (pool, since) in self.lock().retired.values() {
            if let Some(pool) = pool.upgrade().filter(|_| since.elapsed() >= RETIREMENT) {
                pool.state.store(Arc::default());
            }
        }
    }

    /// Retires the pools that are in `specs` no more.
    fn retire(&self, registered: &mut Registered, specs: &OrdMap<PoolId, Arc<model::Pool>>) {
        let before = registered.pools.len();
        registered.retired.retain(|_, (pool, _)| pool.strong_count() > 0);
        registered.pools.retain(|id, pool| {
            let kept = specs.contains_key(id);
            if !kept {
                registered.retired.insert(id.clone(), (Arc::downgrade(pool), Instant::now()));
            }
            kept
        });
        if registered.pools.len() < before {
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

    fn watch_names(&self, registered: &mut Registered) {
        let endpoints = registered.specs.values().flat_map(|spec| &spec.endpoints);
        let wanted: BTreeSet<String> = endpoints
            .filter_map(|endpoint| match &endpoint.address {
                Address::Name(name, _) => Some(name.clone()),
                Address::Socket(_) => None,
            })
            .collect();
        registered.names.retain(|name, _| wanted.contains(name));
        for name in wanted {
            registered.names.entry(name).or_insert_with_key(|name| {
                resolve::start(&self.0.runtime, WeakRegistry(Arc::downgrade(&self.0)), name.clone())
            });
        }
    }

    /// Fills every pool with the members that its endpoints, and what their names resolve to, say.
    fn refresh(&self, registered: &mut Registered) {
        let specs = std::mem::take(&mut registered.specs);
        let mut standings = Standings::default();
        let mut refused = HashSet::new();
        let mut named = BTreeMap::new();
        self.retire(registered, &specs);
        for (id, spec) in &specs {
            let mut next = State { balance: spec.balance, ..State::default() };
            for endpoint in &spec.endpoints {
                let (addresses, name) = match &endpoint.address {
                    Address::Socket(address) => (vec![*address], None),
                    Address::Name(name, port) => {
                        let answer = registered.names.get(name).and_then(|resolving| resolving.answer.as_deref());
                        let known = answer.unwrap_or_default();
                        match answer {
                            None => next.resolving += 1,
                            Some([]) => next.unresolved += 1,
                            Some(_) => {}
                        }
                        (known.iter().map(|ip| SocketAddr::new(*ip, *port)).collect(), Some(name.clone()))
                    }
                };
                for address in addresses {
                    if !permitted(address.ip(), self.0.policy.allow_loopback) {
                        let refused_before = registered.refused.contains(&(id.clone(), address));
                        if !refused_before {
                            tracing::warn!(pool = %id, %address, "not used as a backend: a loopback, link-local, \
                                multicast or unspecified address");
                        }
                        refused.insert((id.clone(), address));
                        continue;
                    }
                    let (transport, probe) = (spec.transport.clone(), spec.probe.clone());
                    let key = MemberKey { address, name: name.clone(), transport, probe };
                    let Some(member) = self.intern(registered, key) else { continue };
                    standings.hear(address, name.is_some(), endpoint.state);
                    named.insert(member.id, Arc::clone(&member));
                    next.members.push((member, endpoint.state));
                }
            }
            let back = registered.retired.remove(id).and_then(|(pool, _)| pool.upgrade());
            let pool = registered.pools.entry(id.clone()).or_insert_with(|| {
                back.unwrap_or_else(|| Arc::new(Pool::new(id.clone(), Arc::clone(&self.0.changed))))
            });
            pool.state.store(Arc::new(next));
        }
        for member in registered.members.values().filter_map(Weak::upgrade) {
            member.set_named(named.contains_key(&member.id));
        }
        // From the oldest.
        named.into_values().for_each(|member| member.set_newest());
        registered.specs = specs;
        registered.refused = refused;
        // After the pools: whoever is chosen from now on knows that the pod is going away.
        standings.hear_departing(&registered.departing);
        let mut departed = 0;
        registered.presences.retain(|address, presence| {
            let Some(presence) = presence.upgrade() else { return false };
            departed += usize::from(presence.take(standings.of(*address)));
            true
        });
        let known = registered.members.len();
        registered.members.retain(|_, member| member.strong_count() > 0);
        departed += known - registered.members.len();
        registered.places.retain(|_, member| member.strong_count() > 0);
        self.0.changed.notify_waiters();
        if departed > 0 {
            self.0.departures.send_replace(());
        }
    }

    fn intern(&self, registered: &mut Registered, key: MemberKey) -> Option<Arc<Member>> {
        if let Some(member) = registered.members.get(&key).and_then(Weak::upgrade) {
            return Some(member);
        }
        let connector = Connector::new(key.address, key.name.as_deref(), &key.transport)
            .inspect_err(|error| tracing::warn!(address = %key.address, %error, "member can't be spoken to"))
            .ok()?;
        // Another probe for a place that is known to serve: what was learnt holds until the new probe answers.
        let neighbour = registered.places.get(&key.address).and_then(Weak::upgrade);
        let known_up =
            neighbour.is_some_and(|member| member.key.transport == key.transport && member.health() == Health::Up);
        let health = if known_up { Health::Up } else { Health::Unknown };
        let presence = registered.presences.get(&key.address).and_then(Weak::upgrade).unwrap_or_default();
        registered.presences.insert(key.address, Arc::downgrade(&presence));
        registered.next_id += 1;
        let member = Arc::new(Member::new(key.clone(), registered.next_id, connector, presence, health));
        registered.places.insert(key.address, Arc::downgrade(&member));
        registered.members.insert(key, Arc::downgrade(&member));
        let probing = probe::run(Arc::downgrade(&member), Arc::clone(&self.0.changed), self.0.counters.clone());
        self.0.runtime.spawn(probing);
        Some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Balance, Endpoint, Probe, Transport};
    use crate::pool::Lease;

    /// One pool with these members, which nobody is at.
    fn specs(ports: &[u16], path: &str) -> OrdMap<PoolId, Arc<model::Pool>> {
        let endpoint = |port: &u16| Endpoint {
            address: Address::Socket(SocketAddr::from(([127, 0, 0, 1], *port))),
            state: EndpointState::Ready,
            target: None,
        };
        let pool = model::Pool {
            endpoints: ports.iter().map(endpoint).collect(),
            transport: Transport::Http,
            probe: Probe { path: path.to_owned(), ..Probe::arm_default(false) },
            balance: Balance::LeastConnections,
        };
        OrdMap::unit(PoolId("pool".into()), Arc::new(pool))
    }

    fn registry() -> Registry {
        Registry::new(tokio::runtime::Handle::current(), Policy { allow_loopback: true })
    }

    /// Makes the only pool what `specs` says.
    fn apply(registry: &Registry, specs: &OrdMap<PoolId, Arc<model::Pool>>) -> Arc<Pool> {
        registry.apply(specs, &BTreeMap::new()).into_values().next().expect("one")
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_nothing_leads_to_lets_go_of_the_members_that_are_not_in_use() {
        let registry = registry();
        let pool = apply(&registry, &specs(&[1, 2], "/"));
        let members: Vec<_> = pool.members().iter().map(|(member, _)| Arc::downgrade(member)).collect();
        let session = Lease::new(members[0].upgrade().expect("a member")).into_session();
        registry.apply(&OrdMap::new(), &BTreeMap::new());
        tokio::time::sleep(RETIREMENT - Duration::from_secs(1)).await;
        assert_eq!(pool.members().len(), 2, "requests under way may choose");
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(pool.members().len(), 0);
        assert_eq!([0, 1].map(|n| members[n].strong_count() > 0), [true, false]);
        drop(session);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(members[0].strong_count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_comes_back_is_the_one_that_sessions_hold() {
        let registry = registry();
        let pool = apply(&registry, &specs(&[1], "/"));
        for time in [RETIREMENT / 2, RETIREMENT * 2] {
            registry.apply(&OrdMap::new(), &BTreeMap::new());
            tokio::time::sleep(time).await;
            assert!(Arc::ptr_eq(&pool, &apply(&registry, &specs(&[1], "/"))));
            tokio::time::sleep(RETIREMENT).await;
            assert_eq!(pool.members().len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_probe_makes_another_member_of_the_same_place() {
        let registry = registry();
        let first = |pool: &Pool| pool.members()[0].0.clone();
        let old = first(&apply(&registry, &specs(&[1], "/old")));
        let session = Lease::new(Arc::clone(&old)).into_session();
        let new = first(&apply(&registry, &specs(&[1], "/new")));
        assert_eq!((new.sessions(), new.load()), (1, 1), "what is open there is known");
        assert_eq!((old.probed().id, new.probed().id), (new.id, new.id));

        let asked = || registry.probe_counters().totals().0;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let before = asked();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let of_one = 600.0 / new.key.probe.interval.as_secs_f64() * 1.2;
        assert!((asked() - before) as f64 <= of_one, "one of the two is probed");

        // Back again: those who hold the other are told by this one.
        let back = first(&apply(&registry, &specs(&[1], "/old")));
        assert_eq!((back.id, old.probed().id, new.probed().id), (old.id, old.id, old.id));
        drop(session);
        assert_eq!(new.load(), 0);

        // Nobody else can tell of it.
        registry.apply(&OrdMap::new(), &BTreeMap::new());
        assert_eq!(old.probed().id, old.id);
    }
}
