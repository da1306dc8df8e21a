//! What is not right with the watches, told once when it begins and once when it is over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Why a watch does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server does not know the kind.
    Absent,
    /// The server does not permit it.
    Forbidden,
    /// The server does not stream lists.
    NoStreams,
    /// Anything else, which may pass.
    Failing(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the cluster has no such resource; apply the definitions in crds/"),
            Self::Forbidden => f.write_str(
                "forbidden; the controller's service account needs the verbs list and watch for it, as the chart grants",
            ),
            Self::NoStreams => f.write_str("the server does not stream lists"),
            Self::Failing(error) => f.write_str(error),
        }
    }
}

/// The watches that don't work now, and how often any has failed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    now: BTreeMap<String, (Trouble, Instant)>,
    failures: BTreeMap<String, u64>,
}

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watches that don't work now, and why.
    pub fn now(&self) -> Vec<(String, Trouble)> {
        self.lock().now.iter().map(|(what, (trouble, _))| (what.clone(), trouble.clone())).collect()
    }

    /// How often each watch has failed.
    pub fn failures(&self) -> BTreeMap<String, u64> {
        self.lock().failures.clone()
    }

    pub(super) fn begin(&self, what: &str, trouble: Trouble) {
        let mut inner = self.lock();
        *inner.failures.entry(what.to_owned()).or_default() += 1;
        let since = match inner.now.get(what) {
            Some((known, since)) => {
                if std::mem::discriminant(known) == std::mem::discriminant(&trouble) {
                    tracing::debug!(watch = what, %trouble, "watch fails again");
                    return;
                }
                *since
            }
            None => Instant::now(),
        };
        match trouble {
            Trouble::Absent | Trouble::NoStreams => {
                tracing::warn!(watch = what, "{trouble}; looked for every few seconds")
            }
            Trouble::Forbidden => tracing::error!(watch = what, "{trouble}"),
            Trouble::Failing(_) => {
                tracing::warn!(watch = what, error = %trouble, "watch fails; what was known of it goes on being served");
            }
        }
        inner.now.insert(what.to_owned(), (trouble, since));
    }

    pub(super) fn over(&self, what: &str) {
        if let Some((_, since)) = self.lock().now.remove(what) {
            tracing::info!(watch = what, after = ?since.elapsed(), "watch works");
        }
    }
}
