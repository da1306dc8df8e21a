//! The objects of one kind that have been fetched, and those that are on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{OrdSet, ordmap, ordset};
use kube::Resource;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{FetchAnswer, FetchRequest, Fetches};
use crate::model::{Key, ObjectRef};
use crate::report::{Reason, Report, Severity};
use crate::source::cluster::backoff::Backoff;
use crate::source::cluster::request::RequestFailure;
use crate::source::cluster::resource_version::ResourceVersion;
use crate::source::snapshot::{Objects, SnapshotKind};

/// The objects of one kind.
pub(super) struct Fetched<K> {
    objects: Objects<K>,
    attempts: BTreeMap<Key, Attempt>,
    /// The attempts that are on their way, have failed, or have been answered since the last update.
    open: BTreeSet<Key>,
    /// The objects that were referred to at the last update.
    wanted: OrdSet<Key>,
    /// The versions that were known at the last update.
    known_versions: Objects<ResourceVersion<K>>,
}

/// The state of one object that is to be fetched.
struct Attempt {
    /// The version for which it was fetched last.
    version: String,
    running: Option<AbortHandle>,
    failed: Option<Failed>,
    backoff: Backoff,
    /// Whether an input has gone out that could have waited for it.
    was_waited_for: bool,
}

/// A fetch that failed.
struct Failed {
    why: RequestFailure,
    /// When it is tried again.
    retry_at: Instant,
}

impl<K> Default for Fetched<K> {
    fn default() -> Self {
        Self {
            objects: Objects::new(),
            attempts: BTreeMap::new(),
            open: BTreeSet::new(),
            wanted: OrdSet::new(),
            known_versions: Objects::new(),
        }
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self {
            version: String::new(),
            running: None,
            failed: None,
            backoff: Backoff::for_requests(),
            was_waited_for: false,
        }
    }
}

impl Attempt {
    /// Whether the object is to be fetched now for this version.
    fn is_due(&self, version: &str, now: Instant) -> bool {
        self.running.is_none()
            && match &self.failed {
                Some(failed) => failed.retry_at <= now,
                None => self.version != version,
            }
    }

    /// Whether it has come to its end.
    fn is_settled(&self) -> bool {
        self.running.is_none() && self.failed.is_none()
    }
}

impl<K: SnapshotKind> Fetched<K> {
    /// [`super::Fetcher::update`], for one kind. Costs what differs from the last update, and what is open.
    pub(super) fn update(
        &mut self,
        wanted: &OrdSet<Key>,
        versions: &Objects<ResourceVersion<K>>,
        fetches: &mut Fetches,
    ) -> bool {
        // Which objects may have to be fetched or forgotten.
        let old_wanted = std::mem::replace(&mut self.wanted, wanted.clone());
        let old_versions = std::mem::replace(&mut self.known_versions, versions.clone());
        let mut keys = self.open.clone();
        keys.extend(old_wanted.diff(wanted).map(|item| match item {
            ordset::DiffItem::Add(key) | ordset::DiffItem::Remove(key) => key.clone(),
        }));
        keys.extend(old_versions.diff(versions).map(|item| match item {
            ordmap::DiffItem::Add(key, _) | ordmap::DiffItem::Remove(key, _) => key.clone(),
            ordmap::DiffItem::Update { new: (key, _), .. } => key.clone(),
        }));
        // Each of them is forgotten, begun, or left as it is.
        let (now, mut changed) = (Instant::now(), false);
        for key in keys {
            let Some(version) = versions.get(&key).filter(|_| wanted.contains(&key)) else {
                changed |= self.forget(&key);
                continue;
            };
            let attempt = self.attempts.entry(key.clone()).or_default();
            if attempt.is_due(&version.text, now) {
                version.text.clone_into(&mut attempt.version);
                attempt.running = Some(fetches.start(FetchRequest {
                    kind: K::KIND,
                    url: K::Resource::url_path(&(), Some(key.namespace())),
                    key: key.clone(),
                    version: version.text.clone(),
                }));
                self.open.insert(key);
            } else if attempt.is_settled() {
                self.open.remove(&key);
            }
        }
        changed
    }

    /// Forgets an object. Whether it had been fetched.
    fn forget(&mut self, key: &Key) -> bool {
        self.open.remove(key);
        if let Some(running) = self.attempts.remove(key).and_then(|attempt| attempt.running) {
            running.abort();
        }
        self.objects.remove(key).is_some()
    }

    /// The attempts that are on their way, or have failed.
    fn open_attempts(&self) -> impl Iterator<Item = (&Key, &Attempt)> {
        self.open.iter().filter_map(|key| self.attempts.get_key_value(key))
    }

    /// Takes in an answer. Whether it made a difference.
    pub(super) fn take(&mut self, FetchAnswer { kind: _, key, version, result }: FetchAnswer) -> bool {
        let Some(attempt) = self.attempts.get_mut(&key).filter(|attempt| attempt.version == version) else {
            return false;
        };
        attempt.running = None;
        match result.and_then(|body| read(&body)) {
            Ok(object) => {
                let had_failed = attempt.failed.take().is_some();
                attempt.backoff.reset();
                if self.objects.get(&key).is_some_and(|known| **known == object) {
                    return had_failed;
                }
                self.objects.insert(key, Arc::new(object));
                true
            }
            // The watch of the kind will say so too.
            Err(failure) if failure.code() == Some(404) => {
                attempt.failed = None;
                self.objects.remove(&key).is_some()
            }
            Err(why) => {
                let retry_at = Instant::now() + attempt.backoff.next_pause(why.retry_after());
                let before = attempt.failed.replace(Failed { why: why.clone(), retry_at });
                before.is_none_or(|before| before.why != why)
            }
        }
    }

    /// [`super::Fetcher::awaits_first_fetch`], for one kind.
    pub(super) fn awaits_first_fetch(&self, include_retryable: bool) -> bool {
        self.open_attempts().any(|(key, attempt)| {
            let is_coming = match &attempt.failed {
                None => attempt.running.is_some(),
                Some(failed) => include_retryable && is_retryable(&failed.why),
            };
            is_coming && !attempt.was_waited_for && !self.objects.contains_key(key)
        })
    }

    /// Notes that everything that is open has been waited for.
    pub(super) fn stop_waiting(&mut self) {
        for key in &self.open {
            self.attempts.entry(key.clone()).and_modify(|attempt| attempt.was_waited_for = true);
        }
    }

    /// When the first of those that failed is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        let waiting = self.open_attempts().map(|(_, attempt)| attempt).filter(|attempt| attempt.running.is_none());
        waiting.filter_map(|attempt| attempt.failed.as_ref()).map(|failed| failed.retry_at).min()
    }

    /// The objects that have been fetched.
    pub(super) fn objects(&self) -> Objects<K> {
        self.objects.clone()
    }

    /// Reports on objects that have not been fetched.
    pub(super) fn reports(&self) -> Vec<Report> {
        let failed = self.open_attempts().filter_map(|(key, attempt)| {
            let why = match &attempt.failed {
                Some(failed) => failed.why.to_string(),
                None if attempt.running.is_some() && !self.objects.contains_key(key) => "no answer yet".to_owned(),
                None => return None,
            };
            Some(self.report(key, &why))
        });
        failed.collect()
    }

    fn report(&self, key: &Key, why: &str) -> Report {
        let consequence =
            if self.objects.contains_key(key) { "its last version goes on being used" } else { "it is not used" };
        Report {
            object: ObjectRef { kind: K::KIND, key: key.clone() },
            field: String::new(),
            reason: Reason::Unreadable,
            severity: Severity::Error,
            message: format!("it can't be fetched, so {consequence} until it can: {why}"),
            remedy: format!(
                "see that the controller may get {} in namespace {}",
                K::Resource::plural(&()),
                key.namespace()
            ),
        }
    }
}

/// The object that an answer holds.
fn read<K: SnapshotKind>(answer: &[u8]) -> Result<K, RequestFailure> {
    let mut resource: K::Resource =
        serde_json::from_slice(answer).map_err(|_| RequestFailure::Nonsense("no object of its kind"))?;
    K::trim(&mut resource);
    Ok(K::from(resource))
}

/// Whether another attempt may succeed. An object that is refused for good does not come by waiting.
fn is_retryable(failure: &RequestFailure) -> bool {
    failure.code().is_none_or(|code| code == 429 || code >= 500)
}
