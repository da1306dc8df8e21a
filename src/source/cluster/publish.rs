//! From what the watches have seen to inputs: when every kind has been listed once, and whenever something has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::fetch::Fetcher;
use super::store::Shared;
use crate::source::{Input, References, Snapshot};

/// How long a change is waited with: if nothing follows it, it is alone, and goes on. And how soon after an input that may be.
const ALONE: Duration = Duration::from_millis(3);
const APART: Duration = Duration::from_millis(5);
/// How long others are collected after the last one, and at most.
const HOLD_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// How long the first input waits for what it refers to.
const FIRST: Duration = Duration::from_secs(8);
/// How long any other waits for what has never been fetched.
const LATER: Duration = Duration::from_millis(500);

/// What serves refer to, going by a snapshot.
pub(super) type Refer = Box<dyn FnMut(&Snapshot) -> References + Send>;

/// Sends inputs.
pub(super) struct Publisher {
    shared: Arc<Shared>,
    fetcher: Fetcher,
    sender: watch::Sender<Option<Input>>,
    refer: Refer,
    /// Whether there is something to send.
    changed: bool,
    /// Until when what is to be sent waits for what it refers to.
    held: Option<Instant>,
    /// When something was last sent.
    sent: Option<Instant>,
}

impl Publisher {
    pub(super) fn new(
        shared: Arc<Shared>,
        fetcher: Fetcher,
        sender: watch::Sender<Option<Input>>,
        refer: Refer,
    ) -> Self {
        Self { shared, fetcher, sender, refer, changed: false, held: None, sent: None }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            self.wait().await;
            self.settle().await;
            if !self.shared.complete() {
                continue;
            }
            let (mut snapshot, mut reports) = self.shared.input();
            let references = (self.refer)(&snapshot);
            self.changed |= {
                let (secrets, config_maps) = self.shared.versions();
                self.fetcher.want(&references, &secrets, &config_maps)
            };
            if !self.changed || self.holds() {
                continue;
            }
            snapshot.secrets = self.fetcher.secrets();
            snapshot.config_maps = self.fetcher.config_maps();
            reports.extend(self.fetcher.reports());
            (self.changed, self.sent) = (false, Some(Instant::now()));
            self.sender.send_replace(Some(Input { snapshot: Arc::new(snapshot), reports, origins: Arc::default() }));
        }
    }

    /// Until something is to be done.
    async fn wait(&mut self) {
        let wake = self.held.into_iter().chain(self.fetcher.next_try()).min();
        let alarm = async {
            match wake {
                Some(wake) => sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.shared.changed() => self.changed = true,
            () = self.shared.versions_changed() => {}
            changed = self.fetcher.answer() => self.changed |= changed,
            () = alarm => {}
        }
    }

    /// Until nothing more has come for a moment: a change that is alone goes on nearly at once.
    async fn settle(&mut self) {
        let now = Instant::now();
        let limit = now + HOLD_OFF.1;
        let mut quiet = self.sent.map_or(now + HOLD_OFF.0, |sent| (now + ALONE).max(sent + APART));
        loop {
            tokio::select! {
                // The limit holds however much comes.
                biased;
                () = sleep_until(quiet.min(limit)) => return,
                () = self.shared.changed() => self.changed = true,
                changed = self.fetcher.answer() => self.changed |= changed,
            }
            quiet = Instant::now() + HOLD_OFF.0;
        }
    }

    /// Whether to wait for what has never been fetched. What then has not come is told to be missing, and is not
    /// waited for again.
    fn holds(&mut self) -> bool {
        // Without its certificates a new replica would take the place of one that has them.
        let initial = self.sender.borrow().is_none();
        let now = Instant::now();
        let limit = if initial { FIRST } else { LATER };
        if self.fetcher.is_first(initial) && now < *self.held.get_or_insert(now + limit) {
            return true;
        }
        self.fetcher.waited();
        self.held = None;
        false
    }
}
