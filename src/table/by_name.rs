//! The routes of hosts by name, in shards: the next table shares those in which nothing has changed, so that it costs no more
//! than what has, and a look-up costs what it does in one map.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::HostTable;

/// Enough for 100,000 hosts; a change copies one in so many of them, and as many pointers.
const SHARDS: usize = 256;

/// Routes of hosts by name. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ByName {
    shards: Arc<[Arc<HashTable<Arc<HostTable>>>]>,
    hasher: RandomState,
}

impl Default for ByName {
    fn default() -> Self {
        Self { shards: vec![Arc::default(); SHARDS].into(), hasher: RandomState::new() }
    }
}

impl ByName {
    /// The routes of the host that is called so.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<HostTable>> {
        let hash = self.hasher.hash_one(name);
        self.shards[shard(hash)].find(hash, |routes| routes.name() == name)
    }

    /// Puts these routes in the place of what is called so; `None`: removes it.
    pub(super) fn set(&mut self, name: &str, routes: Option<Arc<HostTable>>) {
        let hash = self.hasher.hash_one(name);
        let shard = Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard(hash)]);
        if let Ok(found) = shard.find_entry(hash, |routes| routes.name() == name) {
            found.remove();
        }
        if let Some(routes) = routes {
            shard.insert_unique(hash, routes, |routes| self.hasher.hash_one(routes.name()));
        }
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<HostTable>> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }
}

/// By bits that a shard's own table makes the least of.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}
