//! The loop: a new input, translated, compiled, published; and what came of it, for those who tell people.
//!
//! Pools are brought up to date before a table that leads to them is published, and a port is opened only after. A
//! change that leaves routes and certificates as they were (pods that come and go) publishes no table.

mod owners;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::{OrdMap, OrdSet, ordset};
use tokio::sync::{oneshot, watch};

use crate::model::{Model, PoolId};
use crate::pool::{Pool, Registry};
use crate::proxy::{Listeners, Metrics};
use crate::report::{Report, Severity};
use crate::source::{Input, Inputs, Origins, Snapshot};
use crate::status::Facts;
use crate::table::Handle;
use crate::translate::{LastGood, Options, Translator};
use crate::websocket::Sessions;

pub(crate) use owners::Owners;

/// Pause before a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What is being served, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Inputs taken in so far.
    pub generation: u64,
    /// Tables published so far.
    pub swaps: u64,
    /// What is served.
    pub model: Arc<Model>,
    /// Everything the users should know.
    pub reports: Arc<OrdSet<Report>>,
    /// Ports that could not be opened, and why.
    pub unopened: BTreeMap<u16, String>,
    /// Whether everything has been open at once since the start.
    pub complete: bool,
    /// How objects are translated.
    pub options: Arc<Options>,
}

/// Takes inputs to the data plane.
pub(crate) struct Controller {
    /// Where they come from.
    pub inputs: Inputs,
    /// What they become; remembers the last.
    pub translator: Translator,
    /// Pools at run time.
    pub registry: Registry,
    /// Those that the table was made with.
    pub pools: OrdMap<PoolId, Arc<Pool>>,
    /// The objects that have routes in it.
    pub owners: Owners,
    /// The table.
    pub table: Handle,
    /// Counters of the data plane, which are to know only objects that are served.
    pub metrics: Metrics,
    /// Live sessions, which are told when their route has gone.
    pub sessions: Sessions,
    /// Open ports.
    pub listeners: Listeners,
    /// Told of each input taken in.
    pub published: watch::Sender<Published>,
    /// Certificates to fall back on.
    pub last_good: LastGood,
    /// The same, with the objects themselves: what their status is made from.
    pub facts: watch::Sender<Facts>,
    /// The input that was taken in last.
    pub last: Option<Input>,
}

impl Controller {
    /// Runs until `stop` rings; gives the listeners back, still open.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Listeners {
        let mut retry = tokio::time::interval(RETRY);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let unopened = !self.published.borrow().unopened.is_empty();
            tokio::select! {
                _ = &mut stop => return self.listeners,
                _ = retry.tick(), if unopened => self.open_ports().await,
                changed = self.inputs.changed() => {
                    if changed.is_err() {
                        // It never ends of itself. Whoever waits for this drains what is served, and starts anew.
                        tracing::error!("the source of the configuration broke down");
                        return self.listeners;
                    }
                    let input = self.inputs.borrow_and_update().clone();
                    if let Some(input) = input {
                        self.take(input).await;
                    }
                }
            }
        }
    }

    async fn take(&mut self, input: Input) {
        let last = self.last.replace(input.clone());
        if last.is_some_and(|last| last.reports == input.reports && last.snapshot.asks_the_same(&input.snapshot)) {
            // What was written into status comes back: there are as many of these as there are objects.
            self.published.send_modify(|published| published.generation += 1);
            self.facts.send_modify(|facts| {
                facts.generation += 1;
                facts.snapshot = input.snapshot;
            });
            return;
        }
        let began = Instant::now();
        let mut snapshot = Snapshot::clone(&input.snapshot);
        let kept = self.last_good.keep(&mut snapshot);
        let translation = self.translator.update(&snapshot);
        let mut reports = translation.reports;
        reports.extend(input.reports.into_iter().chain(kept));

        let Published { generation, mut swaps, model: old, reports: old_reports, .. } = self.published.borrow().clone();
        let model = Arc::new(translation.model);
        let generation = generation + 1;
        let pools = self.registry.apply(&model.pools, &model.departing);
        if swaps == 0
            || old.listeners != model.listeners
            || old.certificates != model.certificates
            || !self.pools.ptr_eq(&pools)
        {
            let table = self.table.load().update(&model, generation, &pools);
            self.table.publish(table);
            swaps += 1;
            self.pools = pools;
            let owners::Changed { come, gone } = self.owners.follow(&old, &model);
            gone.iter().for_each(|gone| self.metrics.forget(gone));
            self.sessions.set_served(come, &gone);
            let table = self.table.load();
            let routes = table.session_routes();
            let removed = self.sessions.routes_removed(|session| session.is_covered_by(&routes));
            if removed > 0 {
                tracing::info!(sessions = removed, "closing sessions whose routes have been removed");
            }
        }
        tracing::info!(generation, swaps, took = ?began.elapsed(), "configuration served");
        tell(&old_reports, &reports, &input.origins);
        self.published.send_modify(|published| {
            published.generation = generation;
            published.swaps = swaps;
            published.model = model;
            published.reports = Arc::new(reports);
        });
        self.open_ports().await;
        let Published { generation, reports, unopened, .. } = self.published.borrow().clone();
        let served = Arc::new(translation.served);
        self.facts.send_replace(Facts { generation, snapshot: input.snapshot, served, reports, unopened });
    }

    async fn open_ports(&mut self) {
        let wanted: BTreeSet<u16> = self.published.borrow().model.listeners.keys().copied().collect();
        let failed = self.listeners.reconcile(&wanted).await;
        let unopened: BTreeMap<u16, String> =
            failed.into_iter().map(|(port, error)| (port, format!("{error:#}"))).collect();
        self.published.send_modify(|published| {
            for (port, error) in &unopened {
                if !published.unopened.contains_key(port) {
                    tracing::error!(port, %error, "listener can't be opened; tried again every second");
                }
            }
            // One port that can't be opened, whoever asked for it, is not to keep a replica from serving the others.
            published.complete |= unopened.len() < wanted.len() || wanted.is_empty();
            published.unopened = unopened;
        });
        let unopened = &self.published.borrow().unopened;
        self.facts.send_if_modified(|facts| {
            let differs = facts.unopened != *unopened;
            if differs {
                facts.unopened.clone_from(unopened);
            }
            differs
        });
    }
}

/// Logs what has come up since the last input, and what has been mended.
fn tell(old: &OrdSet<Report>, new: &OrdSet<Report>, origins: &Origins) {
    let mut locator = origins.locator();
    for change in old.diff(new) {
        match change {
            ordset::DiffItem::Add(report) => {
                let at = locator.locate(report).map(|place| format!("{}:{}", place.file.display(), place.line));
                let at = at.unwrap_or_default();
                match report.severity {
                    Severity::Error => tracing::error!(at, "{report}"),
                    Severity::Warning => tracing::warn!(at, "{report}"),
                }
            }
            ordset::DiffItem::Remove(report) => {
                tracing::info!(object = %report.object, reason = %report.reason, field = report.field, "mended");
            }
        }
    }
}
