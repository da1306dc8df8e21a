//! A reflector: it lists a kind, then watches it, for as long as the process lives, and stores what it sees.
//!
//! `kube::runtime::watcher` is not used: it says nothing when a watch is accepted again, so that the end of trouble would be
//! known only with the next change; it tries a version for ever that the server answers with 410; and it would not notice a
//! server whose data has gone back to an earlier time.

mod discovery;
mod follow;
mod health;
mod list;
mod recovery;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use kube::Resource;
use tokio::time::{Instant, sleep};

use super::backoff::Backoff;
use super::request::{ApiServer, RequestFailure};
use super::shared_store::SharedStore;
use super::store::{ListSlot, ObjectList};
use super::watch_state::{WatchStates, WatchTrouble};
use super::watched::Watched;
use crate::source::Key;
use health::WatchHealth;
use recovery::{Recovery, Situation, Step};

pub(super) use list::ListMode;

/// How often a kind is looked for that the server does not know.
const ABSENT_KIND_INTERVAL: Duration = Duration::from_secs(5);
/// Pause before a kind of which there were objects is believed to be gone.
const ABSENCE_DOUBT_PAUSE: Duration = Duration::from_secs(1);
/// Watches that end more often than this, although each of them works, begin again no sooner.
const MIN_RESTART_INTERVAL: Duration = Duration::from_secs(1);
/// Longest pause before any other watch that worked begins again, in milliseconds: a random part of it is waited.
const MAX_RESTART_PAUSE_MS: u64 = 50;

const NO_EVENT: RequestFailure = RequestFailure::Nonsense("a line of a watch that is no event");

/// Which objects of a kind are watched.
#[derive(Debug, Clone, Default)]
pub(super) struct WatchTarget {
    /// Those of one namespace; none: of all.
    pub(super) namespace: Option<String>,
    /// The one of this name; none: all.
    pub(super) name: Option<String>,
}

/// Lists and watches one kind.
pub(super) struct Reflector<W> {
    server: ApiServer,
    target: WatchTarget,
    list_mode: ListMode,
    store: Arc<SharedStore>,
    states: WatchStates,
    /// The slot of its list, where the first input waits for it.
    list_slot: Option<ListSlot>,
    /// The watch as RBAC and people call it: `services in namespace web`.
    label: String,
    health: WatchHealth,
    /// When the watch last ended although it had worked.
    last_restart: Option<Instant>,
    backoff: Backoff,
    watched: PhantomData<fn() -> W>,
}

impl WatchTarget {
    /// Whether an object of this name is watched.
    fn covers(&self, key: &Key) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace())
            && self.name.as_ref().is_none_or(|name| *name == key.name())
    }

    fn field_selector(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("metadata.name={name}"))
    }

    /// The watch as RBAC and people call it.
    fn label<R: Resource<DynamicType = ()>>(&self) -> String {
        let (group, plural) = (R::group(&()), R::plural(&()));
        let resource = if group.is_empty() { plural.into_owned() } else { format!("{plural}.{group}") };
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => format!("{resource} {namespace}/{name}"),
            (Some(namespace), None) => format!("{resource} in namespace {namespace}"),
            (None, _) => resource,
        }
    }
}

impl<W: Watched> Reflector<W> {
    pub(super) fn new(
        server: ApiServer,
        target: WatchTarget,
        list_mode: ListMode,
        store: &Arc<SharedStore>,
        states: &WatchStates,
    ) -> Self {
        let label = target.label::<W::Resource>();
        // One object by name is for status alone; nothing waits for it.
        let is_awaited = target.name.is_none();
        if is_awaited {
            states.expect(&label);
        }
        Self {
            server,
            target,
            list_mode,
            store: Arc::clone(store),
            states: states.clone(),
            list_slot: is_awaited.then(|| store.lock().expect_list()),
            label,
            health: WatchHealth::Unlisted,
            last_restart: None,
            backoff: Backoff::for_requests(),
            watched: PhantomData,
        }
    }

    /// Lists and watches until the task is ended.
    pub(super) async fn run(mut self) {
        loop {
            match std::panic::AssertUnwindSafe(self.list_and_watch()).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => self.recover(failure).await,
                Err(_) => {
                    tracing::error!(watch = self.label, "watch broke down, which is a bug; begun again");
                    self.health = WatchHealth::Unlisted;
                    sleep(self.backoff.next_pause(None)).await;
                }
            }
        }
    }

    /// Lists, or goes on where it was, and follows until the server ends the watch.
    async fn list_and_watch(&mut self) -> Result<(), RequestFailure> {
        let rest_of_list = match &self.health {
            WatchHealth::Unlisted | WatchHealth::Absent { .. } => self.fetch_list().await?,
            WatchHealth::Doubtful { version } => {
                self.check_position(version).await?;
                None
            }
            WatchHealth::Well { .. } => None,
        };
        let lines = match rest_of_list {
            Some(lines) => lines,
            None => self.resume().await?,
        };
        self.follow(lines).await
    }

    /// After a failure: takes the steps of [`Recovery`], and waits.
    async fn recover(&mut self, failure: RequestFailure) {
        let recovery = Recovery::of(
            &failure,
            Situation {
                was_well: self.health.is_well(),
                listing: self.health.version().is_none().then_some(self.list_mode),
                may_be_absent: W::MAY_BE_ABSENT,
            },
        );
        let absences = self.health.absences();
        if recovery.relists {
            self.health = WatchHealth::Unlisted;
        } else {
            self.health.doubt();
        }
        if recovery.pages_lists {
            self.list_mode = ListMode::Paged;
        }
        let trouble = match recovery.step {
            Step::Restart => return self.restart(&failure).await,
            Step::RetryNow => {
                tracing::info!(watch = self.label, %failure, "the server does not stream lists; they are paged instead");
                return;
            }
            Step::AskForKind if discovery::lacks_kind::<W::Resource>(&self.server).await => {
                return self.note_absence(absences + 1).await;
            }
            Step::AskForKind => WatchTrouble::Failing(failure.to_string()),
            Step::Report(trouble) => trouble,
        };
        // What is optional holds up nothing: until its objects may be read, there are none.
        if W::IS_OPTIONAL && matches!(trouble, WatchTrouble::Forbidden(_)) && !self.states.is_listed(&self.label) {
            self.take_list(ObjectList::new());
        }
        self.states.report_trouble(&self.label, trouble);
        sleep(self.backoff.next_pause(failure.retry_after())).await;
    }

    /// After a watch that worked has ended: waits a moment.
    async fn restart(&mut self, failure: &RequestFailure) {
        tracing::debug!(watch = self.label, %failure, "watch ended");
        self.states.count_restart(&self.label);
        let before = self.last_restart.replace(Instant::now());
        let is_often = before.is_some_and(|before| before.elapsed() < MIN_RESTART_INTERVAL);
        let pause = Duration::from_millis(fastrand::u64(0..MAX_RESTART_PAUSE_MS));
        sleep(if is_often { MIN_RESTART_INTERVAL } else { pause }).await;
    }

    /// The server does not know the kind: there are no objects of it. Where there were some, it has to say so twice.
    async fn note_absence(&mut self, times: u32) {
        self.health = WatchHealth::Absent { times };
        if times < 2 && self.states.is_listed(&self.label) {
            return sleep(ABSENCE_DOUBT_PAUSE).await;
        }
        self.take_list(ObjectList::new());
        if W::IS_OPTIONAL {
            tracing::debug!(watch = self.label, "the cluster has no such resource, and needs none");
            self.states.end_trouble(&self.label);
        } else {
            self.states.report_trouble(&self.label, WatchTrouble::Absent);
        }
        sleep(ABSENT_KIND_INTERVAL).await;
    }

    fn request(&self) -> kube::core::Request {
        kube::core::Request::new(W::Resource::url_path(&(), self.target.namespace.as_deref()))
    }
}

fn not_built(error: kube::core::request::Error) -> RequestFailure {
    RequestFailure::Broken(error.to_string())
}
