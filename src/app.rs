//! Wiring and supervision: build, run, drain. Knows everyone; known by no one but the commands.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::admin::{self, Admin};
use crate::controller::Controller;
pub use crate::controller::Published;
use crate::pool::{Policy, Registry};
use crate::proxy::{Bindings, Listeners, Metrics, Settings, Shared};
use crate::source::directory::{self, Watch};
use crate::table::Handle;
use crate::translate::Options;
use crate::websocket::Sessions;

/// Everything that an operator can set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of manifests.
    pub manifests: PathBuf,
    /// Controllers of IngressClasses that are served besides our own.
    pub serve_controllers: Vec<String>,
    /// Where listeners are bound.
    pub bindings: Bindings,
    /// For all listeners.
    pub settings: Settings,
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
    _watch: Watch,
}

/// Starts a gateway on the current runtime, and its workers on threads of their own.
///
/// # Errors
/// The directory can't be watched, the admin port can't be bound, or a thread can't be started.
pub async fn start(config: Config) -> anyhow::Result<App> {
    let watch = directory::watch(&config.manifests)?;
    let listener = tokio::net::TcpListener::bind(config.admin)
        .await
        .with_context(|| format!("can't listen at {} (--admin)", config.admin))?;
    let admin_address = listener.local_addr()?;

    let table = Handle::default();
    let sessions = Sessions::default();
    let metrics = Metrics::default();
    let registry = Registry::new(probing_runtime()?, Policy { allow_loopback: true });
    let (addresses_sender, addresses) = watch::channel(BTreeMap::new());
    let (draining, draining_receiver) = watch::channel(false);
    let shared = Arc::new(Shared {
        table: table.clone(),
        sessions: sessions.clone(),
        metrics: metrics.clone(),
        settings: config.settings,
        addresses: addresses.clone(),
        draining: draining_receiver,
        departures: registry.departures(),
    });
    let listeners = Listeners::start(shared, config.bindings, config.workers, addresses_sender)?;

    let (published_sender, published) = watch::channel(Published::default());
    let (ready, ready_receiver) = watch::channel(true);
    let admin =
        Admin::new(published.clone(), addresses.clone(), ready_receiver, registry.clone(), sessions.clone(), &metrics);
    tokio::spawn(admin::serve(listener, Arc::new(admin)));

    let controller = Controller {
        inputs: watch.inputs(),
        options: Options { serve_controllers: config.serve_controllers, everything_without_class: true },
        registry,
        table: table.clone(),
        metrics,
        listeners,
        published: published_sender,
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
        _watch: watch,
    })
}

/// A thread for probes and DNS alone: a long translation is not to make probes late.
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
        self.ready.send_replace(false);
        // The controller may have ended with its source; its listeners come back either way.
        let _ = self.stop.send(());
        let closing = self.controller.await.map(Listeners::close);
        self.draining.send_replace(true);
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
        self.sessions.count()
    }
}
