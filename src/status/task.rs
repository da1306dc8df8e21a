//! The thread on which status is written, apart from everything that serves: whatever happens there, requests and
//! sessions do not notice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::events::Teller;
use super::lease::Candidate;
use super::writer::Writer;
use super::{Facts, Metrics, PoolHealth, Publish, identity};
use crate::model::PoolId;
use crate::source::Key;

/// Pause before a part that broke down is begun again.
const AGAIN: Duration = Duration::from_secs(5);

/// How long the same trouble is not told again.
const TOLD: Duration = Duration::from_secs(300);

/// Reads how the members of some pools are.
pub type Health = Arc<dyn Fn(&BTreeSet<PoolId>) -> BTreeMap<PoolId, PoolHealth> + Send + Sync>;

/// What the operator says about status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Which addresses are told.
    pub publish: Publish,
    /// The Lease of the replicas; `None`: `steadygate` in the pod's namespace.
    pub lease: Option<Key>,
}

/// What every part needs.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: Client,
    /// The controller's name: our field manager, and who reports Events.
    pub(super) manager: String,
    /// This replica.
    pub(super) identity: String,
    pub(super) publish: Publish,
    pub(super) health: Health,
    pub(super) metrics: Metrics,
}

/// Status being written.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    ended: oneshot::Receiver<()>,
}

impl Running {
    /// Stops writing and gives the lease back, so that another replica takes over at once; ends when that is done.
    /// It is told to stop even if the future is never waited for.
    pub fn stop(self) -> impl Future<Output = ()> {
        self.stop.send_replace(true);
        async {
            let _ = self.ended.await;
        }
    }
}

/// Begins to write status, on a thread of its own.
///
/// # Errors
/// The thread can't be started, or no client made of the configuration.
pub fn start(
    config: kube::Config,
    controller: &str,
    options: Options,
    facts: watch::Receiver<Facts>,
    health: Health,
    metrics: Metrics,
) -> anyhow::Result<Running> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = {
        // Its connections live on this runtime.
        let _entered = runtime.enter();
        Client::try_from(config)?
    };
    let identity = identity::identity();
    let lease = options.lease.unwrap_or_else(|| identity::lease(client.default_namespace()));
    let publish = options.publish;
    let context = Context { client, manager: controller.to_owned(), identity, publish, health, metrics };
    let (stop, stopped) = watch::channel(false);
    let (ended_sender, ended) = oneshot::channel();
    std::thread::Builder::new().name("status".to_owned()).spawn(move || {
        runtime.block_on(run(context, lease, facts, stopped));
        let _ = ended_sender.send(());
    })?;
    Ok(Running { stop, ended })
}

async fn run(context: Context, lease: Key, facts: watch::Receiver<Facts>, stopped: watch::Receiver<bool>) {
    let (client, identity, metrics) = (context.client.clone(), context.identity.clone(), context.metrics.clone());
    tracing::info!(identity, %lease, "a candidate for the lease");
    let (candidate, leadership) = Candidate::new(client, lease, identity, metrics);
    let candidate = Arc::new(tokio::sync::Mutex::new(candidate));

    let shared = Arc::clone(&candidate);
    let stop = stopped.clone();
    let electing = supervise("the candidate for the lease", &stopped, move || {
        let (candidate, stop) = (Arc::clone(&shared), stop.clone());
        async move { candidate.lock().await.run(stop).await }
    });
    let (part, leads, told, stop) = (context.clone(), leadership.clone(), facts.clone(), stopped.clone());
    let writing = supervise("the writer of status", &stopped, move || {
        Writer::new(part.clone(), leads.clone(), told.clone()).run(stop.clone())
    });
    let stop = stopped.clone();
    let telling = supervise("the teller of events", &stopped, move || {
        Teller::new(context.clone(), leadership.clone(), facts.clone()).run(stop.clone())
    });
    // Nothing is written any more when the lease is given back.
    for part in [writing, telling, electing] {
        let _ = part.await;
    }
    candidate.lock().await.release().await;
}

/// Runs a part until it ends, which is when `stopped` changes; begins it again if it panics.
fn supervise<F>(
    what: &'static str,
    stopped: &watch::Receiver<bool>,
    begin: impl Fn() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut stopped = stopped.clone();
    tokio::spawn(async move {
        while let Err(error) = tokio::spawn(begin()).await {
            tracing::error!(%error, "{what} broke down; begun again in 5 s");
            if tokio::time::timeout(AGAIN, stopped.changed()).await.is_ok() {
                return;
            }
        }
    })
}

/// What has gone wrong, each kind of it told once in a while.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<(&'static str, u16), Instant>);

impl Troubles {
    /// Logs `message`, unless the same kind of object has had the same answer lately.
    pub(super) fn tell(&mut self, kind: &'static str, code: u16, now: Instant, message: &str) {
        let told = self.0.get(&(kind, code)).is_some_and(|at| now < *at + TOLD);
        if !told {
            self.0.insert((kind, code), now);
            tracing::warn!(kind, code, "{message}");
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client: _, manager, identity, publish, health: _, metrics: _ } = self;
        f.debug_struct("Context")
            .field("manager", manager)
            .field("identity", identity)
            .field("publish", publish)
            .finish_non_exhaustive()
    }
}
