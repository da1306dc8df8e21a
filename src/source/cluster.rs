//! A cluster as a source: watches of an API server.
//!
//! Each kind is watched for itself. While a list is under way or fails, what was known stays; the first input is sent
//! when every kind has been listed once. Nothing here knows what objects mean.

mod event;
mod fetch;
mod kept;
mod pace;
mod publish;
mod request;
mod store;
mod trouble;
mod watching;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::IngressClass;
use kube::Client;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::{Inputs, Key, References, Snapshot};
use crate::api::ApplicationGateway;
use fetch::Fetcher;
use kept::{Ingresses, Received, Versions, Whole};
use publish::Publisher;
use request::Server;
use store::Shared;
use watching::{Lists, Watching};

pub use trouble::{State, Trouble, Troubles};

/// The first minor version of Kubernetes whose servers stream lists unless told not to (KEP-3157).
const STREAMING_LISTS: u32 = 32;
/// What of a cluster is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Namespaces of the objects; none: all of them. IngressClasses have no namespace.
    pub namespaces: BTreeSet<String>,
    /// A Service besides, wherever it is: the controller's own.
    pub publish_service: Option<Key>,
    /// Longest silence of an API server that is believed to be alive.
    pub silence: Duration,
}

/// Why a cluster can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is known of the API server does not do to reach it.
    #[error("the API server can't be reached with this configuration")]
    Client(#[source] Box<kube::Error>),
    /// The thread that watches it can't be started.
    #[error("the cluster can't be watched")]
    Thread(#[from] io::Error),
}

/// A cluster that is watched, until this is dropped.
#[derive(Debug)]
pub struct Watch {
    inputs: Inputs,
    troubles: Troubles,
    _stop: oneshot::Sender<()>,
}

impl Watch {
    /// The inputs: `None` until every kind has been listed once.
    pub fn inputs(&self) -> Inputs {
        self.inputs.clone()
    }

    /// What is not right with the watches.
    pub fn troubles(&self) -> Troubles {
        self.troubles.clone()
    }
}

/// Starts to watch, on a thread of its own: a long list is not to hold up anything else. `references` says which Secrets and
/// ConfigMaps something served refers to; no other is fetched.
///
/// # Errors
/// The configuration makes no client, or the thread can't be started.
pub fn watch(
    mut config: kube::Config,
    scope: Scope,
    references: impl FnMut(&Snapshot) -> References + Send + 'static,
) -> Result<Watch, Error> {
    config.connect_timeout = Some(scope.silence.min(Duration::from_secs(10)));
    // What is too long, and what is tried again and when, is decided by those who ask. A client that did so silently could
    // wait for minutes after a server has come back.
    config.read_timeout = None;
    config.default_retry = false;
    let (sender, inputs) = watch::channel(None);
    let (stop, stopped) = oneshot::channel();
    let troubles = Troubles::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = {
        let _runtime = runtime.enter();
        Client::try_from(config).map_err(|error| Error::Client(Box::new(error)))?
    };
    let observed = troubles.clone();
    std::thread::Builder::new().name("watches".to_owned()).spawn(move || {
        runtime.block_on(async {
            let server = Server::new(client, scope.silence);
            let shared = Arc::<Shared>::default();
            let publisher =
                Publisher::new(Arc::clone(&shared), Fetcher::new(server.clone()), sender, Box::new(references));
            tokio::select! {
                // Rings when the source is dropped.
                _ = stopped => {}
                () = run(&server, &scope, &shared, &observed, publisher) => {}
            }
        });
    })?;
    Ok(Watch { inputs, troubles, _stop: stop })
}

async fn run(server: &Server, scope: &Scope, shared: &Arc<Shared>, troubles: &Troubles, publisher: Publisher) {
    let mut start = Start { server, shared, troubles, lists: lists(server).await, tasks: JoinSet::new() };
    let mut namespaces: Vec<Option<&str>> = scope.namespaces.iter().map(|name| Some(name.as_str())).collect();
    if namespaces.is_empty() {
        namespaces.push(None);
    }
    for namespace in namespaces {
        start.watch::<Ingresses>(namespace, None);
        start.watch::<Whole<ApplicationGateway>>(namespace, None);
        start.watch::<Whole<Service>>(namespace, None);
        start.watch::<Whole<EndpointSlice>>(namespace, None);
        start.watch::<Whole<Pod>>(namespace, None);
        start.watch::<Versions<Secret>>(namespace, None);
        start.watch::<Versions<ConfigMap>>(namespace, None);
    }
    start.watch::<Whole<IngressClass>>(None, None);
    let beyond = |key: &&Key| !scope.namespaces.is_empty() && !scope.namespaces.contains(key.namespace());
    if let Some(key) = scope.publish_service.as_ref().filter(beyond) {
        start.watch::<Whole<Service>>(Some(key.namespace()), Some(key.name()));
    }
    let _watches = start.tasks;
    publisher.run().await;
}

/// How the server gives whole lists.
async fn lists(server: &Server) -> Lists {
    #[derive(serde::Deserialize)]
    struct Version {
        major: String,
        minor: String,
    }
    let Ok(request) = http::Request::get("/version").body(Vec::new()) else { return Lists::Paged };
    let answer = server.body(request).await.ok();
    let version = answer.and_then(|body| serde_json::from_slice::<Version>(&body).ok());
    let streams = version.is_some_and(|Version { major, minor }| {
        // Some builds say "33+".
        let minor = minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>();
        major == "1" && minor.is_ok_and(|minor| minor >= STREAMING_LISTS)
    });
    if streams { Lists::Streamed } else { Lists::Paged }
}

/// What the watches are started with.
struct Start<'a> {
    server: &'a Server,
    shared: &'a Arc<Shared>,
    troubles: &'a Troubles,
    lists: Lists,
    tasks: JoinSet<()>,
}

impl Start<'_> {
    fn watch<R: Received>(&mut self, namespace: Option<&str>, name: Option<&str>) {
        let place = (namespace, name);
        let watching = Watching::<R>::new(self.server.clone(), place, self.lists, self.shared, self.troubles);
        self.tasks.spawn(watching.run());
    }
}
