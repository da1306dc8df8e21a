//! What the writer of status and the reporter of Events share: the client, who they are, and their log of failures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::time::Instant;

use super::{PoolHealth, PublishedAddresses, StatusMetrics};
use crate::model::PoolId;

/// The time for which a failure of one kind is not logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(300);

/// Reads the health of the members of some pools.
pub type PoolHealthReader = Arc<dyn Fn(&BTreeSet<PoolId>) -> BTreeMap<PoolId, PoolHealth> + Send + Sync>;

/// What every task of the status thread needs.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: Client,
    /// The controller's name: the field manager of status, and the reporting controller of Events.
    pub(super) manager: String,
    /// The identity of this replica.
    pub(super) identity: String,
    pub(super) publish: PublishedAddresses,
    pub(super) health: PoolHealthReader,
    pub(super) metrics: StatusMetrics,
}

/// A log of failures that repeats each kind of failure once in a while only.
#[derive(Debug, Default)]
pub(super) struct FailureLog(BTreeMap<(&'static str, u16), Instant>);

impl FailureLog {
    /// Logs `message`, unless a write to an object of the same kind has failed with the same HTTP status lately.
    pub(super) fn warn(&mut self, kind: &'static str, code: u16, now: Instant, message: &str) {
        let logged_lately = self.0.get(&(kind, code)).is_some_and(|at| now < *at + LOG_INTERVAL);
        if !logged_lately {
            self.0.insert((kind, code), now);
            tracing::warn!(kind, code, "{message}");
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client: _, manager, identity, publish, health: _, metrics: _ } = self;
        f.debug_struct("Context")
            .field("manager", manager)
            .field("identity", identity)
            .field("publish", publish)
            .finish_non_exhaustive()
    }
}
