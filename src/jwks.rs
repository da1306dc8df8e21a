//! Key sets of token issuers (JWKS, RFC 7517) that are fetched from URLs: while a route has such a URL, its keys are kept and renewed.
//!
//! Knows nothing of tokens, routes or tables. A request that finds keys waits for nothing and takes no lock.

mod fetch;
mod fetched_keys;
mod metrics;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::model::{AddressPolicy, KeyUrl};

pub use fetched_keys::{FetchTimes, FetchedKeys};

/// The key sets of all URLs. Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct KeySets(Arc<KeySetsInner>);

#[derive(Debug)]
struct KeySetsInner {
    /// Where key sets are fetched.
    runtime: tokio::runtime::Handle,
    times: FetchTimes,
    /// Which addresses may be asked: the rule for backends, since users write the URLs.
    policy: Arc<ArcSwap<AddressPolicy>>,
    sets: ArcSwap<HashMap<KeyUrl, Arc<FetchedKeys>>>,
}

impl KeySets {
    /// No key set yet. They are fetched on `runtime`.
    pub fn new(runtime: tokio::runtime::Handle, policy: AddressPolicy, times: FetchTimes) -> Self {
        let policy = Arc::new(ArcSwap::from_pointee(policy));
        Self(Arc::new(KeySetsInner { runtime, times, policy, sets: ArcSwap::default() }))
    }

    /// Takes another policy for the addresses that may be asked.
    pub fn restrict(&self, policy: AddressPolicy) {
        if **self.0.policy.load() != policy {
            self.0.policy.store(Arc::new(policy));
        }
    }

    /// Fetches the keys of URLs that routes begin to have. Keys of the same URL are fetched once.
    pub fn watch(&self, urls: impl IntoIterator<Item = KeyUrl>) {
        self.change(urls, |sets, url| {
            sets.entry(url).or_insert_with_key(|url| {
                FetchedKeys::start(&self.0.runtime, url.clone(), Arc::clone(&self.0.policy), self.0.times)
            });
        });
    }

    /// Forgets the keys of URLs that no route has any more.
    pub fn forget(&self, urls: impl IntoIterator<Item = KeyUrl>) {
        self.change(urls, |sets, url| {
            if let Some(keys) = sets.remove(&url) {
                keys.retire();
            }
        });
    }

    /// The keys of a URL. `None`: no route has it.
    pub fn of(&self, url: &KeyUrl) -> Option<Arc<FetchedKeys>> {
        self.0.sets.load().get(url).cloned()
    }

    /// Changes the list, which one caller at a time does: the control loop.
    fn change(
        &self,
        urls: impl IntoIterator<Item = KeyUrl>,
        change: impl Fn(&mut HashMap<KeyUrl, Arc<FetchedKeys>>, KeyUrl),
    ) {
        let mut urls = urls.into_iter().peekable();
        if urls.peek().is_none() {
            return;
        }
        let mut sets = HashMap::clone(&self.0.sets.load());
        urls.for_each(|url| change(&mut sets, url));
        self.0.sets.store(Arc::new(sets));
    }
}

#[cfg(test)]
mod tests;
