//! A cluster as a source: watches of an API server.
//!
//! Each kind is watched for itself. While a list is under way or fails, what was known stays; the first input is sent
//! when every kind has been listed once. Nothing here knows what objects mean.

mod fetch;
mod kept;
mod store;
mod trouble;
mod watching;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::PartialObjectMeta;
use kube::core::DeserializeGuard;
use kube::{Api, Client};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::{Input, Inputs, Key};
use crate::api::ApplicationGateway;
use store::Shared;
use watching::{Lists, Watching};

pub use trouble::{Trouble, Troubles};

/// The first minor version of Kubernetes whose servers stream lists unless told not to (KEP-3157).
const STREAMING_LISTS: u32 = 32;
/// How long changes are collected after the last one, and at most.
const HOLD_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

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

/// Starts to watch, on a thread of its own: a long list is not to hold up anything else.
///
/// # Errors
/// The thread can't be started.
pub fn watch(mut config: kube::Config, scope: Scope) -> io::Result<Watch> {
    // A list, or the beginning of a watch, that is not answered; a watch that hangs is noticed by the watcher.
    config.connect_timeout = Some(scope.silence.min(Duration::from_secs(10)));
    config.read_timeout = Some(scope.silence + Duration::from_secs(10));
    config.reset_reader_on_write = true;
    let (sender, inputs) = watch::channel(None);
    let (stop, stopped) = oneshot::channel();
    let troubles = Troubles::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let observed = troubles.clone();
    std::thread::Builder::new().name("watches".to_owned()).spawn(move || {
        runtime.block_on(async {
            match Client::try_from(config) {
                Ok(client) => tokio::select! {
                    // Rings when the source is dropped.
                    _ = stopped => {}
                    () = run(client, &scope, sender, observed) => {}
                },
                Err(error) => tracing::error!(%error, "the cluster can't be watched"),
            }
        });
    })?;
    Ok(Watch { inputs, troubles, _stop: stop })
}

async fn run(client: Client, scope: &Scope, sender: watch::Sender<Option<Input>>, troubles: Troubles) {
    let mut start = Start {
        lists: lists(&client).await,
        shared: Arc::default(),
        tasks: JoinSet::new(),
        client,
        silence: scope.silence,
        troubles,
    };
    let start_all: [fn(&mut Start, Option<&str>); 7] = [
        |start, namespace| start.kind::<DeserializeGuard<Ingress>>(start.api(namespace), namespace),
        |start, namespace| start.kind::<DeserializeGuard<ApplicationGateway>>(start.api(namespace), namespace),
        |start, namespace| start.kind::<DeserializeGuard<Service>>(start.api(namespace), namespace),
        |start, namespace| start.kind::<DeserializeGuard<EndpointSlice>>(start.api(namespace), namespace),
        |start, namespace| start.kind::<DeserializeGuard<Pod>>(start.api(namespace), namespace),
        |start, namespace| start.kind::<PartialObjectMeta<Secret>>(start.api(namespace), namespace),
        |start, namespace| start.kind::<PartialObjectMeta<ConfigMap>>(start.api(namespace), namespace),
    ];
    for kind in start_all {
        if scope.namespaces.is_empty() {
            kind(&mut start, None);
        }
        for namespace in &scope.namespaces {
            kind(&mut start, Some(namespace));
        }
    }
    let classes = Api::all(start.client.clone());
    start.kind::<DeserializeGuard<IngressClass>>(classes, None);
    let beyond = |key: &&Key| !scope.namespaces.is_empty() && !scope.namespaces.contains(&key.namespace);
    if let Some(key) = scope.publish_service.as_ref().filter(beyond) {
        start.service(key);
    }
    let Start { shared, client, tasks: _watches, .. } = start;
    publish(&shared, &client, &sender).await;
}

/// How the server gives whole lists.
async fn lists(client: &Client) -> Lists {
    let minor = |text: &str| text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
    match client.apiserver_version().await {
        Ok(version) if version.major == "1" && minor(&version.minor).is_some_and(|minor| minor < STREAMING_LISTS) => {
            Lists::Paged
        }
        // A server that is not there yet is asked for a stream, and may refuse.
        _ => Lists::Streamed,
    }
}

/// What the watches are started with.
struct Start {
    client: Client,
    shared: Arc<Shared>,
    troubles: Troubles,
    lists: Lists,
    silence: Duration,
    tasks: JoinSet<()>,
}

impl Start {
    fn api<K>(&self, namespace: Option<&str>) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn kind<D: kept::Received>(&mut self, api: Api<D>, namespace: Option<&str>) {
        self.watch(api, namespace, None);
    }

    fn service(&mut self, key: &Key) {
        let api = Api::<DeserializeGuard<Service>>::namespaced(self.client.clone(), &key.namespace);
        self.watch(api, Some(&key.namespace), Some(key.name.clone()));
    }

    fn watch<D: kept::Received>(&mut self, api: Api<D>, namespace: Option<&str>, name: Option<String>) {
        let watching = Watching {
            api,
            namespace: namespace.map(str::to_owned),
            name,
            lists: self.lists,
            silence: self.silence,
            list: self.shared.expect_list(),
            shared: Arc::clone(&self.shared),
            troubles: self.troubles.clone(),
        };
        self.tasks.spawn(watching.run());
    }
}

/// Sends what is known, when everything has been listed once and whenever it has changed.
async fn publish(shared: &Shared, client: &Client, sender: &watch::Sender<Option<Input>>) {
    let mut fetcher = fetch::Fetcher::default();
    loop {
        shared.changed(fetcher.next_try()).await;
        let limit = tokio::time::Instant::now() + HOLD_OFF.1;
        while tokio::time::timeout_at((tokio::time::Instant::now() + HOLD_OFF.0).min(limit), shared.changed(None))
            .await
            .is_ok()
        {
            if tokio::time::Instant::now() >= limit {
                break;
            }
        }
        if !shared.complete() {
            continue;
        }
        fetcher.fetch(shared, client).await;
        sender.send_replace(Some(shared.input(&fetcher)));
    }
}
