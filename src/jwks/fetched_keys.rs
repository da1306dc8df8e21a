//! The keys of one URL: the newest that were fetched, and the task that renews them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::fetch::{self, Fetched};
use crate::model::{AddressPolicy, KeySet, KeyUrl};

/// When keys are fetched, and for how long they are used.
#[derive(Debug, Clone, Copy)]
pub struct FetchTimes {
    /// The pause between two fetches, where the answer does not say how long it may be kept.
    pub interval: Duration,
    /// The shortest and the longest pause, whatever the answer says.
    pub intervals: (Duration, Duration),
    /// The shortest time from a fetch to one that a request asks for, because its token names a key that nobody knows.
    pub min_demand_interval: Duration,
    /// The first and the longest pause after a fetch that has failed. Each pause is twice as long as the one before.
    pub retries: (Duration, Duration),
    /// How long keys are used after the last fetch that has succeeded.
    pub max_age: Duration,
}

impl Default for FetchTimes {
    fn default() -> Self {
        let (second, minute, hour) = (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(3600));
        Self {
            interval: 5 * minute,
            intervals: (minute, hour),
            min_demand_interval: 10 * second,
            retries: (second, minute),
            max_age: 24 * hour,
        }
    }
}

/// The keys of one URL.
#[derive(Debug)]
pub struct FetchedKeys {
    url: KeyUrl,
    times: FetchTimes,
    current: ArcSwapOption<KeySet>,
    started: Instant,
    fetches: watch::Sender<Fetches>,
    /// Whether a request has asked for a fetch that has not begun.
    is_wanted: AtomicBool,
    wanted: Notify,
    pub(super) succeeded: AtomicU64,
    pub(super) failed: AtomicU64,
    task: ArcSwapOption<AbortHandle>,
}

/// How far the fetches of a URL have come.
#[derive(Debug, Clone, Copy)]
struct Fetches {
    ended: u64,
    is_running: bool,
    last_end: Option<Instant>,
    last_success: Option<Instant>,
}

impl FetchedKeys {
    /// Starts to fetch the keys of a URL. The first fetch begins at once.
    pub(super) fn start(
        runtime: &tokio::runtime::Handle,
        url: KeyUrl,
        policy: Arc<ArcSwap<AddressPolicy>>,
        times: FetchTimes,
    ) -> Arc<Self> {
        let fetches = Fetches { ended: 0, is_running: true, last_end: None, last_success: None };
        let keys = Arc::new(Self {
            url,
            times,
            current: ArcSwapOption::empty(),
            started: Instant::now(),
            fetches: watch::Sender::new(fetches),
            is_wanted: AtomicBool::new(false),
            wanted: Notify::new(),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            task: ArcSwapOption::empty(),
        });
        let task = runtime.spawn(run(Arc::clone(&keys), policy));
        keys.task.store(Some(Arc::new(task.abort_handle())));
        keys
    }

    /// Ends the fetches, and gives no keys any more.
    pub(super) fn retire(&self) {
        if let Some(task) = self.task.swap(None) {
            task.abort();
        }
        self.current.store(None);
    }

    /// The newest keys. `None`: none have been fetched yet, or those that were are too old.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    /// Whether these are the newest keys.
    pub fn has(&self, keys: &Arc<KeySet>) -> bool {
        self.current.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, keys))
    }

    /// The keys after a fetch, for a request whose token needs others than those that are there. All requests wait for one fetch. If
    /// the last one has just ended, there is none: what clients send must not become a flood at the issuer.
    pub async fn renewed(&self, patience: Duration) -> Option<Arc<KeySet>> {
        let mut fetches = self.fetches.subscribe();
        let seen = *fetches.borrow_and_update();
        if !seen.is_running {
            if seen.last_end.is_some_and(|end| end.elapsed() < self.times.min_demand_interval) {
                return self.current();
            }
            if !self.is_wanted.swap(true, Ordering::AcqRel) {
                self.wanted.notify_one();
            }
        }
        // A request that has waited long enough goes by what is there.
        let _ended = timeout(patience, fetches.wait_for(|now| now.ended > seen.ended)).await;
        self.current()
    }

    /// The URL.
    pub(super) fn url(&self) -> &KeyUrl {
        &self.url
    }

    /// Time since the keys were fetched; since it was begun, if they never were.
    pub(super) fn age(&self) -> Duration {
        self.fetches.borrow().last_success.unwrap_or(self.started).elapsed()
    }

    /// Takes the keys of a fetch. Keys that are as before stay the same object, and with them what was verified by them.
    fn take(&self, keys: KeySet) {
        let before = self.current();
        if before.as_deref() != Some(&keys) {
            tracing::info!(url = %self.url, ?keys, "keys of tokens have changed");
            self.current.store(Some(Arc::new(keys)));
        }
    }

    /// Notes a failure. Keys stay in use for a time.
    fn keep_or_drop(&self, error: &fetch::FetchError) {
        let age = self.age();
        if age > self.times.max_age && self.current.swap(None).is_some() {
            tracing::error!(url = %self.url, ?age, "keys of tokens are too old and are used no longer");
        }
        let in_use = self.current.load().is_some();
        tracing::warn!(url = %self.url, %error, in_use, "keys of tokens can't be fetched");
    }

    fn begin(&self) {
        self.is_wanted.store(false, Ordering::Release);
        self.fetches.send_modify(|fetches| fetches.is_running = true);
    }

    fn end(&self, succeeded: bool) {
        let counter = if succeeded { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.fetches.send_modify(|fetches| {
            let now = Instant::now();
            fetches.ended += 1;
            fetches.is_running = false;
            fetches.last_end = Some(now);
            if succeeded {
                fetches.last_success = Some(now);
            }
        });
    }
}

/// Fetches keys again and again, until it is aborted.
async fn run(keys: Arc<FetchedKeys>, policy: Arc<ArcSwap<AddressPolicy>>) {
    let FetchTimes { interval, intervals: (shortest, longest), retries: (first_retry, longest_retry), .. } = keys.times;
    let mut retry = first_retry;
    loop {
        keys.begin();
        let policy = policy.load_full();
        // Boxed: its future is far larger than the rest of the task, which waits nearly all the time.
        let pause = match Box::pin(fetch::fetch(&keys.url, &policy)).await {
            Ok(Fetched { keys: fetched, lifetime }) => {
                keys.take(fetched);
                keys.end(true);
                retry = first_retry;
                lifetime.unwrap_or(interval).clamp(shortest, longest)
            }
            Err(error) => {
                keys.keep_or_drop(&error);
                keys.end(false);
                let pause = retry;
                retry = (retry * 2).min(longest_retry);
                pause
            }
        };
        // Give or take a tenth, so that replicas do not ask in step.
        tokio::select! {
            () = sleep(pause.mul_f64(0.9 + 0.2 * fastrand::f64())) => {}
            () = keys.wanted.notified() => {}
        }
    }
}
