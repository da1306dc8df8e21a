//! A map of hosts by name, in shards. The next table shares the shards in which nothing has changed, so that a change costs what
//! has changed; a look-up costs as much as in one map.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::HostTable;

/// Number of shards. A change copies the pointers to all shards and to the hosts of one: for 100,000 hosts, 256 and 400.
const SHARDS: usize = 256;

/// Hosts by name. Cheap to clone.
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
    /// The host with this name.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<HostTable>> {
        let hash = self.hasher.hash_one(name);
        self.shards[shard(hash)].find(hash, |routes| routes.name() == name)
    }

    /// Puts a host in the place of the one with this name. `None`: the host is removed.
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

    /// All hosts, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<HostTable>> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }
}

/// The shard of a hash. It goes by bits that the table within a shard uses least.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}
