use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::retire::RETIREMENT_PERIOD;
use super::*;
use crate::model::{Address, Balance, Endpoint, Weight};
use crate::pool::address_state::AddressState;
use crate::pool::lease::Lease;
use crate::pool::state_votes::{AddressSource, AddressStates};

/// One pool with these members. No server listens at their addresses.
fn specs(ports: &[u16], path: &str) -> OrdMap<PoolId, Arc<model::Pool>> {
    let endpoint = |port: &u16| Endpoint {
        address: Address::Socket(SocketAddr::from(([127, 0, 0, 1], *port))),
        state: EndpointState::Ready,
        weight: Weight::ONE,
        target: None,
    };
    let pool = model::Pool {
        endpoints: ports.iter().map(endpoint).collect(),
        transport: Transport::Http,
        probe: Some(Probe { path: path.to_owned(), ..Probe::arm_default(false) }),
        balance: Balance::LeastConnections,
        min_up: 0,
        is_component: false,
    };
    OrdMap::unit(PoolId("pool".into()), Arc::new(pool))
}

fn policy() -> AddressPolicy {
    AddressPolicy { allow_loopback: true, ..AddressPolicy::default() }
}

fn registry() -> Registry {
    Registry::new(tokio::runtime::Handle::current(), policy(), AffinityKey::random())
}

/// Makes the only pool what `specs` says.
fn apply(registry: &Registry, specs: &OrdMap<PoolId, Arc<model::Pool>>) -> Arc<Pool> {
    registry.apply(specs, &BTreeMap::new()).into_iter().next().expect("one").1
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_nothing_leads_to_lets_go_of_the_members_that_are_not_in_use() {
    let registry = registry();
    let pool = apply(&registry, &specs(&[1, 2], "/"));
    let members: Vec<_> = pool.members().iter().map(|(member, _)| Arc::downgrade(member)).collect();
    let session = Lease::new(members[0].upgrade().expect("a member")).into_session();
    registry.apply(&OrdMap::new(), &BTreeMap::new());
    tokio::time::sleep(RETIREMENT_PERIOD - Duration::from_secs(1)).await;
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
    for time in [RETIREMENT_PERIOD / 2, RETIREMENT_PERIOD * 2] {
        registry.apply(&OrdMap::new(), &BTreeMap::new());
        tokio::time::sleep(time).await;
        assert!(Arc::ptr_eq(&pool, &apply(&registry, &specs(&[1], "/"))));
        tokio::time::sleep(RETIREMENT_PERIOD).await;
        assert_eq!(pool.members().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_comes_to_be_forbidden_is_no_member_any_more() {
    let registry = registry();
    let pool = apply(&registry, &specs(&[1, 2], "/"));
    let restricted = |ports: &[u16]| {
        let own = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
        registry.restrict(AddressPolicy { own, ..policy() });
        pool.members().iter().map(|(member, _)| member.key.address.port()).collect::<Vec<_>>()
    };
    assert_eq!(restricted(&[1, 3]), [2]);
    assert!(restricted(&[1, 2]).is_empty());
    let why = pool.unavailable().expect("nobody serves");
    assert_eq!((why.forbidden, why.to_string().contains("2 at an address that no backend may have")), (2, true));
    assert_eq!(restricted(&[]), [1, 2]);
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

    let asked = || registry.probe_counters().totals().iter().map(|(_, count)| count).sum::<u64>();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = asked();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let interval = new.key.probe.as_ref().expect("a probe").interval;
    let of_one = 600.0 / interval.as_secs_f64() * 1.2;
    assert!((asked() - before) as f64 <= of_one, "one of the two is probed");

    // Back again: its probe decides for those who hold the other, too.
    let back = first(&apply(&registry, &specs(&[1], "/old")));
    assert_eq!((back.id, old.probed().id, new.probed().id), (old.id, old.id, old.id));
    drop(session);
    assert_eq!(new.load(), 0);

    // Nobody else can tell of it.
    registry.apply(&OrdMap::new(), &BTreeMap::new());
    assert_eq!(old.probed().id, old.id);
}

/// A change that a registry goes through.
#[derive(Debug, Clone)]
enum RegistryEvent {
    Apply(OrdMap<PoolId, Arc<model::Pool>>, BTreeMap<SocketAddr, EndpointState>),
    /// Addresses of a name have been found.
    Resolved(Vec<IpAddr>),
    /// Other addresses may not be backends now.
    Restrict(AddressPolicy),
    /// Something is opened at a member, and ended.
    Opened(usize),
    Ended(usize),
}

const NAME: &str = "backend.example";

fn path_of(probe: Option<&Probe>) -> String {
    probe.map(|probe| probe.path.clone()).unwrap_or_default()
}

fn state() -> impl Strategy<Value = EndpointState> {
    let grace = Duration::from_secs(30);
    prop::sample::select(vec![
        EndpointState::Ready,
        EndpointState::NotReady,
        EndpointState::Terminating { grace },
        EndpointState::Ending { grace },
    ])
}

fn socket() -> impl Strategy<Value = SocketAddr> {
    prop::sample::select(vec!["127.0.0.1:1", "127.0.0.1:2", "127.0.0.2:1", "169.254.169.254:1"])
        .prop_map(|address| address.parse().expect("an address"))
}

fn pool() -> impl Strategy<Value = Arc<model::Pool>> {
    let address = prop_oneof![
        4 => socket().prop_map(Address::Socket),
        1 => Just(Address::Name(NAME.to_owned(), 1)),
    ];
    let endpoint =
        (address, state()).prop_map(|(address, state)| Endpoint { address, state, weight: Weight::ONE, target: None });
    (prop::collection::vec(endpoint, 0..4), prop::sample::select(vec!["/", "/ready"])).prop_map(|(endpoints, path)| {
        let probe = Some(Probe { path: path.to_owned(), ..Probe::arm_default(false) });
        Arc::new(model::Pool {
            endpoints: endpoints.into(),
            transport: Transport::Http,
            probe,
            balance: Balance::RoundRobin,
            min_up: 0,
            is_component: false,
        })
    })
}

fn event() -> impl Strategy<Value = RegistryEvent> {
    let id = prop::sample::select(vec!["a", "b", "c"]).prop_map(|id| PoolId(id.into()));
    let specs = prop::collection::btree_map(id, (pool(), 0..4u8), 0..4).prop_map(with_equal_pools);
    let departing = prop::collection::btree_map(socket(), state(), 0..2);
    let ip = prop::sample::select(vec!["127.0.0.1", "127.0.0.2"]).prop_map(|ip| ip.parse().expect("an address"));
    prop_oneof![
        4 => (specs, departing).prop_map(|(specs, departing)| RegistryEvent::Apply(specs, departing)),
        1 => prop::collection::vec(ip, 0..3).prop_map(RegistryEvent::Resolved),
        1 => prop::collection::btree_set(socket(), 0..3)
            .prop_map(|own| RegistryEvent::Restrict(AddressPolicy { own, ..policy() })),
        2 => any::<usize>().prop_map(RegistryEvent::Opened),
        1 => any::<usize>().prop_map(RegistryEvent::Ended),
    ]
}

/// Makes some of the pools the pool before them, or equal to it.
fn with_equal_pools(specs: BTreeMap<PoolId, (Arc<model::Pool>, u8)>) -> OrdMap<PoolId, Arc<model::Pool>> {
    let mut last: Option<Arc<model::Pool>> = None;
    let pools = specs.into_iter().map(|(id, (pool, how))| {
        let pool = match (&last, how) {
            (Some(last), 0) => Arc::clone(last),
            (Some(last), 1) => Arc::new(model::Pool::clone(last)),
            _ => pool,
        };
        last = Some(Arc::clone(&pool));
        (id, pool)
    });
    pools.collect()
}

/// The state of all addresses, where everything is computed anew at each change.
#[derive(Default)]
struct ReferenceStates {
    states: HashMap<SocketAddr, AddressState>,
    newest: HashMap<SocketAddr, u64>,
}

impl ReferenceStates {
    /// Compares, after a change.
    fn compare(&mut self, registered: &Registered) -> Result<(), TestCaseError> {
        let (mut reported, mut named, mut refused) = (AddressStates::default(), BTreeMap::new(), BTreeMap::new());
        let answer = registered.names.get(NAME).and_then(|name| name.resolution.addresses.clone());
        for (id, spec) in &registered.specs {
            let mut expected = Vec::new();
            for Endpoint { address, state, .. } in &spec.endpoints {
                let (addresses, source) = match address {
                    Address::Socket(address) => (vec![*address], AddressSource::Address),
                    Address::Name(_, port) => (
                        answer.iter().flatten().map(|ip| SocketAddr::new(*ip, *port)).collect(),
                        AddressSource::DnsName,
                    ),
                };
                for address in addresses {
                    if registered.policy.forbids(address).is_none() {
                        reported.add(address, source, *state);
                        expected.push((
                            address,
                            source == AddressSource::DnsName,
                            path_of(spec.probe.as_ref()),
                            *state,
                        ));
                    } else {
                        refused.entry(id.clone()).or_insert_with(BTreeSet::new).insert(address);
                    }
                }
            }
            let members = registered.pools.get(id).expect("every pool is there").members();
            named.extend(members.iter().map(|(member, _)| (member.id, member.key.address)));
            let members = members.into_iter().map(|(member, state)| {
                (member.key.address, member.key.name.is_some(), path_of(member.key.probe.as_deref()), state)
            });
            prop_assert_eq!(members.collect::<Vec<_>>(), expected);
        }
        prop_assert_eq!(registered.pools.len(), registered.specs.len());
        prop_assert_eq!(&registered.refused, &refused);
        let wanted = registered.specs.values().flat_map(|spec| &spec.endpoints);
        let wanted = wanted.filter(|endpoint| matches!(endpoint.address, Address::Name(..))).count();
        prop_assert_eq!(registered.names.contains_key(NAME), wanted > 0);

        reported.add_departing(&registered.departing);
        self.newest.extend(named.iter().map(|(id, address)| (*address, *id)));
        self.states.retain(|address, _| registered.addresses.contains_key(address));
        prop_assert!(named.values().all(|address| registered.addresses.contains_key(address)));
        for (address, entry) in &registered.addresses {
            prop_assert!(entry.members().count() > 0);
            for member in entry.members() {
                prop_assert_eq!(member.is_referenced(), named.contains_key(&member.id), "{:?}", member);
                prop_assert_eq!(registered.leaving.contains_key(&member.id), !member.is_referenced());
            }
            let newest = entry.members().map(|member| member.id).find(|id| self.newest.get(address) == Some(id));
            prop_assert_eq!(entry.shared.newest().map(|member| member.id), newest);
            let expected = self.states.entry(*address).or_default();
            expected.update(reported.of(*address));
            let facts = |state: &AddressState| {
                (state.tenure_number(), state.is_reported(), state.tenure(state.tenure_number()).pod_notice())
            };
            prop_assert_eq!(facts(&entry.shared.state), facts(expected), "{}", address);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn what_is_known_after_any_changes_is_what_would_be_if_all_were_asked_anew(
        events in prop::collection::vec(event(), 1..24),
    ) {
        // Never driven: neither a probe nor a look-up is made.
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let registry = Registry::new(runtime.handle().clone(), policy(), AffinityKey::random());
        let (mut reference, mut open) = (ReferenceStates::default(), Vec::new());
        for event in events {
            match event {
                RegistryEvent::Apply(specs, departing) => drop(registry.apply(&specs, &departing)),
                RegistryEvent::Resolved(_) if !registry.lock().names.contains_key(NAME) => continue,
                RegistryEvent::Resolved(addresses) => registry.resolved(NAME, addresses),
                RegistryEvent::Restrict(policy) if registry.lock().policy == policy => continue,
                RegistryEvent::Restrict(policy) => registry.restrict(policy),
                RegistryEvent::Opened(number) => {
                    let members: Vec<_> = registry.pools().values().flat_map(|pool| pool.members()).collect();
                    open.extend(members.get(number % members.len().max(1)).map(|(member, _)| Arc::clone(member)));
                    continue;
                }
                RegistryEvent::Ended(number) => {
                    if !open.is_empty() {
                        open.swap_remove(number % open.len());
                    }
                    continue;
                }
            }
            reference.compare(&registry.lock())?;
        }
    }
}
