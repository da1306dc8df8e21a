//! Things that are done so many times, so many at once.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::tally::{Failures, Latency};

/// An attempt that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(15);

/// How many, how many at once, and until when more are begun.
pub(crate) struct Attempts {
    pub(crate) count: usize,
    pub(crate) concurrency: usize,
    pub(crate) until: Instant,
}

#[derive(Default)]
struct Outcome {
    left: Cell<usize>,
    latency: RefCell<Latency>,
    failures: RefCell<Failures>,
}

impl Attempts {
    /// Makes them. Each tells how long that took which is measured of it.
    pub(crate) async fn make<F>(self, attempt: impl Fn() -> F + Clone + 'static) -> Value
    where
        F: Future<Output = io::Result<Duration>> + 'static,
    {
        let (outcome, start) = (Rc::<Outcome>::default(), Instant::now());
        outcome.left.set(self.count);
        let mut tasks = JoinSet::new();
        for _ in 0..self.concurrency.clamp(1, self.count.max(1)) {
            let (outcome, attempt) = (outcome.clone(), attempt.clone());
            tasks.spawn_local(async move {
                while let Some(left) = outcome.left.get().checked_sub(1).filter(|_| Instant::now() < self.until) {
                    outcome.left.set(left);
                    match timeout(LIMIT, attempt()).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
                        Ok(latency) => outcome.latency.borrow_mut().note(latency),
                        Err(error) => outcome.failures.borrow_mut().note(&error),
                    }
                }
            });
        }
        tasks.join_all().await;
        let (latency, mut failures) = (outcome.latency.borrow().json(), outcome.failures.borrow_mut());
        failures.add(outcome.left.get() as u64, &ErrorKind::TimedOut.into());
        let mut answer = json!({"seconds": start.elapsed().as_secs_f64(), "latency": latency});
        failures.put(&mut answer);
        answer
    }
}
