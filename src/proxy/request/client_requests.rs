//! The requests of clients, counted by the object that limits them and the client's address. Bounded: of the clients that have been
//! silent for longest nothing is known any more.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::model::{ObjectRef, RateLimit, RateUnit};
use crate::proxy::limits::MAX_LIMITED_CLIENTS;

/// Parts that are locked apart.
const SHARDS: usize = 16;

/// The requests of clients.
#[derive(Debug)]
pub(in crate::proxy) struct ClientRequests {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// A client, as an object limits it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::proxy) struct LimitedClient {
    /// The object.
    pub(in crate::proxy) owner: Arc<ObjectRef>,
    /// The client's address.
    pub(in crate::proxy) address: IpAddr,
}

/// Clients of one shard. Those that have come since the last turn are in `young`; at a turn those are in `old` that had been there
/// before, and the rest is forgotten.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<LimitedClient, Buckets>,
    old: HashMap<LimitedClient, Buckets>,
    /// Requests under way.
    concurrent: HashMap<LimitedClient, u32>,
}

/// The leaky buckets of a client: that of seconds and that of minutes.
#[derive(Debug, Clone, Copy, Default)]
struct Buckets([Option<Bucket>; 2]);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// The requests in it.
    level: f64,
    /// When that was so.
    at: Instant,
}

/// A request under way. Dropping it ends it.
#[derive(Debug)]
pub(in crate::proxy) struct RequestSlot {
    requests: Arc<ClientRequests>,
    client: LimitedClient,
}

impl Default for ClientRequests {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl ClientRequests {
    /// Counts a request against all of the rates. `false`: it is one too many for one of them, and counts for none.
    pub(in crate::proxy) fn take(&self, client: &LimitedClient, rates: &[RateLimit], now: Instant) -> bool {
        let mut shard = self.shard(client);
        let mut buckets = shard.buckets(client);
        let all = rates.iter().all(|rate| buckets.take(*rate, now));
        if all {
            shard.put(client, buckets);
        }
        all
    }

    /// Begins a request of a client that may have `limit` at once. `None`: it has.
    pub(in crate::proxy) fn begin(self: &Arc<Self>, client: LimitedClient, limit: u32) -> Option<RequestSlot> {
        let mut shard = self.shard(&client);
        let count = shard.concurrent.entry(client.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        drop(shard);
        Some(RequestSlot { requests: Arc::clone(self), client })
    }

    fn shard(&self, client: &LimitedClient) -> MutexGuard<'_, Shard> {
        let index = self.hasher.hash_one(client) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for RequestSlot {
    fn drop(&mut self) {
        let mut shard = self.requests.shard(&self.client);
        if let Some(count) = shard.concurrent.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                shard.concurrent.remove(&self.client);
            }
        }
    }
}

impl Shard {
    fn buckets(&self, client: &LimitedClient) -> Buckets {
        self.young.get(client).or_else(|| self.old.get(client)).copied().unwrap_or_default()
    }

    fn put(&mut self, client: &LimitedClient, buckets: Buckets) {
        if let Some(known) = self.young.get_mut(client) {
            *known = buckets;
            return;
        }
        if self.young.len() >= MAX_LIMITED_CLIENTS / SHARDS / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(client.clone(), buckets);
    }
}

impl Buckets {
    /// Adds a request to the bucket of a rate, if it takes one more.
    fn take(&mut self, rate: RateLimit, now: Instant) -> bool {
        let bucket = match rate.per {
            RateUnit::Second => &mut self.0[0],
            RateUnit::Minute => &mut self.0[1],
        };
        // The request that finds it empty is not in it: that one has been served at once.
        let level = bucket.map_or(0.0, |Bucket { level, at }| {
            let leaked = now.saturating_duration_since(at).as_secs_f64() * rate.per_second();
            (level + 1.0 - leaked).max(0.0)
        });
        if level > rate.burst as f64 {
            return false;
        }
        *bucket = Some(Bucket { level, at: now });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Kind;

    fn client(last: u8) -> LimitedClient {
        let owner = Arc::new(ObjectRef::new(Kind::Ingress, "default", "site"));
        LimitedClient { owner, address: IpAddr::from([10, 0, 0, last]) }
    }

    const ONE_A_SECOND: RateLimit = RateLimit { requests: 1, per: RateUnit::Second, burst: 5 };

    #[test]
    fn a_burst_passes_and_then_one_request_for_each_that_has_leaked() {
        let requests = ClientRequests::default();
        let start = Instant::now();
        let take = |after: f64| requests.take(&client(1), &[ONE_A_SECOND], start + Duration::from_secs_f64(after));
        let first: Vec<bool> = (0..8).map(|_| take(0.0)).collect();
        assert_eq!(first, [true, true, true, true, true, true, false, false]);
        assert_eq!([take(0.5), take(1.0), take(1.1), take(2.0)], [false, true, false, true]);
        assert!(requests.take(&client(2), &[ONE_A_SECOND], start), "another client has a bucket of its own");
    }

    #[test]
    fn a_request_that_one_rate_refuses_counts_for_none() {
        let requests = ClientRequests::default();
        let start = Instant::now();
        let minute = RateLimit { requests: 60, per: RateUnit::Minute, burst: 1 };
        let rates = [RateLimit { burst: 100, ..ONE_A_SECOND }, minute];
        let passed = (0..10).filter(|_| requests.take(&client(1), &rates, start)).count();
        assert_eq!(passed, 2);
        let second = requests.shard(&client(1)).buckets(&client(1)).0[0].map(|bucket| bucket.level);
        assert_eq!(second, Some(1.0));
    }

    #[test]
    fn so_many_requests_are_under_way_at_once() {
        let requests = Arc::new(ClientRequests::default());
        let slots: Vec<_> = (0..3).map(|_| requests.begin(client(1), 2)).collect();
        assert_eq!(slots.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
        assert!(requests.begin(client(2), 2).is_some());
        drop(slots);
        assert!(requests.begin(client(1), 1).is_some());
        assert!(requests.shard(&client(1)).concurrent.is_empty(), "what has ended leaves nothing behind");
    }

    #[test]
    fn no_number_of_clients_takes_more_than_the_limit() {
        let requests = ClientRequests::default();
        let now = Instant::now();
        let many = u32::try_from(3 * MAX_LIMITED_CLIENTS).expect("few enough");
        for number in 0..many {
            let address = IpAddr::from(number.to_be_bytes());
            requests.take(&LimitedClient { address, ..client(0) }, &[ONE_A_SECOND], now);
        }
        let known =
            |shard: &Mutex<Shard>| shard.lock().map(|shard| shard.young.len() + shard.old.len()).unwrap_or_default();
        assert!(requests.shards.iter().map(known).sum::<usize>() <= MAX_LIMITED_CLIENTS);
    }
}
