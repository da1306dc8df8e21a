//! A cluster as a source: watches of an API server.
//!
//! Each kind is watched by a reflector of its own, which writes to one store; the publisher makes inputs of the store. While a
//! list is under way or fails, the objects that are known stay; the first input is sent when every kind has been listed once.
//! This module must not know the meaning of objects.

mod backoff;
mod event;
mod fetch;
mod publish;
mod reflector;
mod request;
mod resource_version;
mod shared_store;
mod store;
mod unreadable;
mod watch_state;
mod watched;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::Client;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::kind::for_each_kind;
use super::snapshot::SnapshotKind;
use super::{Inputs, Key, References, Snapshot};
use fetch::Fetcher;
use publish::Publisher;
use reflector::{ListMode, Reflector, WatchTarget};
use request::ApiServer;
use resource_version::ResourceVersion;
use shared_store::SharedStore;
use store::Stored;
use watched::{Full, MetadataOnly, Watched};

pub use watch_state::{WatchState, WatchStates, WatchTrouble};

/// The first minor version of Kubernetes 1 whose servers stream lists by default (KEP-3157).
const FIRST_MINOR_WITH_STREAMED_LISTS: u32 = 32;
/// Longest time to wait for a connection to the API server.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The part of a cluster that is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The namespaces whose objects are watched; empty: all of them. Kinds without a namespace are watched in any case.
    pub namespaces: BTreeSet<String>,
    /// One more Service, in whichever namespace: the controller's own.
    pub publish_service: Option<Key>,
    /// Whether Gateway API is served: its kinds and Namespaces are watched.
    pub gateway_api: bool,
    /// An API server that is silent for longer is taken for dead.
    pub silence: Duration,
}

/// Why a cluster can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The configuration makes no client.
    #[error("the API server can't be reached with this configuration")]
    Client(#[source] Box<kube::Error>),
    /// The thread that watches it can't be started.
    #[error("the cluster can't be watched")]
    Thread(#[from] io::Error),
}

/// A watched cluster. The watches end when this is dropped.
#[derive(Debug)]
pub struct ClusterWatch {
    inputs: Inputs,
    states: WatchStates,
    _stop: oneshot::Sender<()>,
}

impl ClusterWatch {
    /// The inputs: `None` until every kind has been listed once.
    pub fn inputs(&self) -> Inputs {
        self.inputs.clone()
    }

    /// The states of the watches.
    pub fn states(&self) -> WatchStates {
        self.states.clone()
    }
}

/// Starts to watch a cluster, on a thread of its own: a long list must not hold up anything else. `references` gives the Secrets
/// and ConfigMaps that something served refers to; no other is fetched.
///
/// # Errors
/// The configuration makes no client, or the thread can't be started.
pub fn watch(
    mut config: kube::Config,
    scope: Scope,
    references: impl FnMut(&Snapshot) -> References + Send + 'static,
) -> Result<ClusterWatch, ClusterError> {
    config.connect_timeout = Some(scope.silence.min(MAX_CONNECT_TIMEOUT));
    // Timeouts and retries are decided here. A client with retries of its own could wait for minutes after a server has come
    // back.
    config.read_timeout = None;
    config.default_retry = false;
    let (sender, inputs) = watch::channel(None);
    let (stop, stopped) = oneshot::channel();
    let states = WatchStates::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = {
        let _runtime = runtime.enter();
        Client::try_from(config).map_err(|error| ClusterError::Client(Box::new(error)))?
    };
    let observed = states.clone();
    std::thread::Builder::new().name("watches".to_owned()).spawn(move || {
        runtime.block_on(async {
            let server = ApiServer::new(client, scope.silence);
            let store = Arc::<SharedStore>::default();
            let publisher =
                Publisher::new(Arc::clone(&store), Fetcher::new(server.clone()), sender, Box::new(references));
            tokio::select! {
                // Rings when the source is dropped.
                _ = stopped => {}
                () = run(&server, &scope, &store, &observed, publisher) => {}
            }
        });
    })?;
    Ok(ClusterWatch { inputs, states, _stop: stop })
}

async fn run(server: &ApiServer, scope: &Scope, store: &Arc<SharedStore>, states: &WatchStates, publisher: Publisher) {
    let list_mode = list_mode(server).await;
    let mut reflectors = Reflectors { server, scope, store, states, list_mode, tasks: JoinSet::new() };
    reflectors.start_all();
    let is_outside = |key: &&Key| !scope.namespaces.is_empty() && !scope.namespaces.contains(key.namespace());
    if let Some(key) = scope.publish_service.as_ref().filter(is_outside) {
        let (namespace, name) = (Some(key.namespace().to_owned()), Some(key.name().to_owned()));
        reflectors.start::<Full<Service>>(WatchTarget { namespace, name });
    }
    // The reflectors end when the set is dropped.
    let _tasks = reflectors.tasks;
    publisher.run().await;
}

/// How the server gives complete lists, going by its version.
async fn list_mode(server: &ApiServer) -> ListMode {
    #[derive(serde::Deserialize)]
    struct ServerVersion {
        major: String,
        minor: String,
    }
    let Ok(request) = http::Request::get("/version").body(Vec::new()) else { return ListMode::Paged };
    let answer = server.body(request).await.ok();
    let version = answer.and_then(|body| serde_json::from_slice::<ServerVersion>(&body).ok());
    let streams = version.is_some_and(|ServerVersion { major, minor }| {
        // Some builds say "33+".
        let minor = minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>();
        major == "1" && minor.is_ok_and(|minor| minor >= FIRST_MINOR_WITH_STREAMED_LISTS)
    });
    if streams { ListMode::Streamed } else { ListMode::Paged }
}

/// Starts reflectors.
struct Reflectors<'a> {
    server: &'a ApiServer,
    scope: &'a Scope,
    store: &'a Arc<SharedStore>,
    states: &'a WatchStates,
    list_mode: ListMode,
    tasks: JoinSet<()>,
}

/// From the list of kinds: each is watched as its column says, by the method of that name.
macro_rules! define_start_all {
    ($($kind:ident $field:ident $stored:ty, $watch:ident;)*) => {
        impl Reflectors<'_> {
            /// Starts the reflectors of every kind.
            fn start_all(&mut self) {
                $(self.$watch::<$stored>();)*
            }
        }
    };
}
for_each_kind!(define_start_all);

impl Reflectors<'_> {
    /// Watches whole objects.
    fn full<K: SnapshotKind>(&mut self) {
        self.start_in_scope::<K, Full<K>>();
    }

    /// Watches versions alone.
    fn metadata_only<K: SnapshotKind>(&mut self)
    where
        ResourceVersion<K>: Stored,
    {
        self.start_in_scope::<K, MetadataOnly<K>>();
    }

    /// Watches whole objects, where Gateway API is served.
    fn gateway_api<K: SnapshotKind>(&mut self) {
        if self.scope.gateway_api {
            self.full::<K>();
        }
    }

    /// Starts a reflector for each namespace that is watched; one for a kind without namespaces, or where all are watched.
    fn start_in_scope<K: SnapshotKind, W: Watched>(&mut self) {
        let scope = self.scope;
        if scope.namespaces.is_empty() || !<K as SnapshotKind>::KIND.is_namespaced() {
            return self.start::<W>(WatchTarget::default());
        }
        for namespace in &scope.namespaces {
            self.start::<W>(WatchTarget { namespace: Some(namespace.clone()), name: None });
        }
    }

    fn start<W: Watched>(&mut self, target: WatchTarget) {
        let reflector = Reflector::<W>::new(self.server.clone(), target, self.list_mode, self.store, self.states);
        self.tasks.spawn(reflector.run());
    }
}
