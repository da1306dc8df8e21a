//! What one change costs after its translation, among many hosts: `cargo bench --bench publication`.
//!
//! Of pools and table each step by itself, for one changed host, pool and certificate; the look-up of random hosts; and
//! memory, which is right for one size alone: `cargo bench --bench publication -- 100000 10` (hosts, hosts a pool).

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::OrdMap;
use steadygate::model::{
    Action, Address, AddressPolicy, Balance, Certificate, CertificateId, EncodedSlashes, Endpoint, EndpointState,
    Forward, ForwardOptions, Host, HostHeader, HostPattern, Kind, Listener, MatchInput, Model, ObjectRef, PathMatch,
    Pool, PoolId, Probe, Protocol, Route, SecretBytes, Transport, Weight,
};
use steadygate::pool::{AffinityKey, Registry};
use steadygate::table::{Handle, compile};

const LOOK_UPS: usize = 200_000;
const CHANGES: usize = 100;

fn name(number: usize) -> String {
    format!("host-{number}.tenant-{}.apps.example.com", number % 977)
}

fn host(number: usize, pool: &str, version: usize) -> Arc<Host> {
    let options = ForwardOptions {
        host: HostHeader::Preserve,
        rewrite: None,
        encoded_slashes: EncodedSlashes::Keep,
        request_timeout: Duration::from_secs(30 + version as u64),
        websocket: Arc::default(),
        upgrade_protocols: None,
        affinity: None,
    };
    let route = Route {
        field: "spec.rules[0].http.paths[0]".into(),
        owner: Arc::new(ObjectRef::new(Kind::Ingress, format!("tenant-{}", number % 977), format!("site-{number}"))),
        matches: PathMatch::prefix("/").expect("a path").into(),
        action: Action::Forward(Forward::to(PoolId(pool.into()), Arc::new(options))),
        policies: None,
    };
    Arc::new(Host {
        certificate: Some(CertificateId("default/wildcard".to_owned())),
        tls: None,
        routes: vec![route.into()],
    })
}

fn pool(number: usize, members: usize, version: usize) -> Arc<Pool> {
    let endpoint = |member: usize| {
        let address = IpAddr::from([10, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
        let target = Some(format!("Pod tenant-{}/chat-{number}-{member}", number % 977));
        let port = 8000 + (member + version) as u16;
        Endpoint {
            address: Address::Socket(SocketAddr::new(address, port)),
            state: EndpointState::Ready,
            weight: Weight::ONE,
            target,
        }
    };
    Arc::new(Pool {
        endpoints: (0..members).map(endpoint).collect(),
        transport: Transport::Http,
        probe: Some(Probe { interval: Duration::from_secs(3600), ..Probe::arm_default(false) }),
        balance: Balance::RoundRobin,
        min_up: 0,
        is_component: false,
    })
}

fn certificate() -> Arc<Certificate> {
    let pair = rcgen::generate_simple_self_signed(["apps.example.com".to_owned()]).expect("generated");
    Arc::new(Certificate {
        chain: vec![SecretBytes::new(pair.cert.der())],
        key: SecretBytes::new(&pair.signing_key.serialize_der()),
    })
}

fn pool_name(number: usize, each: usize) -> String {
    format!("tenant-{}/chat-{}:http (Ingress tenant-{}/site-{number})", number % 977, number / each, number % 977)
}

fn model(hosts: usize, each: usize) -> Model {
    let of = |number: usize| pool_name(number / each * each, each);
    let pattern = |number: usize| HostPattern::ingress(&name(number)).expect("a host");
    let hosts_of = (0..hosts).map(|number| (pattern(number), host(number, &of(number), 0))).collect();
    let listener = Listener { protocol: Protocol::Https, hosts: hosts_of, default_certificate: None };
    Model {
        listeners: BTreeMap::from([(443, listener)]),
        pools: (0..hosts).step_by(each).map(|number| (PoolId(of(number).into()), pool(number, 1, 0))).collect(),
        certificates: OrdMap::unit(CertificateId("default/wildcard".to_owned()), certificate()),
        default_certificate: None,
        departing: BTreeMap::new(),
    }
}

/// What the process takes (PSS), in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/smaps_rollup").expect("of Linux");
    let pss = status.lines().find_map(|line| line.strip_prefix("Pss:")).expect("its size");
    pss.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("  {what:<28} p50 {:>10.1?}  p99 {:>10.1?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}

/// Takes changes in, each step by itself.
fn change(what: &str, registry: &Registry, table: &Handle, model: &mut Model, alter: impl Fn(&mut Model, usize)) {
    let (mut applied, mut compiled, mut freed) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..CHANGES {
        alter(model, number);
        let began = Instant::now();
        let pools = registry.apply(&model.pools, &model.departing);
        applied.push(began.elapsed());
        let began = Instant::now();
        let next = table.load().update(model, number as u64 + 2, &pools);
        compiled.push(began.elapsed());
        let began = Instant::now();
        table.publish(next);
        freed.push(began.elapsed());
    }
    println!("  {what}");
    told("  pools", applied);
    told("  table", compiled);
    told("  swap and free", freed);
}

fn main() {
    let wanted: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let all = [(100, 1), (3_000, 1), (10_000, 1), (10_000, 10), (100_000, 10), (100_000, 1)];
    let sizes = if let [hosts, each] = *wanted { vec![(hosts, each)] } else { all.to_vec() };
    for (hosts, each) in sizes {
        println!("{hosts} hosts, {} pools", hosts / each);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let registry = Registry::new(runtime.handle().clone(), AddressPolicy::default(), AffinityKey::random());
        let mut model = model(hosts, each);
        let before = memory();
        let began = Instant::now();
        let pools = registry.apply(&model.pools, &model.departing);
        let applied = (began.elapsed(), memory());
        let began = Instant::now();
        let compiled = compile(&model, 1, &pools);
        println!(
            "  pools {:.1?}, {} B a host; table {:.1?}, {} B a host",
            applied.0,
            applied.1.saturating_sub(before) / hosts,
            began.elapsed(),
            memory().saturating_sub(applied.1) / hosts,
        );
        drop(pools);
        let table = Handle::default();
        table.publish(compiled);

        let asked: Vec<String> = (0..LOOK_UPS).map(|_| name(fastrand::usize(..hosts))).collect();
        let times = (0..5).map(|_| {
            let began = Instant::now();
            for host in &asked {
                let table = table.load();
                black_box(
                    table
                        .listener(443)
                        .and_then(|listener| listener.find(host, MatchInput::from_path("/chat/room")))
                        .is_some(),
                );
            }
            began.elapsed() / LOOK_UPS as u32
        });
        println!("  look-up {:?}", times.min().unwrap_or_default());

        let pattern = |number: usize| HostPattern::ingress(&name(number)).expect("a host");
        change("one host", &registry, &table, &mut model, |model, number| {
            let at = number * 7919 % hosts;
            let listener = model.listeners.get_mut(&443).expect("there");
            listener.hosts.insert(pattern(at), host(at, &pool_name(at / each * each, each), number + 1));
        });
        change("one pool", &registry, &table, &mut model, |model, number| {
            let at = number * 7919 % hosts / each * each;
            model.pools.insert(PoolId(pool_name(at, each).into()), pool(at, 1, number + 1));
        });
        change("one host and pool come", &registry, &table, &mut model, |model, number| {
            let pool_id = pool_name(1_000_000 + number, 1);
            let listener = model.listeners.get_mut(&443).expect("there");
            listener.hosts.insert(pattern(1_000_000 + number), host(number, &pool_id, 0));
            model.pools.insert(PoolId(pool_id.into()), pool(1_000_000 + number, 1, 0));
        });
        let certificates: Vec<_> = (0..4).map(|_| certificate()).collect();
        change("one certificate", &registry, &table, &mut model, |model, number| {
            let id = CertificateId("default/wildcard".to_owned());
            model.certificates.insert(id, Arc::clone(&certificates[number % certificates.len()]));
        });
    }
}
