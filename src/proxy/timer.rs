//! Pooled timers, for what nearly always comes in time.
//!
//! To arm a timer costs more than most requests can afford. A worker keeps the timers that were not needed, still armed, and uses
//! them again: a timer that is armed for an earlier moment than needed wakes its task once too often, and is armed anew only then.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Armed timers that a worker keeps. Each wakes the task that had it last, once, and keeps that task's memory until then.
const MAX_POOLED_TIMERS: usize = 128;

thread_local! {
    static POOLED: RefCell<Vec<Pin<Box<Sleep>>>> = RefCell::default();
}

/// A timer that ends at a given moment, from the worker's pool.
#[derive(Debug)]
pub(super) struct PooledTimer {
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl PooledTimer {
    /// A timer that ends at `until`.
    pub(super) fn until(until: Instant) -> Self {
        Self { until, timer: None }
    }

    /// A timer that ends after `time`.
    pub(super) fn after(time: Duration) -> Self {
        Self::until(Instant::now() + time)
    }
}

/// The output of the future; `None` if it is not ready by `until`.
pub(super) async fn within<F: Future>(until: Instant, future: F) -> Option<F::Output> {
    let (mut future, mut timer) = (pin!(future), PooledTimer::until(until));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut timer).poll(cx).map(|()| None),
    })
    .await
}

impl Future for PooledTimer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let pooled = || POOLED.with_borrow_mut(Vec::pop).unwrap_or_else(|| Box::pin(sleep_until(until)));
        let timer = self.timer.get_or_insert_with(pooled);
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl Drop for PooledTimer {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take().filter(|timer| !timer.is_elapsed()) {
            // The worker's thread may be ending.
            let _ = POOLED.try_with(|pooled| {
                let mut pooled = pooled.borrow_mut();
                if pooled.len() < MAX_POOLED_TIMERS {
                    pooled.push(timer);
                }
            });
        }
    }
}
