//! The state of the watches. What is not right with one is told once when it begins and once when it is over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a watch does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server does not know the kind.
    Absent,
    /// The server does not permit it, in its own words.
    Forbidden(String),
    /// Anything else, which may pass.
    Failing(String),
}

impl fmt::Display for Trouble {
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

/// How one watch is.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Whether a whole list has come.
    pub listed: bool,
    /// What is not right now, and for how long.
    pub trouble: Option<(Trouble, Duration)>,
    /// How often it has failed.
    pub failures: u64,
    /// How often it was cut and begun again.
    pub restarts: u64,
}

/// How the watches are, by what they watch: `secrets`, `services in namespace web`. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<Mutex<BTreeMap<String, Known>>>);

#[derive(Debug, Default)]
struct Known {
    listed: bool,
    trouble: Option<(Trouble, Instant)>,
    failures: u64,
    restarts: u64,
}

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every watch.
    pub fn states(&self) -> Vec<(String, State)> {
        let state = |known: &Known| State {
            listed: known.listed,
            trouble: known.trouble.as_ref().map(|(trouble, since)| (trouble.clone(), since.elapsed())),
            failures: known.failures,
            restarts: known.restarts,
        };
        self.lock().iter().map(|(what, known)| (what.clone(), state(known))).collect()
    }

    pub(super) fn expect(&self, what: &str) {
        self.lock().entry(what.to_owned()).or_default();
    }

    pub(super) fn is_listed(&self, what: &str) -> bool {
        self.lock().get(what).is_some_and(|known| known.listed)
    }

    pub(super) fn listed(&self, what: &str) {
        self.lock().entry(what.to_owned()).or_default().listed = true;
    }

    pub(super) fn restarted(&self, what: &str) {
        self.lock().entry(what.to_owned()).or_default().restarts += 1;
    }

    pub(super) fn begin(&self, what: &str, trouble: Trouble) {
        let mut watches = self.lock();
        let known = watches.entry(what.to_owned()).or_default();
        known.failures += 1;
        let since = match &known.trouble {
            Some((before, since)) => {
                if std::mem::discriminant(before) == std::mem::discriminant(&trouble) {
                    tracing::debug!(watch = what, %trouble, "watch fails again");
                    known.trouble = Some((trouble, *since));
                    return;
                }
                *since
            }
            None => Instant::now(),
        };
        let meanwhile =
            if known.listed { "what was known of it goes on being served" } else { "nothing is served yet" };
        match &trouble {
            Trouble::Absent => tracing::warn!(watch = what, "{trouble}; looked for every few seconds"),
            Trouble::Forbidden(_) => tracing::error!(watch = what, "watch fails, {meanwhile}: {trouble}"),
            Trouble::Failing(_) => tracing::warn!(watch = what, "watch fails, {meanwhile}: {trouble}"),
        }
        known.trouble = Some((trouble, since));
    }

    pub(super) fn over(&self, what: &str) {
        let trouble = self.lock().get_mut(what).and_then(|known| known.trouble.take());
        if let Some((_, since)) = trouble {
            tracing::info!(watch = what, after = ?since.elapsed(), "watch works");
        }
    }
}
