//! Secrets and ConfigMaps: only those that something served refers to are fetched, and only they are kept.
//!
//! Fetching holds up nothing else. Only what has never been fetched is waited for, a little while, lest objects be called
//! missing that are on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use imbl::{OrdSet, ordmap, ordset};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::GetParams;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::kept::Version;
use super::pace::Pace;
use super::request::{Failure, Server};
use crate::model::{Kind, ObjectRef};
use crate::report::{Reason, Report, Severity};
use crate::source::snapshot::Objects;
use crate::source::{Key, References};

/// Fetches at once.
const CONCURRENT: usize = 64;
/// Pauses after failures: the first, doubled each time up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Fetches what is referred to.
pub(super) struct Fetcher {
    server: Server,
    permits: Arc<Semaphore>,
    running: JoinSet<Answer>,
    secrets: Fetched<Secret>,
    config_maps: Fetched<ConfigMap>,
}

/// What came of one fetch: of which kind, of which object, for which version.
type Answer = (Kind, Key, String, Result<Bytes, Failure>);

impl Fetcher {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            permits: Arc::new(Semaphore::new(CONCURRENT)),
            running: JoinSet::new(),
            secrets: Fetched::default(),
            config_maps: Fetched::default(),
        }
    }

    /// Begins to fetch what is referred to and has a version that was not fetched, and forgets the rest. Whether that made a
    /// difference already.
    pub(super) fn want(
        &mut self,
        references: &References,
        secrets: &Objects<Version<Secret>>,
        config_maps: &Objects<Version<ConfigMap>>,
    ) -> bool {
        let Self { server, permits, running, .. } = self;
        let mut start = |kind: Kind, url: String, metadata: (Key, String)| {
            let (server, permits, (key, version)) = (server.clone(), Arc::clone(permits), metadata);
            running.spawn(async move {
                let request = kube::core::Request::new(url).get(key.name(), &GetParams::default());
                let answer = match (request, permits.acquire_owned().await) {
                    (Ok(request), Ok(_permit)) => server.body(request).await,
                    (Err(error), _) => Err(Failure::Broken(error.to_string())),
                    (_, Err(error)) => Err(Failure::Broken(error.to_string())),
                };
                (kind, key, version, answer)
            })
        };
        let changed = self.secrets.want(&references.secrets, secrets, &mut start);
        self.config_maps.want(&references.config_maps, config_maps, &mut start) || changed
    }

    /// Takes in the next answer. Never ends while there is none to come. Whether it made a difference.
    pub(super) async fn answer(&mut self) -> bool {
        match self.running.join_next().await {
            Some(Ok((kind, key, version, answer))) if kind == <Secret as Fetchable>::KIND => {
                self.secrets.take(key, version, answer)
            }
            Some(Ok((_, key, version, answer))) => self.config_maps.take(key, version, answer),
            // It was called off.
            Some(Err(_)) => false,
            None => std::future::pending().await,
        }
    }

    /// Whether something is on its way of which there is no version yet.
    pub(super) fn is_first(&self, patient: bool) -> bool {
        self.secrets.is_first(patient) || self.config_maps.is_first(patient)
    }

    /// Notes that what is on its way has been waited for.
    pub(super) fn waited(&mut self) {
        self.secrets.waited();
        self.config_maps.waited();
    }

    /// When something that failed is to be tried again.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.secrets.next_try().into_iter().chain(self.config_maps.next_try()).min()
    }

    pub(super) fn secrets(&self) -> Objects<Secret> {
        self.secrets.objects.clone()
    }

    pub(super) fn config_maps(&self) -> Objects<ConfigMap> {
        self.config_maps.objects.clone()
    }

    /// What could not be fetched.
    pub(super) fn reports(&self) -> Vec<Report> {
        let mut reports = self.secrets.reports();
        reports.extend(self.config_maps.reports());
        reports
    }
}

/// A kind that is fetched.
pub(super) trait Fetchable: Resource<DynamicType = ()> + PartialEq + Sized {
    const KIND: Kind;
    /// As RBAC calls it.
    const RESOURCE: &'static str;
    /// What is kept of an answer; none: it is no such object.
    fn read(answer: &[u8]) -> Option<Self>;
}

/// Name and namespace alone: annotations may hold everything once more.
fn name(metadata: ObjectMeta) -> ObjectMeta {
    ObjectMeta { name: metadata.name, namespace: metadata.namespace, ..ObjectMeta::default() }
}

impl Fetchable for Secret {
    const KIND: Kind = Kind::Secret;
    const RESOURCE: &'static str = "secrets";

    fn read(answer: &[u8]) -> Option<Self> {
        let Self { metadata, type_, data, .. } = serde_json::from_slice(answer).ok()?;
        Some(Self { metadata: name(metadata), type_, data, ..Self::default() })
    }
}

impl Fetchable for ConfigMap {
    const KIND: Kind = Kind::ConfigMap;
    const RESOURCE: &'static str = "configmaps";

    fn read(answer: &[u8]) -> Option<Self> {
        let Self { metadata, data, .. } = serde_json::from_slice(answer).ok()?;
        Some(Self { metadata: name(metadata), data, ..Self::default() })
    }
}

/// What has been fetched of one kind, and what is on its way.
struct Fetched<K> {
    objects: Objects<K>,
    attempts: BTreeMap<Key, Attempt>,
    /// Those of the attempts that are on their way, have failed, or have been answered since this was last looked at.
    open: BTreeSet<Key>,
    /// What was wanted and there when this was last looked at.
    wanted: OrdSet<Key>,
    there: Objects<Version<K>>,
}

/// How far one object is.
struct Attempt {
    /// The version that was asked for last.
    version: String,
    running: Option<AbortHandle>,
    /// Why it failed, and when it is tried again.
    failed: Option<(Failure, Instant)>,
    pace: Pace,
    /// Whether an input has gone out that could have waited for it.
    waited: bool,
}

impl<K> Default for Fetched<K> {
    fn default() -> Self {
        let (objects, there) = (Objects::new(), Objects::new());
        Self { objects, attempts: BTreeMap::new(), open: BTreeSet::new(), wanted: OrdSet::new(), there }
    }
}

impl<K: Fetchable> Fetched<K> {
    fn want(
        &mut self,
        wanted: &OrdSet<Key>,
        there: &Objects<Version<K>>,
        start: &mut impl FnMut(Kind, String, (Key, String)) -> AbortHandle,
    ) -> bool {
        let (old_wanted, old_there) = (self.wanted.clone(), self.there.clone());
        (self.wanted, self.there) = (wanted.clone(), there.clone());
        let mut keys = self.open.clone();
        keys.extend(old_wanted.diff(wanted).map(|item| match item {
            ordset::DiffItem::Add(key) | ordset::DiffItem::Remove(key) => key.clone(),
        }));
        keys.extend(old_there.diff(there).map(|item| match item {
            ordmap::DiffItem::Add(key, _) | ordmap::DiffItem::Remove(key, _) => key.clone(),
            ordmap::DiffItem::Update { new: (key, _), .. } => key.clone(),
        }));
        let (now, mut changed) = (Instant::now(), false);
        for key in keys {
            let Some(version) = there.get(&key).filter(|_| wanted.contains(&key)) else {
                changed |= self.forget(&key);
                continue;
            };
            let version = version.version.as_str();
            let attempt = self.attempts.entry(key.clone()).or_insert_with(|| Attempt {
                version: String::new(),
                running: None,
                failed: None,
                pace: Pace::new(PAUSE.0, PAUSE.1),
                waited: false,
            });
            let due = attempt.failed.as_ref().map_or(attempt.version != version, |(_, again)| *again <= now);
            if attempt.running.is_some() || !due {
                if attempt.running.is_none() && attempt.failed.is_none() {
                    self.open.remove(&key);
                }
                continue;
            }
            version.clone_into(&mut attempt.version);
            let url = K::url_path(&(), Some(key.namespace()));
            attempt.running = Some(start(<K as Fetchable>::KIND, url, (key.clone(), version.to_owned())));
            self.open.insert(key);
        }
        changed
    }

    /// Forgets an object. Whether it was there.
    fn forget(&mut self, key: &Key) -> bool {
        self.open.remove(key);
        if let Some(running) = self.attempts.remove(key).and_then(|attempt| attempt.running) {
            running.abort();
        }
        self.objects.remove(key).is_some()
    }

    /// The attempts that are on their way, or have failed.
    fn open(&self) -> impl Iterator<Item = (&Key, &Attempt)> {
        self.open.iter().filter_map(|key| self.attempts.get_key_value(key))
    }

    fn take(&mut self, key: Key, version: String, answer: Result<Bytes, Failure>) -> bool {
        let Some(attempt) = self.attempts.get_mut(&key).filter(|attempt| attempt.version == version) else {
            return false;
        };
        attempt.running = None;
        let read = answer.and_then(|body| K::read(&body).ok_or(Failure::Nonsense("no object of its kind")));
        match read {
            Ok(object) => {
                let mended = attempt.failed.take().is_some();
                attempt.pace.succeeded();
                if self.objects.get(&key).is_some_and(|known| **known == object) {
                    return mended;
                }
                self.objects.insert(key, Arc::new(object));
                true
            }
            // Its watch will say so too.
            Err(failure) if failure.code() == Some(404) => {
                attempt.failed = None;
                self.objects.remove(&key).is_some()
            }
            Err(failure) => {
                let asked = match &failure {
                    Failure::Refused { retry_after, .. } => *retry_after,
                    _ => None,
                };
                let again = Instant::now() + attempt.pace.failed(asked);
                let known = attempt.failed.replace((failure.clone(), again));
                known.is_none_or(|(known, _)| known != failure)
            }
        }
    }

    fn is_first(&self, patient: bool) -> bool {
        let first = |(key, attempt): (&Key, &Attempt)| {
            let coming = match &attempt.failed {
                None => attempt.running.is_some(),
                // What was refused for good does not come by waiting.
                Some((failure, _)) => patient && failure.code().is_none_or(|code| code == 429 || code >= 500),
            };
            coming && !attempt.waited && !self.objects.contains_key(key)
        };
        self.open().any(first)
    }

    fn waited(&mut self) {
        for key in &self.open {
            self.attempts.entry(key.clone()).and_modify(|attempt| attempt.waited = true);
        }
    }

    fn next_try(&self) -> Option<Instant> {
        let waiting = self.open().map(|(_, attempt)| attempt).filter(|attempt| attempt.running.is_none());
        waiting.filter_map(|attempt| attempt.failed.as_ref()).map(|(_, again)| *again).min()
    }

    fn reports(&self) -> Vec<Report> {
        let failed = self.open().filter_map(|(key, attempt)| {
            let why = match &attempt.failed {
                Some((failure, _)) => failure.to_string(),
                None if attempt.running.is_some() && !self.objects.contains_key(key) => "no answer yet".to_owned(),
                None => return None,
            };
            Some((key, why))
        });
        let report = |(key, why): (&Key, String)| {
            let kept =
                if self.objects.contains_key(key) { "its last version goes on being used" } else { "it is not used" };
            Report {
                object: ObjectRef { kind: <K as Fetchable>::KIND, key: key.clone() },
                field: String::new(),
                reason: Reason::Unreadable,
                severity: Severity::Error,
                message: format!("it can't be fetched, so {kept} until it can: {why}"),
                remedy: format!("see that the controller may get {} in namespace {}", K::RESOURCE, key.namespace()),
            }
        };
        failed.map(report).collect()
    }
}
