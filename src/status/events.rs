//! Tells of problems by Events (events.k8s.io/v1), on the replica that holds the lease.
//!
//! Each problem once: the name of its Event is made of what it says, so a restart or another replica finds it there.
//! A problem that comes and goes within a moment, as while a set of objects is being applied, is not told.

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
use super::election::REQUEST;
use super::lease::{Leadership, is};
use super::notice::{Notice, notices};
use super::pace::Rate;
use super::task::{Context, Troubles};
use crate::report::Report;

/// Between two Events.
const EVERY: Duration = Duration::from_millis(100);

/// How long a problem lasts before it is told.
const HOLD_OFF: Duration = Duration::from_secs(3);

/// Problems that are followed at once.
const MOST: usize = 10_000;

/// What is known of one problem.
#[derive(Debug, Clone)]
struct Known {
    since: Instant,
    notice: Arc<Notice>,
    told: bool,
}

/// Tells of problems.
pub(super) struct Teller {
    context: Context,
    leadership: Leadership,
    facts: watch::Receiver<Facts>,
    /// The reports that `known` is made of.
    reports: Arc<OrdSet<Report>>,
    known: BTreeMap<String, Known>,
    rate: Rate,
    troubles: Troubles,
}

impl Teller {
    /// One that has told nothing yet.
    pub(super) fn new(context: Context, leadership: Leadership, facts: watch::Receiver<Facts>) -> Self {
        Self {
            context,
            leadership,
            facts,
            reports: Arc::default(),
            known: BTreeMap::new(),
            rate: Rate::new(EVERY),
            troubles: Troubles::default(),
        }
    }

    /// Tells until `stop` changes.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            self.look();
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
                    self.tell(name).await;
                }
            }
        }
    }

    /// Takes new reports in. What is not reported any more is forgotten.
    fn look(&mut self) {
        let facts = self.facts.borrow_and_update().clone();
        if Arc::ptr_eq(&facts.reports, &self.reports) {
            return;
        }
        let now = Instant::now();
        let mut before = std::mem::take(&mut self.known);
        let notices = notices(&facts.reports, &facts.snapshot).into_iter().take(MOST);
        let known = notices.map(|(name, notice)| {
            let (since, told) = before.remove(&name).map_or((now, false), |known| (known.since, known.told));
            (name, Known { since, notice: Arc::new(notice), told })
        });
        self.known = known.collect();
        self.reports = facts.reports;
    }

    /// The problem that is to be told next, and when.
    fn due(&self) -> Option<(String, Instant)> {
        let untold = self.known.iter().filter(|(_, known)| !known.told);
        let first = untold.min_by_key(|(_, known)| known.since)?;
        Some((first.0.clone(), first.1.since + HOLD_OFF))
    }

    async fn tell(&mut self, name: String) {
        let now = Instant::now();
        self.rate.take(now);
        let Some(known) = self.known.get(&name) else { return };
        let (object, notice) = (known.notice.object.clone(), Arc::clone(&known.notice));
        let create = create(self.context.client.clone(), &self.context, &name, &notice);
        let result = match timeout(REQUEST, create).await {
            Ok(Ok(())) => {
                self.rate.succeeded();
                "success"
            }
            Ok(Err(error)) if is(&error, 409) => "known",
            Ok(Err(error)) => {
                let code = if let kube::Error::Api(status) = &error { status.code } else { 0 };
                self.troubles.tell("Event", code, now, &format!("an event about {object} can't be written: {error}"));
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
            && let Some(known) = self.known.get_mut(&name)
        {
            known.told = true;
        }
    }
}

/// Waits for what is due; for ever where nothing is.
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
