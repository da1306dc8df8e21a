//! The writer of status: applies the changes of the plan, on the replica that holds the lease, at a bounded rate.
//!
//! It uses server-side apply under our own field manager, on the status subresource alone. A status that an object has
//! already is not written again: the snapshot shows it, or a write that the snapshot does not show yet. The queue has one
//! entry an object, always the newest, so that it is bounded by the number of objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::context::{Context, FailureLog};
use super::election::REQUEST_TIMEOUT;
use super::lease::Leadership;
use super::pace::{ObjectPaces, WriteRate};
use super::{DesiredStatus, Facts, PlanInput, PoolHealth, StatusChange};
use crate::model::{Kind, ObjectRef, PoolId};
use crate::source::Snapshot;

/// The number of writes in flight.
const MAX_CONCURRENT_WRITES: usize = 8;

/// The shortest interval between two writes.
const WRITE_INTERVAL: Duration = Duration::from_millis(10);

/// The shortest interval between two plans.
const MIN_PLAN_INTERVAL: Duration = Duration::from_millis(250);

/// The interval between two plans is at least so many times the duration of a plan: with very many objects, planning must
/// not take the processor from the workers.
const PLAN_INTERVAL_FACTOR: u32 = 20;

/// The interval at which the health of pools is read.
const HEALTH_INTERVAL: Duration = Duration::from_secs(1);

/// The time after which a write that no snapshot has shown is forgotten.
const UNCONFIRMED_WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// The time that writes in flight have to end when the process stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of writes of the same status in a row after which the log says that another writer undoes them.
const FOUGHT_WRITES: u32 = 3;

/// A write that the snapshot may not show yet.
#[derive(Debug)]
struct UnconfirmedWrite {
    uid: Option<String>,
    /// The `resourceVersion` that the plan has read, and the one that the write has made.
    before: Option<String>,
    after: Option<String>,
    status: DesiredStatus,
    at: Instant,
}

/// The writer of status.
pub(super) struct StatusWriter {
    context: Context,
    leadership: Leadership,
    facts: watch::Receiver<Facts>,
    health: BTreeMap<PoolId, PoolHealth>,
    written: BTreeMap<ObjectRef, UnconfirmedWrite>,
    /// The queue: changes that are planned and not begun.
    waiting: BTreeMap<ObjectRef, StatusChange>,
    /// The object of the last write: the next object in order has its turn.
    cursor: Option<ObjectRef>,
    tasks: JoinSet<Result<Option<String>, kube::Error>>,
    in_flight: HashMap<Id, StatusChange>,
    rate: WriteRate,
    paces: ObjectPaces,
    failures: FailureLog,
    /// Whether something has changed since the last plan.
    stale: bool,
    next_plan: Instant,
    next_health: Instant,
}

impl StatusWriter {
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
            in_flight: HashMap::new(),
            rate: WriteRate::new(WRITE_INTERVAL),
            paces: ObjectPaces::default(),
            failures: FailureLog::default(),
            stale: true,
            next_plan: now,
            next_health: now,
        }
    }

    /// Writes until `stop` changes; writes in flight then have [`STOP_TIMEOUT`] to end.
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
                Some(ended) = self.tasks.join_next_with_id(), if !self.in_flight.is_empty() => self.ended(ended),
                () = sleep_until(wake) => {}
            }
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _in_time = timeout(STOP_TIMEOUT, all).await;
    }

    /// Does what is due now; gives the time at which something is due next.
    fn turn(&mut self) -> Instant {
        let now = Instant::now();
        if self.leadership.until().is_none() {
            // Another replica may write from now on: only the snapshot says which status an object has.
            self.tasks.abort_all();
            self.waiting.clear();
            self.written.clear();
            self.stale = true;
            return now + HEALTH_INTERVAL;
        }
        if self.facts.borrow().generation == 0 {
            return now + HEALTH_INTERVAL;
        }
        if self.next_health <= now {
            self.next_health = now + HEALTH_INTERVAL;
            let wanted: BTreeSet<PoolId> = PlanInput::pools(&self.facts.borrow()).cloned().collect();
            let health = (self.context.health)(&wanted);
            self.stale |= health != self.health;
            self.health = health;
        }
        if self.stale && self.next_plan <= now {
            self.plan(now);
        }
        let due = self.send(now);
        let due = if self.stale { due.min(self.next_plan) } else { due };
        due.min(self.next_health)
    }

    fn plan(&mut self, now: Instant) {
        self.stale = false;
        let facts = self.facts.borrow_and_update().clone();
        self.written.retain(|object, written| written.counts(object, &facts.snapshot, now));
        let written = self.written.iter().map(|(object, written)| (object.clone(), written.status.clone())).collect();
        let input = PlanInput {
            facts: &facts,
            health: &self.health,
            publish: &self.context.publish,
            manager: &self.context.manager,
            written: &written,
            now: Timestamp::now(),
        };
        self.waiting = input.plan().into_iter().map(|change| (change.object.clone(), change)).collect();
        self.paces.forget(now);
        let planned = Instant::now();
        self.next_plan = planned + MIN_PLAN_INTERVAL.max((planned - now) * PLAN_INTERVAL_FACTOR);
    }

    /// Begins the writes that may begin; gives the time at which the next may.
    fn send(&mut self, now: Instant) -> Instant {
        let mut due = now + HEALTH_INTERVAL;
        while self.in_flight.len() < MAX_CONCURRENT_WRITES && !self.waiting.is_empty() {
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
                match timeout(REQUEST_TIMEOUT, apply).await {
                    Ok(result) => result,
                    Err(_) => Err(kube::Error::Service("no answer in time".into())),
                }
            });
            self.in_flight.insert(task.id(), change);
            due = now + HEALTH_INTERVAL;
        }
        due
    }

    /// The next object, in turn, that may be written to; else the time at which the first one may be.
    fn choose(&self, now: Instant) -> (Option<ObjectRef>, Option<Instant>) {
        let mut soonest: Option<Instant> = None;
        let after = self.waiting.keys().filter(|object| self.cursor.as_ref().is_none_or(|cursor| *object > cursor));
        let before = self.waiting.keys().filter(|object| self.cursor.as_ref().is_some_and(|cursor| *object <= cursor));
        for object in after.chain(before) {
            if self.in_flight.values().any(|change| change.object == *object) {
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
        let Some(change) = self.in_flight.remove(&id) else { return };
        // Whatever the result: plan again.
        self.stale = true;
        let StatusChange { object, uid, version, status } = change;
        let now = Instant::now();
        let result = match result {
            Some(Ok(after)) => {
                self.rate.succeeded();
                if self.paces.succeeded(&object, &status, now) == FOUGHT_WRITES {
                    tracing::warn!(%object, "its status is changed back by someone else each time; written more seldom");
                }
                if self.leadership.until().is_some() {
                    // A change that was planned meanwhile did not know of this write.
                    if self.waiting.get(&object).is_some_and(|waiting| waiting.status == status) {
                        self.waiting.remove(&object);
                    }
                    let written = UnconfirmedWrite { uid, before: version, after, status, at: now };
                    self.written.insert(object.clone(), written);
                }
                "success"
            }
            Some(Err(error)) => self.failed(&object, &error, now),
            // Aborted when the lease was lost.
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
            // The object was deleted: the watch will show it.
            404 => return "gone",
            // The object was created again: the watch will show it.
            409 => return "conflict",
            0 | 429 | 500.. => self.rate.failed(now, asked),
            _ => {}
        }
        self.failures.warn(object.kind.name(), code, now, &format!("the status of {object} can't be written: {error}"));
        if code == 0 { "unreachable" } else { "refused" }
    }
}

impl UnconfirmedWrite {
    /// Whether the write is still to be considered: the object is the same, and the snapshot is from before the write.
    fn counts(&self, object: &ObjectRef, snapshot: &Snapshot, now: Instant) -> bool {
        let Some(known) = snapshot.identity(object) else { return false };
        let number = |version: &Option<String>| version.as_ref().and_then(|version| version.parse::<u64>().ok());
        let before = match (number(&known.resource_version), number(&self.after)) {
            (Some(shown), Some(after)) => shown < after,
            _ => known.resource_version == self.before,
        };
        known.uid == self.uid && before && now < self.at + UNCONFIRMED_WRITE_TIMEOUT
    }
}

/// Applies one status (server-side apply); gives the object's new `resourceVersion`.
async fn apply(client: Client, manager: &str, change: &StatusChange) -> Result<Option<String>, kube::Error> {
    let StatusChange { object: ObjectRef { kind, key }, uid, status, version } = change;
    let mut metadata = json!({"name": key.name(), "uid": uid});
    if kind.is_namespaced() {
        metadata["namespace"] = key.namespace().into();
    }
    if status.needs_version() {
        metadata["resourceVersion"] = json!(version);
    }
    let mut patch = json!({"apiVersion": kind.api_version(), "kind": kind, "metadata": metadata});
    // Fields that our manager applied before and does not apply now are removed by the API server.
    let status = status.to_value().map_err(kube::Error::SerdeError)?;
    if !status.is_null() {
        patch["status"] = status;
    }
    let (params, patch) = (PatchParams::apply(manager).force(), Patch::Apply(patch));
    let resource = api_resource(*kind);
    let objects = match kind.is_namespaced() {
        true => Api::<DynamicObject>::namespaced_with(client, key.namespace(), &resource),
        false => Api::all_with(client, &resource),
    };
    Ok(objects.patch_status(key.name(), &params, &patch).await?.metadata.resource_version)
}

/// The resource of a kind at the API server.
fn api_resource(kind: Kind) -> ApiResource {
    let (group, version) = kind.api_version().split_once('/').unwrap_or(("", kind.api_version()));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resources_whose_status_is_written_are_those_of_the_api_server() {
        let url = |kind| {
            let resource = api_resource(kind);
            format!("{}/{}", resource.api_version, resource.plural)
        };
        assert_eq!(url(Kind::Ingress), "networking.k8s.io/v1/ingresses");
        assert_eq!(url(Kind::ApplicationGateway), "steadygate.io/v1alpha1/applicationgateways");
        assert_eq!(url(Kind::GatewayClass), "gateway.networking.k8s.io/v1/gatewayclasses");
        assert_eq!(url(Kind::HTTPRoute), "gateway.networking.k8s.io/v1/httproutes");
    }
}
