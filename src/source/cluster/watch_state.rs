//! The state of the watches, for readiness and metrics. Trouble with a watch is logged once when it begins and once when it
//! ends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a watch does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchTrouble {
    /// The server does not know the kind.
    Absent,
    /// The server does not permit it, in its own words.
    Forbidden(String),
    /// Anything else, which may pass.
    Failing(String),
}

impl fmt::Display for WatchTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the cluster has no such resource; apply the definitions in crds/"),
            Self::Forbidden(message) => write!(
                f,
                "{message}; give the controller's service account the verbs list and watch for it, as the chart's role does"
            ),
            Self::Failing(error) => f.write_str(error),
        }
    }
}

/// The state of one watch.
#[derive(Debug, Clone, Default)]
pub struct WatchState {
    /// Whether a complete list has come.
    pub listed: bool,
    /// The trouble that there is now, and for how long.
    pub trouble: Option<(WatchTrouble, Duration)>,
    /// How often it has failed.
    pub failures: u64,
    /// How often it has ended although it worked, and begun again.
    pub restarts: u64,
}

/// The states of all watches, by what they watch: `secrets`, `services in namespace web`. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct WatchStates(Arc<Mutex<BTreeMap<String, WatchEntry>>>);

#[derive(Debug, Default)]
struct WatchEntry {
    listed: bool,
    trouble: Option<(WatchTrouble, Instant)>,
    failures: u64,
    restarts: u64,
}

impl WatchStates {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, WatchEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of every watch.
    pub fn states(&self) -> Vec<(String, WatchState)> {
        let state = |entry: &WatchEntry| WatchState {
            listed: entry.listed,
            trouble: entry.trouble.as_ref().map(|(trouble, since)| (trouble.clone(), since.elapsed())),
            failures: entry.failures,
            restarts: entry.restarts,
        };
        self.lock().iter().map(|(label, entry)| (label.clone(), state(entry))).collect()
    }

    /// Adds a watch that has seen nothing yet.
    pub(super) fn expect(&self, label: &str) {
        self.lock().entry(label.to_owned()).or_default();
    }

    /// Whether a complete list of a watch has come.
    pub(super) fn is_listed(&self, label: &str) -> bool {
        self.lock().get(label).is_some_and(|entry| entry.listed)
    }

    /// Notes that a complete list has come.
    pub(super) fn set_listed(&self, label: &str) {
        self.lock().entry(label.to_owned()).or_default().listed = true;
    }

    /// Counts a watch that ended although it worked.
    pub(super) fn count_restart(&self, label: &str) {
        self.lock().entry(label.to_owned()).or_default().restarts += 1;
    }

    /// Counts a failure, and logs it if it is another than the watch had before.
    pub(super) fn report_trouble(&self, label: &str, trouble: WatchTrouble) {
        let mut watches = self.lock();
        let entry = watches.entry(label.to_owned()).or_default();
        entry.failures += 1;
        let since = match &entry.trouble {
            Some((before, since)) => {
                if std::mem::discriminant(before) == std::mem::discriminant(&trouble) {
                    tracing::debug!(watch = label, %trouble, "watch fails again");
                    entry.trouble = Some((trouble, *since));
                    return;
                }
                *since
            }
            None => Instant::now(),
        };
        let meanwhile =
            if entry.listed { "what was known of it goes on being served" } else { "nothing is served yet" };
        match &trouble {
            WatchTrouble::Absent => tracing::warn!(watch = label, "{trouble}; looked for every few seconds"),
            WatchTrouble::Forbidden(_) => tracing::error!(watch = label, "watch fails, {meanwhile}: {trouble}"),
            WatchTrouble::Failing(_) => tracing::warn!(watch = label, "watch fails, {meanwhile}: {trouble}"),
        }
        entry.trouble = Some((trouble, since));
    }

    /// Ends the trouble of a watch, and logs that, if there was any.
    pub(super) fn end_trouble(&self, label: &str) {
        let trouble = self.lock().get_mut(label).and_then(|entry| entry.trouble.take());
        if let Some((_, since)) = trouble {
            tracing::info!(watch = label, after = ?since.elapsed(), "watch works");
        }
    }
}
