//! Pools that nothing leads to any more: they keep their members for a while, and may come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{PoolChanges, Registered, Registry};
use crate::model::PoolId;

/// How long a retired pool keeps its members, for requests in progress.
pub(super) const RETIREMENT_PERIOD: Duration = Duration::from_secs(30);

impl Registry {
    /// Retires the pools that nothing leads to any more.
    pub(super) fn retire<'a>(
        &self,
        registered: &mut Registered,
        gone: impl Iterator<Item = &'a PoolId>,
        changes: &mut PoolChanges,
    ) {
        let mut any = false;
        for id in gone {
            registered.refused.remove(id);
            if let Some(pool) = registered.pools.remove(id) {
                changes.emptied.push(pool.state.load_full());
                registered.retired.insert(id.clone(), (Arc::downgrade(&pool), Instant::now()));
                any = true;
            }
        }
        if any {
            let registry = self.downgrade();
            self.0.runtime.spawn(async move {
                tokio::time::sleep(RETIREMENT_PERIOD).await;
                if let Some(registry) = registry.upgrade() {
                    registry.empty_retired();
                }
            });
        }
    }

    /// Empties the pools that have been retired for long enough.
    fn empty_retired(&self) {
        self.lock().retired.retain(|_, (pool, since)| {
            let held = pool.upgrade();
            if let Some(pool) = held.as_ref().filter(|_| since.elapsed() >= RETIREMENT_PERIOD) {
                pool.state.store(Arc::default());
            }
            held.is_some()
        });
    }
}
