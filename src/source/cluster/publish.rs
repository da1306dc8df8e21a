//! Makes inputs of the store that the watches write to: the first when each kind has been listed once, and one more whenever something
//! has changed.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::fetch::Fetcher;
use super::resource_version::ResourceVersion;
use super::shared_store::SharedStore;
use crate::report::Report;
use crate::source::snapshot::Objects;
use crate::source::{Input, References, Snapshot};

/// How long a change waits for another. If none follows, it is sent alone.
const LONE_CHANGE_DELAY: Duration = Duration::from_millis(3);
/// A change is not sent alone sooner after the input before it.
const MIN_INPUT_INTERVAL: Duration = Duration::from_millis(5);
/// How long changes of which one follows the other are collected after the last one.
const HOLD_OFF: Duration = Duration::from_millis(10);
/// How long they are collected at most.
const MAX_HOLD_OFF: Duration = Duration::from_millis(100);
/// How long the first input waits for the objects that it refers to.
const FIRST_FETCH_TIMEOUT: Duration = Duration::from_secs(8);
/// How long any other input waits for objects that have never been fetched.
const LATER_FETCH_TIMEOUT: Duration = Duration::from_millis(500);

/// Gives the Secrets and ConfigMaps to which the objects of a snapshot refer, as far as those are served.
pub(super) type Refer = Box<dyn FnMut(&Snapshot) -> References + Send>;

/// Sends inputs.
pub(super) struct Publisher {
    store: Arc<SharedStore>,
    fetcher: Fetcher,
    sender: watch::Sender<Option<Input>>,
    refer: Refer,
    /// Whether something has changed since the last input.
    changed: bool,
    /// Until when an input waits for the objects that it refers to.
    held_until: Option<Instant>,
    /// When the last input was sent.
    sent: Option<Instant>,
}

/// The contents of the store at one instant.
struct StoreContents {
    snapshot: Snapshot,
    reports: Vec<Report>,
    secrets: Objects<ResourceVersion<Secret>>,
    config_maps: Objects<ResourceVersion<ConfigMap>>,
}

impl Publisher {
    pub(super) fn new(
        store: Arc<SharedStore>,
        fetcher: Fetcher,
        sender: watch::Sender<Option<Input>>,
        refer: Refer,
    ) -> Self {
        Self { store, fetcher, sender, refer, changed: false, held_until: None, sent: None }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            self.wait().await;
            self.collect().await;
            let Some(StoreContents { mut snapshot, mut reports, secrets, config_maps }) = self.store_contents() else {
                continue;
            };
            let references = (self.refer)(&snapshot);
            self.changed |= self.fetcher.update(&references, &secrets, &config_maps);
            if !self.changed || self.waits_for_fetches() {
                continue;
            }
            snapshot.secrets = self.fetcher.secrets();
            snapshot.config_maps = self.fetcher.config_maps();
            reports.extend(self.fetcher.reports());
            (self.changed, self.sent) = (false, Some(Instant::now()));
            self.sender.send_replace(Some(Input { snapshot: Arc::new(snapshot), reports, origins: Arc::default() }));
        }
    }

    /// The contents of the store; none until each kind has been listed once.
    fn store_contents(&self) -> Option<StoreContents> {
        let store = self.store.lock();
        store.is_complete().then(|| StoreContents {
            snapshot: store.snapshot(),
            reports: store.reports(),
            secrets: store.secret_versions(),
            config_maps: store.config_map_versions(),
        })
    }

    /// Ends when something is to be done.
    async fn wait(&mut self) {
        let wake = self.held_until.into_iter().chain(self.fetcher.next_retry()).min();
        let alarm = async {
            match wake {
                Some(wake) => sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.store.snapshot_changed() => self.changed = true,
            () = self.store.versions_changed() => {}
            changed = self.fetcher.take_answer() => self.changed |= changed,
            () = alarm => {}
        }
    }

    /// Ends when nothing more has come for a moment: a change that is alone is sent nearly at once.
    async fn collect(&mut self) {
        let now = Instant::now();
        let limit = now + MAX_HOLD_OFF;
        let mut quiet =
            self.sent.map_or(now + HOLD_OFF, |sent| (now + LONE_CHANGE_DELAY).max(sent + MIN_INPUT_INTERVAL));
        loop {
            tokio::select! {
                // The limit holds however much comes.
                biased;
                () = sleep_until(quiet.min(limit)) => return,
                () = self.store.snapshot_changed() => self.changed = true,
                changed = self.fetcher.take_answer() => self.changed |= changed,
            }
            quiet = Instant::now() + HOLD_OFF;
        }
    }

    /// Whether to wait for objects that have never been fetched. Those that have not come in time are reported as missing, and
    /// are not waited for again.
    fn waits_for_fetches(&mut self) -> bool {
        // Without its certificates a new replica would take the place of one that has them.
        let is_first = self.sender.borrow().is_none();
        let now = Instant::now();
        let limit = if is_first { FIRST_FETCH_TIMEOUT } else { LATER_FETCH_TIMEOUT };
        if self.fetcher.awaits_first_fetch(is_first) && now < *self.held_until.get_or_insert(now + limit) {
            return true;
        }
        self.fetcher.stop_waiting();
        self.held_until = None;
        false
    }
}
