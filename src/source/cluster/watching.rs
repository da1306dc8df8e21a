//! One watch: a list, then its changes, for as long as the process lives.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::Api;
use kube::runtime::watcher::{self, Error, Event, watcher};

use super::kept::{Kept, Received, key};
use super::store::{List, Shared};
use super::trouble::{Trouble, Troubles};
use crate::api::ApplicationGateway;
use crate::source::Key;

/// Pauses after failures: the first, doubled each time up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How often a kind is looked for that the server does not know.
const ABSENT: Duration = Duration::from_secs(5);
/// How long a watch must have gone without failure to be called well again, where no change comes to prove it.
const WELL: Duration = Duration::from_secs(15);

/// How a server gives whole lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// As the beginning of a watch (KEP-3157): neither the server nor we hold a whole list at once.
    Streamed,
    /// Page by page.
    Paged,
}

/// A watch of one kind, in one namespace or all, of one object or all.
pub(super) struct Watching<D> {
    pub(super) api: Api<D>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) lists: Lists,
    pub(super) silence: Duration,
    /// The number of its list.
    pub(super) list: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) troubles: Troubles,
}

impl<D: Received> Watching<D> {
    /// Watches until the task is ended.
    pub(super) async fn run(mut self) {
        let what = self.describe();
        let mut failures = 0;
        loop {
            let mut stream = pin!(watcher(self.api.clone(), self.config()));
            let mut list: Option<List<D::Kept>> = None;
            // Until the server is to be asked in another way.
            loop {
                let event = match tokio::time::timeout(WELL, stream.next()).await {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(_) => {
                        if list.is_none() {
                            failures = 0;
                            self.troubles.over(&what);
                        }
                        continue;
                    }
                };
                let error = match event {
                    Ok(Event::Init) => {
                        list = Some(List::new());
                        continue;
                    }
                    Ok(Event::InitApply(object)) => {
                        if let Some(list) = &mut list {
                            list.insert(key(&object), object.read());
                        }
                        continue;
                    }
                    Ok(Event::InitDone) => {
                        self.take(list.take().unwrap_or_default());
                        failures = 0;
                        self.troubles.over(&what);
                        continue;
                    }
                    Ok(Event::Apply(object)) => {
                        self.shared.put(key(&object), object.read());
                        self.troubles.over(&what);
                        continue;
                    }
                    Ok(Event::Delete(object)) => {
                        self.shared.remove::<D::Kept>(&key(&object));
                        self.troubles.over(&what);
                        continue;
                    }
                    Err(error) => error,
                };
                let trouble = self.trouble(&error);
                if trouble == Trouble::NoStreams && self.lists == Lists::Streamed {
                    self.lists = Lists::Paged;
                    break;
                }
                let pause = if trouble == Trouble::Absent {
                    // Whatever there was of it went with its definition.
                    self.take(List::new());
                    list = None;
                    ABSENT
                } else {
                    let longest = PAUSE.1.min(PAUSE.0 * 2u32.saturating_pow(failures));
                    failures += 1;
                    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
                };
                self.troubles.begin(&what, trouble);
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn config(&self) -> watcher::Config {
        let seconds = u32::try_from(self.silence.as_secs()).unwrap_or(u32::MAX).max(1);
        // The server ends the watch after this time, having told how far it was; a few seconds later it is taken for dead.
        let mut config = watcher::Config::default().timeout(seconds);
        if self.lists == Lists::Streamed {
            config = config.streaming_lists();
        }
        if let Some(name) = &self.name {
            config = config.fields(&format!("metadata.name={name}"));
        }
        config
    }

    fn take(&self, list: List<D::Kept>) {
        self.shared.replace(self.list, list, |key: &Key| {
            self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
                && self.name.as_ref().is_none_or(|name| *name == key.name)
        });
    }

    /// What is watched, as RBAC and people name it.
    fn describe(&self) -> String {
        let (group, plural) = (D::group(&()), D::plural(&()));
        let resource = if group.is_empty() { plural.into_owned() } else { format!("{plural}.{group}") };
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => format!("{resource} {namespace}/{name}"),
            (Some(namespace), None) => format!("{resource} in namespace {namespace}"),
            _ => resource,
        }
    }

    fn trouble(&self, error: &Error) -> Trouble {
        let status = match error {
            Error::InitialListFailed(kube::Error::Api(status))
            | Error::WatchStartFailed(kube::Error::Api(status))
            | Error::WatchFailed(kube::Error::Api(status)) => Some(status),
            Error::WatchError(status) => Some(status),
            _ => None,
        };
        match status {
            Some(status) if status.code == 404 && D::Kept::KIND == ApplicationGateway::KIND => Trouble::Absent,
            Some(status) if status.code == 403 => Trouble::Forbidden,
            Some(status) if matches!(status.code, 400 | 422) && self.lists == Lists::Streamed => Trouble::NoStreams,
            Some(status) => Trouble::Failing(format!("{} {}: {}", status.code, status.reason, status.message)),
            None => Trouble::Failing(chain(error)),
        }
    }
}

/// An error and what it came from, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}
