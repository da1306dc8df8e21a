//! The thread that writes status and Events. It is apart from the workers: whatever happens there, requests and sessions do
//! not notice.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::context::{Context, PoolHealthReader};
use super::events::EventReporter;
use super::lease::Candidate;
use super::writer::StatusWriter;
use super::{Facts, PublishedAddresses, StatusMetrics, identity};
use crate::source::Key;

/// The pause before a task that panicked is started again.
const RESTART_INTERVAL: Duration = Duration::from_secs(5);

/// The operator's options for status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusOptions {
    /// The addresses that status publishes.
    pub publish: PublishedAddresses,
    /// The Lease of the replicas; `None`: `steadygate` in the pod's namespace.
    pub lease: Option<Key>,
}

/// The running thread.
#[derive(Debug)]
pub struct StatusThread {
    stop: watch::Sender<bool>,
    ended: oneshot::Receiver<()>,
}

impl StatusThread {
    /// Stops writing and releases the lease, so that another replica takes over at once. The future ends when that is done;
    /// the thread stops even if nobody awaits it.
    pub fn stop(self) -> impl Future<Output = ()> {
        self.stop.send_replace(true);
        async {
            let _ = self.ended.await;
        }
    }
}

/// Starts the thread.
///
/// # Errors
/// The thread can't be started, or the configuration gives no client.
pub fn start(
    config: kube::Config,
    controller: &str,
    options: StatusOptions,
    facts: watch::Receiver<Facts>,
    health: PoolHealthReader,
    metrics: StatusMetrics,
) -> anyhow::Result<StatusThread> {
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
    Ok(StatusThread { stop, ended })
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
    let (writer_context, leads, input, stop) = (context.clone(), leadership.clone(), facts.clone(), stopped.clone());
    let writing = supervise("the writer of status", &stopped, move || {
        StatusWriter::new(writer_context.clone(), leads.clone(), input.clone()).run(stop.clone())
    });
    let stop = stopped.clone();
    let reporting = supervise("the reporter of events", &stopped, move || {
        EventReporter::new(context.clone(), leadership.clone(), facts.clone()).run(stop.clone())
    });
    // All writers have ended before the lease is released.
    for task in [writing, reporting, electing] {
        let _ = task.await;
    }
    candidate.lock().await.release().await;
}

/// Runs a task until it ends, which it does when `stopped` changes; starts it again if it panics.
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
            tracing::error!(%error, "{what} panicked; it starts again in 5 s");
            if tokio::time::timeout(RESTART_INTERVAL, stopped.changed()).await.is_ok() {
                return;
            }
        }
    })
}
