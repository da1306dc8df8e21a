//! Secrets and ConfigMaps: only those that something served refers to are fetched, and only they are stored.
//!
//! Fetching holds up nothing else. Only for objects that have never been fetched an input waits a little while, lest objects
//! that are on their way be reported as missing.

mod fetched;

use std::sync::Arc;

use bytes::Bytes;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::GetParams;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::request::{ApiServer, RequestFailure};
use super::resource_version::ResourceVersion;
use crate::model::{Key, Kind};
use crate::report::Report;
use crate::source::References;
use crate::source::snapshot::Objects;
use fetched::Fetched;

/// How many fetches run at once.
const MAX_CONCURRENT_FETCHES: usize = 64;

/// Fetches the objects that others refer to.
pub(super) struct Fetcher {
    fetches: Fetches,
    secrets: Fetched<Secret>,
    config_maps: Fetched<ConfigMap>,
}

/// The fetches that are under way.
struct Fetches {
    server: ApiServer,
    permits: Arc<Semaphore>,
    running: JoinSet<FetchAnswer>,
}

/// A fetch that is to be started.
struct FetchRequest {
    kind: Kind,
    /// The path of the kind in the object's namespace.
    url: String,
    key: Key,
    /// The version for which it is fetched.
    version: String,
}

/// The result of one fetch.
struct FetchAnswer {
    kind: Kind,
    key: Key,
    /// The version for which it was fetched.
    version: String,
    result: Result<Bytes, RequestFailure>,
}

impl Fetcher {
    pub(super) fn new(server: ApiServer) -> Self {
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_FETCHES));
        Self {
            fetches: Fetches { server, permits, running: JoinSet::new() },
            secrets: Fetched::default(),
            config_maps: Fetched::default(),
        }
    }

    /// Starts to fetch objects that are referred to, and of which there is a version that was not fetched. Forgets objects
    /// that nothing refers to any more, or that are gone. Whether that removed an object that had been fetched.
    pub(super) fn update(
        &mut self,
        references: &References,
        secrets: &Objects<ResourceVersion<Secret>>,
        config_maps: &Objects<ResourceVersion<ConfigMap>>,
    ) -> bool {
        let changed = self.secrets.update(&references.secrets, secrets, &mut self.fetches);
        self.config_maps.update(&references.config_maps, config_maps, &mut self.fetches) || changed
    }

    /// Takes in the next answer. Never ends while there is none to come. Whether it made a difference.
    pub(super) async fn take_answer(&mut self) -> bool {
        match self.fetches.running.join_next().await {
            Some(Ok(answer)) if answer.kind == Kind::Secret => self.secrets.take(answer),
            Some(Ok(answer)) => self.config_maps.take(answer),
            // The fetch was aborted.
            Some(Err(_)) => false,
            None => std::future::pending().await,
        }
    }

    /// Whether an object is on its way of which no version has been fetched, and that has not been waited for.
    /// `include_retryable`: those whose fetch has failed, and is tried again, are on their way too.
    pub(super) fn awaits_first_fetch(&self, include_retryable: bool) -> bool {
        self.secrets.awaits_first_fetch(include_retryable) || self.config_maps.awaits_first_fetch(include_retryable)
    }

    /// Notes that everything that is on its way has been waited for.
    pub(super) fn stop_waiting(&mut self) {
        self.secrets.stop_waiting();
        self.config_maps.stop_waiting();
    }

    /// When something that failed is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.secrets.next_retry().into_iter().chain(self.config_maps.next_retry()).min()
    }

    pub(super) fn secrets(&self) -> Objects<Secret> {
        self.secrets.objects()
    }

    pub(super) fn config_maps(&self) -> Objects<ConfigMap> {
        self.config_maps.objects()
    }

    /// Reports on objects that could not be fetched.
    pub(super) fn reports(&self) -> Vec<Report> {
        let mut reports = self.secrets.reports();
        reports.extend(self.config_maps.reports());
        reports
    }
}

impl Fetches {
    fn start(&mut self, FetchRequest { kind, url, key, version }: FetchRequest) -> AbortHandle {
        let (server, permits) = (self.server.clone(), Arc::clone(&self.permits));
        self.running.spawn(async move {
            let request = kube::core::Request::new(url).get(key.name(), &GetParams::default());
            let result = match (request, permits.acquire_owned().await) {
                (Ok(request), Ok(_permit)) => server.body(request).await,
                (Err(error), _) => Err(RequestFailure::Broken(error.to_string())),
                (_, Err(error)) => Err(RequestFailure::Broken(error.to_string())),
            };
            FetchAnswer { kind, key, version, result }
        })
    }
}
