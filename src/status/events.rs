//! Reports problems by Events (events.k8s.io/v1), on the replica that holds the lease.
//!
//! Each problem has one Event: its name is a hash of its contents, so that a restart or another replica finds it there.
//! A problem that disappears within [`HOLD_OFF`], as while a set of objects is being applied, gets none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdSet;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Facts;
use super::context::{Context, FailureLog};
use super::election::REQUEST_TIMEOUT;
use super::lease::{Leadership, is_status};
use super::notice::{Notice, notices};
use super::pace::WriteRate;
use crate::report::Report;

/// The shortest interval between two Events.
const EVENT_INTERVAL: Duration = Duration::from_millis(100);

/// How long a problem must last before it gets an Event.
const HOLD_OFF: Duration = Duration::from_secs(3);

/// The number of problems that are tracked at once.
const MAX_TRACKED: usize = 10_000;

/// A problem that is reported now.
#[derive(Debug, Clone)]
struct TrackedProblem {
    since: Instant,
    notice: Arc<Notice>,
    /// Whether its Event exists.
    has_event: bool,
}

/// The reporter of Events.
pub(super) struct EventReporter {
    context: Context,
    leadership: Leadership,
    facts: watch::Receiver<Facts>,
    /// The reports from which `problems` is made.
    reports: Arc<OrdSet<Report>>,
    problems: BTreeMap<String, TrackedProblem>,
    rate: WriteRate,
    failures: FailureLog,
}

impl EventReporter {
    /// A reporter that has created no Event yet.
    pub(super) fn new(context: Context, leadership: Leadership, facts: watch::Receiver<Facts>) -> Self {
        Self {
            context,
            leadership,
            facts,
            reports: Arc::default(),
            problems: BTreeMap::new(),
            rate: WriteRate::new(EVENT_INTERVAL),
            failures: FailureLog::default(),
        }
    }

    /// Creates Events until `stop` changes.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            self.read_reports();
            let due = if self.leadership.until().is_some() { self.due() } else { None };
            let due = due.map(|(name, at)| (name, at.max(self.rate.next())));
            tokio::select! {
                _ = stop.changed() => return,
                () = self.leadership.changed() => {}
                changed = self.facts.changed() => if changed.is_err() {
                    let _ = stop.changed().await;
                    return;
                },
                name = wait(due) => if self.leadership.until().is_some() {
                    self.create_event(name).await;
                }
            }
        }
    }

    /// Reads new reports. A problem that is not reported any more is forgotten.
    fn read_reports(&mut self) {
        let facts = self.facts.borrow_and_update().clone();
        if Arc::ptr_eq(&facts.reports, &self.reports) {
            return;
        }
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.problems);
        let notices = notices(&facts.reports, &facts.snapshot).into_iter().take(MAX_TRACKED);
        let problems = notices.map(|(name, notice)| {
            let (since, has_event) =
                before.remove(&name).map_or((now, false), |problem| (problem.since, problem.has_event));
            (name, TrackedProblem { since, notice: Arc::new(notice), has_event })
        });
        self.problems = problems.collect();
        self.reports = facts.reports;
    }

    /// The problem that gets the next Event, and the time at which it gets it.
    fn due(&self) -> Option<(String, Instant)> {
        let pending = self.problems.iter().filter(|(_, problem)| !problem.has_event);
        let first = pending.min_by_key(|(_, problem)| problem.since)?;
        Some((first.0.clone(), first.1.since + HOLD_OFF))
    }

    async fn create_event(&mut self, name: String) {
        let now = Instant::now();
        self.rate.take(now);
        let Some(problem) = self.problems.get(&name) else { return };
        let (object, notice) = (problem.notice.object.clone(), Arc::clone(&problem.notice));
        let create = create(self.context.client.clone(), &self.context, &name, &notice);
        let result = match timeout(REQUEST_TIMEOUT, create).await {
            Ok(Ok(())) => {
                self.rate.succeeded();
                "success"
            }
            Ok(Err(error)) if is_status(&error, 409) => "known",
            Ok(Err(error)) => {
                let code = if let kube::Error::Api(status) = &error { status.code } else { 0 };
                self.failures.warn("Event", code, now, &format!("an event about {object} can't be written: {error}"));
                match code {
                    0 | 429 | 500.. => {
                        self.rate.failed(now, None);
                        "unreachable"
                    }
                    _ => "refused",
                }
            }
            Err(_) => {
                self.rate.failed(now, None);
                "unreachable"
            }
        };
        self.context.metrics.wrote("Event", result);
        if result != "unreachable"
            && let Some(problem) = self.problems.get_mut(&name)
        {
            problem.has_event = true;
        }
    }
}

/// Waits until an Event is due; forever where none is.
async fn wait(due: Option<(String, Instant)>) -> String {
    match due {
        Some((name, at)) => {
            sleep_until(at).await;
            name
        }
        None => std::future::pending().await,
    }
}

async fn create(client: Client, context: &Context, name: &str, notice: &Notice) -> Result<(), kube::Error> {
    let Notice { object, api_version, uid, version, reason, note } = notice;
    // Events about objects without a namespace stand in `default`.
    let namespace = if object.namespace().is_empty() { "default" } else { object.namespace() };
    let event = Event {
        action: Some("Translate".to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        note: Some(note.clone()),
        reason: Some(reason.name().to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some((*api_version).to_owned()),
            kind: Some(object.kind.name().to_owned()),
            name: Some(object.name().to_owned()),
            namespace: Some(object.namespace().to_owned()).filter(|namespace| !namespace.is_empty()),
            resource_version: version.clone(),
            uid: uid.clone(),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(context.manager.clone()),
        reporting_instance: Some(context.identity.clone()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    };
    Api::namespaced(client, namespace).create(&PostParams::default(), &event).await.map(drop)
}
