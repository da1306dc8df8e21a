//! Timers for what nearly always comes in time. One that is armed already, for an earlier moment, serves as well, and arms itself anew
//! should it come to that: a worker keeps those that were not needed, and hardly ever has to set one.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt;
use tokio::time::{Instant, Sleep, sleep_until};

/// Armed timers that a worker keeps. Each wakes the task that had it last, once, and keeps what is left of it until then.
const KEPT: usize = 128;

thread_local! {
    static ARMED: RefCell<Vec<Pin<Box<Sleep>>>> = RefCell::default();
}

/// Ends at a moment.
#[derive(Debug)]
pub(super) struct PooledTimer {
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl PooledTimer {
    pub(super) fn until(until: Instant) -> Self {
        Self { until, timer: None }
    }

    pub(super) fn of(time: Duration) -> Self {
        Self::until(Instant::now() + time)
    }
}

/// What comes of the future; `None`: nothing has by then.
pub(super) async fn within<F: Future>(until: Instant, future: F) -> Option<F::Output> {
    let (mut future, mut patience) = (pin!(future), PooledTimer::until(until));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut patience).poll(cx).map(|()| None),
    })
    .await
}

impl Future for PooledTimer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let kept = || ARMED.with_borrow_mut(Vec::pop).unwrap_or_else(|| Box::pin(sleep_until(until)));
        let timer = self.timer.get_or_insert_with(kept);
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
            let _ = ARMED.try_with(|armed| {
                let mut armed = armed.borrow_mut();
                if armed.len() < KEPT {
                    armed.push(timer);
                }
            });
        }
    }
}

impl rt::Sleep for PooledTimer {}

/// hyper's timers, of this kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct HyperTimer;

impl rt::Timer for HyperTimer {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(PooledTimer::of(time))
    }

    fn sleep_until(&self, until: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(PooledTimer::until(until.into()))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }
}
