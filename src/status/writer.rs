//! Writes status: what the plan asks for, on the replica that holds the lease, and no faster than is good.
//!
//! Server-side apply under our own field manager, to the status subresource alone. Nothing is written that stands
//! there already: the snapshot says what stands there, and what was written counts until the snapshot shows it.
//! What waits is a map of objects, so it is bounded by them and always the newest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::election::REQUEST;
use super::lease::Leadership;
use super::pace::{Paces, Rate};
use super::task::{Context, Troubles};
use super::{Change, Desired, Facts, PoolHealth, View};
use crate::api::ApplicationGateway;
use crate::model::{Kind, ObjectRef, PoolId};
use crate::source::{Identity, Snapshot};

/// Writes that are under way at once.
const CONCURRENCY: usize = 8;

/// Between two writes.
const EVERY: Duration = Duration::from_millis(10);

/// Pause between two plans, at least, and how many times as long as a plan it is: where there are many objects, planning is
/// not to take the time of those that serve. And the pause between two looks at the members.
const PLANS: Duration = Duration::from_millis(250);
const TIMES_A_PLAN: u32 = 20;
const LOOKS: Duration = Duration::from_secs(1);

/// How long a write that no snapshot shows counts all the same.
const UNSHOWN: Duration = Duration::from_secs(60);

/// Time for what is under way when the process ends.
const LAST: Duration = Duration::from_secs(2);

/// Times in a row that the same thing is written before it is told that someone else changes it back.
const FOUGHT: u32 = 3;

/// A write that the snapshot may not show yet.
#[derive(Debug)]
struct Written {
    uid: Option<String>,
    /// The version that the plan had looked at, and the one that the write made.
    before: Option<String>,
    after: Option<String>,
    status: Desired,
    at: Instant,
}

/// The writer's state.
pub(super) struct Writer {
    context: Context,
    leadership: Leadership,
    facts: watch::Receiver<Facts>,
    health: BTreeMap<PoolId, PoolHealth>,
    written: BTreeMap<ObjectRef, Written>,
    /// What is to be written.
    waiting: BTreeMap<ObjectRef, Change>,
    /// The object that was written to last: the next after it has its turn.
    cursor: Option<ObjectRef>,
    tasks: JoinSet<Result<Option<String>, kube::Error>>,
    under_way: HashMap<Id, Change>,
    rate: Rate,
    paces: Paces,
    troubles: Troubles,
    /// Whether something has changed since the last plan.
    stale: bool,
    next_plan: Instant,
    next_look: Instant,
}

impl Writer {
    /// A writer that has written nothing yet.
    pub(super) fn new(context: Context, leadership: Leadership, facts: watch::Receiver<Facts>) -> Self {
        let now = Instant::now();
        Self {
            context,
            leadership,
            facts,
            health: BTreeMap::new(),
            written: BTreeMap::new(),
            waiting: BTreeMap::new(),
            cursor: None,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            rate: Rate::new(EVERY),
            paces: Paces::default(),
            troubles: Troubles::default(),
            stale: true,
            next_plan: now,
            next_look: now,
        }
    }

    /// Writes until `stop` changes; what is under way then has a moment to end.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let wake = self.turn();
            tokio::select! {
                _ = stop.changed() => break,
                () = self.leadership.changed() => {}
                changed = self.facts.changed() => match changed {
                    Ok(()) => self.stale = true,
                    // What is served does not change any more.
                    Err(_) => { let _ = stop.changed().await; break }
                },
                Some(ended) = self.tasks.join_next_with_id(), if !self.under_way.is_empty() => self.ended(ended),
                () = sleep_until(wake) => {}
            }
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _in_time = timeout(LAST, all).await;
    }

    /// Does what is due now; gives when something is due next.
    fn turn(&mut self) -> Instant {
        let now = Instant::now();
        if self.leadership.until().is_none() {
            // Another may write from now on, and it is the snapshot alone that says what stands.
            self.tasks.abort_all();
            self.waiting.clear();
            self.written.clear();
            self.stale = true;
            return now + LOOKS;
        }
        if self.facts.borrow().generation == 0 {
            return now + LOOKS;
        }
        if self.next_look <= now {
            self.next_look = now + LOOKS;
            let wanted: BTreeSet<PoolId> = View::pools(&self.facts.borrow()).cloned().collect();
            let health = (self.context.health)(&wanted);
            self.stale |= health != self.health;
            self.health = health;
        }
        if self.stale && self.next_plan <= now {
            self.plan(now);
        }
        let due = self.send(now);
        let due = if self.stale { due.min(self.next_plan) } else { due };
        due.min(self.next_look)
    }

    fn plan(&mut self, now: Instant) {
        self.stale = false;
        let facts = self.facts.borrow_and_update().clone();
        self.written.retain(|object, written| written.counts(object, &facts.snapshot, now));
        let written = self.written.iter().map(|(object, written)| (object.clone(), written.status.clone())).collect();
        let view = View {
            facts: &facts,
            health: &self.health,
            publish: &self.context.publish,
            manager: &self.context.manager,
            written: &written,
            now: Timestamp::now(),
        };
        self.waiting = view.plan().into_iter().map(|change| (change.object.clone(), change)).collect();
        self.paces.forget(now);
        let planned = Instant::now();
        self.next_plan = planned + PLANS.max((planned - now) * TIMES_A_PLAN);
    }

    /// Begins what may be begun; gives when there may be more.
    fn send(&mut self, now: Instant) -> Instant {
        let mut due = now + LOOKS;
        while self.under_way.len() < CONCURRENCY && !self.waiting.is_empty() {
            if self.rate.next() > now {
                return due.min(self.rate.next());
            }
            let (next, later) = self.choose(now);
            let Some(object) = next else {
                return due.min(later.unwrap_or(due));
            };
            let Some(change) = self.waiting.remove(&object) else { return due };
            self.cursor = Some(object);
            self.rate.take(now);
            let (client, manager) = (self.context.client.clone(), self.context.manager.clone());
            let write = change.clone();
            let task = self.tasks.spawn(async move {
                let apply = apply(client, &manager, &write);
                match timeout(REQUEST, apply).await {
                    Ok(result) => result,
                    Err(_) => Err(kube::Error::Service("no answer in time".into())),
                }
            });
            self.under_way.insert(task.id(), change);
            due = now + LOOKS;
        }
        due
    }

    /// The next object, in turn, that may be written to; else when the first may be.
    fn choose(&self, now: Instant) -> (Option<ObjectRef>, Option<Instant>) {
        let mut soonest: Option<Instant> = None;
        let after = self.waiting.keys().filter(|object| self.cursor.as_ref().is_none_or(|cursor| *object > cursor));
        let before = self.waiting.keys().filter(|object| self.cursor.as_ref().is_some_and(|cursor| *object <= cursor));
        for object in after.chain(before) {
            if self.under_way.values().any(|change| change.object == *object) {
                continue;
            }
            match self.paces.not_before(object).filter(|at| *at > now) {
                None => return (Some(object.clone()), None),
                Some(at) => soonest = Some(soonest.map_or(at, |soonest| soonest.min(at))),
            }
        }
        (None, soonest)
    }

    fn ended(&mut self, ended: Result<(Id, Result<Option<String>, kube::Error>), JoinError>) {
        let (id, result) = match ended {
            Ok((id, result)) => (id, Some(result)),
            Err(error) => (error.id(), None),
        };
        let Some(change) = self.under_way.remove(&id) else { return };
        // Whatever came of it: the plan looks again.
        self.stale = true;
        let Change { object, uid, version, status } = change;
        let now = Instant::now();
        let result = match result {
            Some(Ok(after)) => {
                self.rate.succeeded();
                if self.paces.succeeded(&object, &status, now) == FOUGHT {
                    tracing::warn!(%object, "its status is changed back by someone else each time; written more seldom");
                }
                if self.leadership.until().is_some() {
                    // What was planned meanwhile did not know of this write.
                    if self.waiting.get(&object).is_some_and(|waiting| waiting.status == status) {
                        self.waiting.remove(&object);
                    }
                    let written = Written { uid, before: version, after, status, at: now };
                    self.written.insert(object.clone(), written);
                }
                "success"
            }
            Some(Err(error)) => self.failed(&object, &error, now),
            // Given up with the lease.
            None => "abandoned",
        };
        self.context.metrics.wrote(object.kind.name(), result);
    }

    fn failed(&mut self, object: &ObjectRef, error: &kube::Error, now: Instant) -> &'static str {
        self.paces.failed(object, now);
        let (code, asked) = match error {
            kube::Error::Api(status) => {
                let seconds = status.details.as_ref().map(|details| details.retry_after_seconds);
                (status.code, seconds.filter(|seconds| *seconds > 0).map(|each| Duration::from_secs(each.into())))
            }
            _ => (0, None),
        };
        match code {
            // Deleted, which the watch will show.
            404 => return "gone",
            // Made anew, which the watch will show.
            409 => return "conflict",
            0 | 429 | 500.. => self.rate.failed(now, asked),
            _ => {}
        }
        self.troubles.tell(object.kind.name(), code, now, &format!("the status of {object} can't be written: {error}"));
        if code == 0 { "unreachable" } else { "refused" }
    }
}

impl Written {
    /// Whether it still counts: the same object, and a snapshot from before the write.
    fn counts(&self, object: &ObjectRef, snapshot: &Snapshot, now: Instant) -> bool {
        let Some(known) = identity(object, snapshot) else { return false };
        let number = |version: &Option<String>| version.as_ref().and_then(|version| version.parse::<u64>().ok());
        let before = match (number(&known.resource_version), number(&self.after)) {
            (Some(shown), Some(after)) => shown < after,
            _ => known.resource_version == self.before,
        };
        known.uid == self.uid && before && now < self.at + UNSHOWN
    }
}

fn identity(object: &ObjectRef, snapshot: &Snapshot) -> Option<Identity> {
    match object.kind {
        Kind::Ingress => snapshot.ingresses.get(&object.key).map(|object| object.identity()),
        _ => snapshot.gateways.get(&object.key).map(|object| Identity::from(&object.metadata)),
    }
}

/// Writes one status; gives the version that this made.
async fn apply(client: Client, manager: &str, change: &Change) -> Result<Option<String>, kube::Error> {
    let Change { object: ObjectRef { kind, key }, uid, status, version: _ } = change;
    let (namespace, name) = (key.namespace(), key.name());
    let (api_version, status) = match status {
        Desired::Ingress(addresses) => ("networking.k8s.io/v1", json!({"loadBalancer": {"ingress": addresses}})),
        Desired::Gateway(status) => {
            ("steadygate.io/v1alpha1", serde_json::to_value(status).map_err(kube::Error::SerdeError)?)
        }
        Desired::Nothing if *kind == Kind::Ingress => ("networking.k8s.io/v1", Value::Null),
        Desired::Nothing => ("steadygate.io/v1alpha1", Value::Null),
    };
    let metadata = json!({"name": name, "namespace": namespace, "uid": uid});
    let mut patch = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
    // What a manager applied before and does not apply now is removed.
    if !status.is_null() {
        patch["status"] = status;
    }
    let (params, patch) = (PatchParams::apply(manager).force(), Patch::Apply(patch));
    Ok(match *kind {
        Kind::Ingress => {
            let written = Api::<Ingress>::namespaced(client, namespace).patch_status(name, &params, &patch).await?;
            written.metadata.resource_version
        }
        _ => {
            let gateways = Api::<ApplicationGateway>::namespaced(client, namespace);
            gateways.patch_status(name, &params, &patch).await?.metadata.resource_version
        }
    })
}
