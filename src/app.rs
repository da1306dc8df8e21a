//! Wiring and supervision: build, run, drain. Knows everyone; known by no one but the commands.

mod surroundings;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::admin::{self, Admin};
pub use crate::controller::Published;
use crate::controller::{Controller, Restrictions, RouteCounts};
use crate::jwks::{FetchTimes, KeySets};
use crate::model::AddressPolicy;
use crate::pool::{AffinityKey, Registry, Standing};
use crate::proxy::{Bindings, Clients, Listeners, Metrics, ProxySettings, WorkerState};
use crate::source::cluster::{self, WatchStates};
use crate::source::{Inputs, Key, Snapshot, directory};
use crate::status::{self, Facts, MemberState, PoolHealth};
use crate::table::Handle;
use crate::translate::{LastGood, Options, RefTracker, Tenancy, Translator};
use crate::websocket::{self, Sessions};

/// Time for the lease to be given back at the end.
const LEASE_RELEASED: Duration = Duration::from_secs(3);

/// Where the objects come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A directory of manifests, which are all ours.
    Directory(PathBuf),
    /// The cluster that the environment names: the one the process runs in, or KUBECONFIG's.
    Cluster(cluster::Scope),
}

/// Everything that an operator can set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the objects come from.
    pub source: Source,
    /// Our name in an IngressClass, and as the one who writes status.
    pub controller_name: String,
    /// What is written into the status of a cluster's objects. `None`: nothing, nor is there a lease.
    pub status: Option<status::StatusOptions>,
    /// Controllers of IngressClasses that are served besides our own.
    pub serve_controllers: Vec<String>,
    /// Whether namespaces share hosts.
    pub tenancy: Tenancy,
    /// The Secret with the certificate for TLS clients whose host has none.
    pub default_certificate: Option<Key>,
    /// Whether Services of type ExternalName may be backends.
    pub external_names: bool,
    /// The addresses of this pod, if it is one: they are no backends.
    pub pod_ips: Vec<IpAddr>,
    /// Where listeners are bound.
    pub bindings: Bindings,
    /// For all listeners.
    pub settings: ProxySettings,
    /// The key of affinity cookies, which replicas share. `None`: one of this process alone.
    pub affinity_key: Option<AffinityKey>,
    /// For all sessions.
    pub session_limits: websocket::Limits,
    /// Worker threads.
    pub workers: usize,
    /// Where the admin port is; port 0 for any.
    pub admin: SocketAddr,
}

/// A running gateway.
pub struct App {
    /// What is being served; changes with every input taken in.
    pub published: watch::Receiver<Published>,
    /// Where each frontend port is really bound.
    pub addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
    /// Where the admin port is really bound.
    pub admin: SocketAddr,
    /// Live sessions.
    pub sessions: Sessions,
    /// The routing table.
    pub table: Handle,
    ready: watch::Sender<bool>,
    draining: watch::Sender<bool>,
    stop: oneshot::Sender<()>,
    controller: JoinHandle<Listeners>,
    /// Status being written; none for a directory.
    status: Option<status::StatusThread>,
    _watch: Watch,
}

/// The source that runs, until this is dropped.
enum Watch {
    Directory(directory::DirectoryWatch),
    Cluster(cluster::ClusterWatch, Box<kube::Config>),
}

impl Watch {
    async fn start(source: &Source, options: &Options) -> anyhow::Result<Self> {
        Ok(match source {
            Source::Directory(dir) => Self::Directory(directory::watch(dir)?),
            Source::Cluster(scope) => {
                let config = kube::Config::infer().await.context(
                    "no cluster to watch: this is no pod, and neither KUBECONFIG nor ~/.kube/config leads to one \
                     (to serve a directory, give --manifests DIR)",
                )?;
                tracing::info!(server = %config.cluster_url, namespaces = ?scope.namespaces, "watching the cluster");
                let mut tracker = RefTracker::new(options.clone());
                let referred = move |snapshot: &Snapshot| tracker.update(snapshot);
                Self::Cluster(cluster::watch(config.clone(), scope.clone(), referred)?, Box::new(config))
            }
        })
    }

    fn inputs(&self) -> Inputs {
        match self {
            Self::Directory(watch) => watch.inputs(),
            Self::Cluster(watch, _) => watch.inputs(),
        }
    }

    fn watch_states(&self) -> WatchStates {
        match self {
            Self::Directory(_) => WatchStates::default(),
            Self::Cluster(watch, _) => watch.states(),
        }
    }
}

/// Starts a gateway on the current runtime, and its workers on threads of their own.
///
/// # Errors
/// The source can't be watched, the admin port can't be bound, or a thread can't be started.
pub async fn start(config: Config) -> anyhow::Result<App> {
    // In a directory, whoever writes it owns the machine; in a cluster anybody may write objects.
    let ours = matches!(config.source, Source::Directory(_));
    let policy = AddressPolicy { allow_loopback: ours, api_server: surroundings::api_server(), own: BTreeSet::new() };
    let options = Options {
        controller: config.controller_name.clone(),
        serve_controllers: config.serve_controllers,
        everything_without_class: ours,
        tenancy: config.tenancy,
        default_certificate: config.default_certificate,
        external_names: config.external_names,
        cluster_domain: surroundings::cluster_domain().unwrap_or(Options::default().cluster_domain),
        addresses: policy.clone(),
    };
    let watch = Watch::start(&config.source, &options).await?;
    let listener =
        admin::bind(config.admin).await.with_context(|| format!("can't listen at {} (--admin)", config.admin))?;
    let admin_address = listener.local_addr()?;

    let table = Handle::default();
    let sessions = Sessions::new(config.session_limits);
    let metrics = Metrics::default();
    let affinity_key = config.affinity_key.unwrap_or_else(AffinityKey::random);
    let probing = probing_runtime()?;
    let key_sets = KeySets::new(probing.clone(), policy.clone(), FetchTimes::default());
    let registry = Registry::new(probing, policy.clone(), affinity_key);
    let service = match config.status.as_ref().map(|status| &status.publish) {
        Some(status::PublishedAddresses::Service(service)) => Some(service.clone()),
        Some(status::PublishedAddresses::Addresses(_) | status::PublishedAddresses::Nothing) | None => None,
    };
    let restrictions = Restrictions { policy, pod_ips: config.pod_ips, admin_port: admin_address.port(), service };
    tokio::spawn(websocket::tend(sessions.clone(), registry.clone()));
    let (addresses_sender, addresses) = watch::channel(BTreeMap::new());
    let (draining, draining_receiver) = watch::channel(false);
    let shared = Arc::new(WorkerState {
        table: table.clone(),
        sessions: sessions.clone(),
        key_sets: key_sets.clone(),
        metrics: metrics.clone(),
        clients: Clients::new(&config.settings, &metrics),
        settings: config.settings,
        addresses: addresses.clone(),
        draining: draining_receiver,
        departures: registry.departures(),
    });
    let listeners = Listeners::start(shared, config.bindings, config.workers, addresses_sender)?;

    let (published_sender, published) =
        watch::channel(Published { options: Arc::new(options.clone()), ..Published::default() });
    let (facts_sender, facts) = watch::channel(Facts::default());
    let status_metrics = status::StatusMetrics::default();
    let status = match (&watch, config.status) {
        (Watch::Directory(_), _) | (_, None) => None,
        (Watch::Cluster(_, cluster), Some(options)) => Some(status::start(
            kube::Config::clone(cluster),
            &config.controller_name,
            options,
            facts,
            health(&registry),
            status_metrics.clone(),
        )?),
    };
    let (ready, ready_receiver) = watch::channel(true);
    let admin = Admin::new(
        admin::AdminState {
            published: published.clone(),
            pools: registry.clone(),
            sessions: sessions.clone(),
            key_sets: key_sets.clone(),
            watches: watch.watch_states(),
        },
        addresses.clone(),
        ready_receiver,
        &metrics,
        &status_metrics,
    );
    tokio::spawn(admin::serve(listener, Arc::new(admin)));

    let controller = Controller {
        inputs: watch.inputs(),
        translator: Translator::new(options),
        registry,
        restrictions,
        addresses: addresses.clone(),
        owners: RouteCounts::of_owners(),
        key_urls: RouteCounts::of_key_urls(),
        key_sets,
        table: table.clone(),
        metrics,
        sessions: sessions.clone(),
        listeners,
        published: published_sender,
        last_good: LastGood::default(),
        facts: facts_sender,
        last: None,
    };
    let (stop, stopped) = oneshot::channel();
    let controller = tokio::spawn(controller.run(stopped));
    Ok(App {
        published,
        addresses,
        admin: admin_address,
        sessions,
        table,
        ready,
        draining,
        stop,
        controller,
        status,
        _watch: watch,
    })
}

/// How the members of pools are, as status tells it.
fn health(registry: &Registry) -> status::PoolHealthReader {
    let registry = registry.clone();
    Arc::new(move |wanted| {
        let pools = registry.pools();
        let health = wanted.iter().filter_map(|id| pools.get(id)).map(|pool| {
            let members = pool.standings().into_iter().map(|(member, _, standing)| {
                let state = match standing {
                    Standing::Up | Standing::Ready => MemberState::Up,
                    Standing::Down => MemberState::Down,
                    Standing::Unknown => MemberState::Unknown,
                    Standing::Terminating => MemberState::Draining,
                    Standing::NotReady => MemberState::NotReady,
                };
                (member.key.address, state)
            });
            (pool.id.clone(), PoolHealth { members: members.collect(), unresolved: pool.unresolved() })
        });
        health.collect()
    })
}

/// A thread for probes, DNS and key sets alone: a long translation is not to make probes late.
fn probing_runtime() -> anyhow::Result<tokio::runtime::Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("probes".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .context("can't start the thread for probes")?;
    Ok(handle)
}

impl App {
    /// Ends only if the part that takes in the configuration breaks down. Nothing new would be served from then on.
    pub async fn broken(&mut self) {
        while !self.controller.is_finished() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.ready.send_replace(false);
    }

    /// Ends in good order: not ready any more, no new connections, requests finished, sessions closed (1001), all
    /// within `limit`. Gives how many sessions were still open then.
    pub async fn drain(self, limit: Duration) -> usize {
        // Before anybody can see that the gateway is not ready any more: whoever is answered from then on is told to close.
        self.draining.send_replace(true);
        self.ready.send_replace(false);
        // First of all, so that another replica writes status while this one drains.
        let told = self.status.map(status::StatusThread::stop);
        // The controller may have ended with its source; its listeners come back either way.
        let _ = self.stop.send(());
        let closing = self.controller.await.map(Listeners::close);
        self.sessions.drain(limit / 2);
        let ended = async {
            match closing {
                Ok(mut closing) => closing.ended().await,
                // The controller broke down, and the listeners with it; the sessions are told all the same.
                Err(_) => std::future::pending().await,
            }
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::warn!(sessions = self.sessions.count(), ?limit, "not everything ended in time");
        }
        if let Some(told) = told
            && tokio::time::timeout(LEASE_RELEASED, told).await.is_err()
        {
            tracing::warn!("the lease was not released in time; it runs out");
        }
        self.sessions.count()
    }
}
