//! The control loop: each new input is translated, compiled and published; the result is reported to the parts that show it.
//!
//! The order of the steps keeps requests whole. Pools are updated before a table that leads to them is published, and a port is
//! opened only after that. A change that leaves routes, certificates and the set of pools as they were (pods that come and go)
//! publishes no table.

mod restrictions;
mod route_counts;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::{OrdSet, ordset};
use tokio::sync::{oneshot, watch};

use crate::jwks::KeySets;
use crate::model::{KeyUrl, Model, ObjectRef};
use crate::pool::Registry;
use crate::proxy::{Listeners, Metrics};
use crate::report::{Report, Severity};
use crate::source::{Input, Inputs, Origins, Snapshot};
use crate::status::Facts;
use crate::table::Handle;
use crate::translate::{LastGood, Options, Translator};
use crate::websocket::Sessions;

pub(crate) use restrictions::Restrictions;
use route_counts::RouteCountChanges;
pub(crate) use route_counts::RouteCounts;

/// Pause before a port that could not be opened is tried again.
const OPEN_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What is being served, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Number of inputs that have been processed.
    pub generation: u64,
    /// Number of tables that have been published.
    pub swaps: u64,
    /// What is served.
    pub model: Arc<Model>,
    /// The problems of the objects.
    pub reports: Arc<OrdSet<Report>>,
    /// Ports that could not be opened, and why.
    pub unopened: BTreeMap<u16, String>,
    /// Whether a port has been open since the start, or none was wanted. A replica is not ready before that.
    pub complete: bool,
    /// How objects are translated.
    pub options: Arc<Options>,
}

/// The control loop and its state.
pub(crate) struct Controller {
    /// The inputs of the source.
    pub inputs: Inputs,
    /// Translates inputs. It remembers the last one, so that a change costs what has changed.
    pub translator: Translator,
    /// Pools at run time.
    pub registry: Registry,
    /// Addresses that may not be backends.
    pub restrictions: Restrictions,
    /// Where the ports are bound.
    pub addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
    /// The objects that have routes in the table.
    pub owners: RouteCounts<Arc<ObjectRef>>,
    /// The URLs of keys that routes of the table have.
    pub key_urls: RouteCounts<KeyUrl>,
    /// The keys of these URLs.
    pub key_sets: KeySets,
    /// The table that the proxy reads.
    pub table: Handle,
    /// Counters of the data plane. They are kept only for objects that are served.
    pub metrics: Metrics,
    /// Live sessions. They are closed when a new table does not cover them.
    pub sessions: Sessions,
    /// Open ports.
    pub listeners: Listeners,
    /// What is served, for the admin port: sent after each input.
    pub published: watch::Sender<Published>,
    /// What is served and the objects that it was made from, for the status writer: sent after each input.
    pub facts: watch::Sender<Facts>,
    /// The last valid version of each Secret with a certificate.
    pub last_good: LastGood,
    /// The input that was processed last.
    pub last: Option<Input>,
}

impl Controller {
    /// Runs until `stop` is sent, or the source fails; returns the listeners, still open.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Listeners {
        let mut retry = tokio::time::interval(OPEN_RETRY_INTERVAL);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let unopened = !self.published.borrow().unopened.is_empty();
            tokio::select! {
                _ = &mut stop => return self.listeners,
                _ = retry.tick(), if unopened => self.open_ports().await,
                changed = self.inputs.changed() => {
                    if changed.is_err() {
                        // The source never ends by itself. The process drains what is served and is started again.
                        tracing::error!("the source of the configuration broke down");
                        return self.listeners;
                    }
                    let input = self.inputs.borrow_and_update().clone();
                    if let Some(input) = input {
                        self.process(input).await;
                    }
                }
            }
        }
    }

    async fn process(&mut self, input: Input) {
        let last = self.last.replace(input.clone());
        if last.is_some_and(|last| last.reports == input.reports && last.snapshot.equals_except_status(&input.snapshot))
        {
            // A change of status alone, which the status writer itself has made: there is one of these for each object.
            self.published.send_modify(|published| published.generation += 1);
            self.facts.send_modify(|facts| {
                facts.generation += 1;
                facts.snapshot = input.snapshot;
            });
            return;
        }
        let began = Instant::now();
        // Translate: the snapshot becomes a model and reports.
        let mut snapshot = Snapshot::clone(&input.snapshot);
        let kept = self.last_good.keep(&mut snapshot);
        let translation = self.translator.update(&snapshot);
        let mut reports = translation.reports;
        reports.extend(input.reports.into_iter().chain(kept));

        // Pools first, so that every pool that the new table leads to is there.
        let Published { generation, mut swaps, model: old, reports: old_reports, .. } = self.published.borrow().clone();
        let model = Arc::new(translation.model);
        let generation = generation + 1;
        self.restrict(&input.snapshot);
        let pools = self.registry.apply(&model.pools, &model.departing);
        if swaps == 0
            || old.listeners != model.listeners
            || old.certificates != model.certificates
            || old.default_certificate != model.default_certificate
            || !self.table.load().has_pools(&pools)
        {
            // Then the table, and what belongs to routes that are gone.
            let key_urls = self.key_urls.follow(&old, &model);
            self.key_sets.watch(key_urls.come);
            let table = self.table.load().update(&model, generation, &pools);
            self.table.publish(table);
            swaps += 1;
            self.key_sets.forget(key_urls.gone);
            let RouteCountChanges { come, gone } = self.owners.follow(&old, &model);
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
        // Last the reports, the ports, and the status.
        log_changes(&old_reports, &reports, &input.origins);
        self.published.send_modify(|published| {
            published.generation = generation;
            published.swaps = swaps;
            published.model = model;
            published.reports = Arc::new(reports);
        });
        self.open_ports().await;
        self.restrict(&input.snapshot);
        let Published { generation, reports, unopened, .. } = self.published.borrow().clone();
        let served = Arc::new(translation.served);
        self.facts.send_replace(Facts { generation, snapshot: input.snapshot, served, reports, unopened });
    }

    /// Takes what the snapshot and the open ports tell of addresses that may not be backends.
    fn restrict(&self, snapshot: &Snapshot) {
        let policy = self.restrictions.policy(snapshot, &self.addresses.borrow());
        self.key_sets.restrict(policy.clone());
        self.registry.restrict(policy);
    }

    /// Opens the ports that the model asks for and closes the others.
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
            // One port that can't be opened must not keep a replica from serving the others.
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

/// Logs the reports that are new since the last input, and those that are gone.
fn log_changes(old: &OrdSet<Report>, new: &OrdSet<Report>, origins: &Origins) {
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
                tracing::info!(object = %report.object, reason = %report.reason, field = report.field, "resolved");
            }
        }
    }
}
