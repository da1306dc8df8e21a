//! Secrets and ConfigMaps: only those that something refers to are fetched, and only they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::kept::Version;
use super::store::Shared;
use crate::model::ObjectRef;
use crate::source::snapshot::Objects;
use crate::source::{Key, Snapshot};
use crate::status::{Reason, Report, Severity};

/// Fetches at once.
const CONCURRENT: usize = 16;
/// How long one fetch, and with it the publication of what else has changed, may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Pauses after failures: the first, doubled each time up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What has been fetched.
#[derive(Default)]
pub(super) struct Fetcher {
    secrets: Fetched<Secret>,
    config_maps: Fetched<ConfigMap>,
}

/// What has been fetched of one kind.
struct Fetched<K> {
    objects: Objects<K>,
    failed: BTreeMap<Key, Failed>,
}

impl<K> Default for Fetched<K> {
    fn default() -> Self {
        Self { objects: Objects::new(), failed: BTreeMap::new() }
    }
}

struct Failed {
    error: String,
    times: u32,
    again: Instant,
}

impl Fetcher {
    /// Brings everything that is referred to up to the version that its watch has seen. What can't be fetched keeps its
    /// last version, and is tried again later.
    pub(super) async fn fetch(&mut self, shared: &Shared, client: &Client) {
        let (secrets, config_maps) = {
            let store = shared.lock();
            let wanted = references(&store.snapshot);
            (
                self.secrets.stale(&wanted.secrets, &store.secrets),
                self.config_maps.stale(&wanted.config_maps, &store.config_maps),
            )
        };
        self.secrets.fetch(client, secrets).await;
        self.config_maps.fetch(client, config_maps).await;
    }

    /// How long until something that failed is to be tried again.
    pub(super) fn next_try(&self) -> Option<Duration> {
        let failed = self.secrets.failed.values().chain(self.config_maps.failed.values());
        let now = Instant::now();
        failed.map(|failed| failed.again.saturating_duration_since(now)).min()
    }

    /// Puts what has been fetched into a snapshot.
    pub(super) fn fill(&self, snapshot: &mut Snapshot) {
        snapshot.secrets.clone_from(&self.secrets.objects);
        snapshot.config_maps.clone_from(&self.config_maps.objects);
    }

    /// What could not be fetched.
    pub(super) fn reports(&self) -> Vec<Report> {
        let mut reports = self.secrets.reports("Secret", "secrets", Reason::SecretNotFound);
        reports.extend(self.config_maps.reports("ConfigMap", "configmaps", Reason::ConfigMapNotFound));
        reports
    }
}

impl<K> Fetched<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Forgets what nothing refers to or what is gone, and gives what has a newer version.
    fn stale(&mut self, wanted: &BTreeSet<Key>, there: &Objects<Version<K>>) -> Vec<Key> {
        let known = |key: &Key| wanted.contains(key) && there.contains_key(key);
        self.objects.retain(|key, _| known(key));
        self.failed.retain(|key, _| known(key));
        let now = Instant::now();
        let stale = wanted.iter().filter(|key| {
            let version = there.get(*key).map(|there| there.version.as_str());
            let have = self.objects.get(*key).and_then(|object| object.meta().resource_version.as_deref());
            version.is_some() && version != have && self.failed.get(*key).is_none_or(|failed| failed.again <= now)
        });
        stale.cloned().collect()
    }

    async fn fetch(&mut self, client: &Client, keys: Vec<Key>) {
        let gets = futures_util::stream::iter(keys.into_iter().map(|key| {
            let api: Api<K> = Api::namespaced(client.clone(), &key.namespace);
            async move {
                let got = tokio::time::timeout(LIMIT, api.get_opt(&key.name)).await;
                (key, got)
            }
        }));
        let mut gets = gets.buffer_unordered(CONCURRENT);
        while let Some((key, got)) = gets.next().await {
            let error = match got {
                Ok(Ok(Some(mut object))) => {
                    object.meta_mut().managed_fields = None;
                    object.meta_mut().annotations = None;
                    self.failed.remove(&key);
                    self.objects.insert(key, Arc::new(object));
                    continue;
                }
                // Its watch will say so too.
                Ok(Ok(None)) => {
                    self.objects.remove(&key);
                    continue;
                }
                Ok(Err(kube::Error::Api(status))) => format!("{} {}", status.code, status.message),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {LIMIT:?}"),
            };
            let times = self.failed.get(&key).map_or(0, |failed| failed.times);
            let pause = PAUSE.1.min(PAUSE.0 * 2u32.saturating_pow(times)).mul_f64(0.5 + 0.5 * fastrand::f64());
            self.failed.insert(key, Failed { error, times: times + 1, again: Instant::now() + pause });
        }
    }

    fn reports(&self, kind: &'static str, resource: &str, reason: Reason) -> Vec<Report> {
        let report = |(key, failed): (&Key, &Failed)| Report {
            object: ObjectRef::new(kind, key.namespace.as_str(), key.name.as_str()),
            field: String::new(),
            reason,
            severity: Severity::Error,
            message: format!("it can't be fetched: {}; tried again", failed.error),
            remedy: format!("see that the controller may get {resource} in namespace {}", key.namespace),
        };
        self.failed.iter().map(report).collect()
    }
}

/// Names that objects refer to.
#[derive(Debug, Default)]
struct References {
    secrets: BTreeSet<Key>,
    config_maps: BTreeSet<Key>,
}

fn references(snapshot: &Snapshot) -> References {
    let mut references = References::default();
    for (key, ingress) in &snapshot.ingresses {
        let tls = ingress.spec.iter().flat_map(|spec| spec.tls.iter().flatten());
        let names = tls.filter_map(|tls| tls.secret_name.as_deref());
        references.secrets.extend(names.map(|name| Key::new(key.namespace.as_str(), name)));
    }
    for (key, gateway) in &snapshot.gateways {
        let own = |name: &str| Key::new(key.namespace.as_str(), name);
        references
            .secrets
            .extend(gateway.spec.ssl_certificates.iter().map(|certificate| own(&certificate.secret_ref.name)));
        for root in &gateway.spec.trusted_root_certificates {
            references.secrets.extend(root.secret_ref.iter().map(|reference| own(&reference.name)));
            references.config_maps.extend(root.config_map_ref.iter().map(|reference| own(&reference.name)));
        }
    }
    references
}
