//! When things are due. In an open loop that does not depend on how the last ones went, so that a stall shows in the
//! latency of all that were due meanwhile; in a closed loop each is due when the last is over, which hides it.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;

/// Gives out the moments at which things are due, to whoever is free.
pub(crate) struct Schedule {
    start: Instant,
    end: Cell<Instant>,
    given: Cell<u64>,
    pace: Option<(f64, Mutex<Timer>)>,
}

impl Schedule {
    /// From now on for so long, `rate` a second; without one, a closed loop.
    pub(crate) fn new(rate: Option<f64>, length: Duration) -> io::Result<Schedule> {
        let start = Instant::now();
        if rate.is_some_and(|rate| !(0.01..=1e6).contains(&rate)) {
            return Err(io::Error::other("a rate that makes no sense"));
        }
        let pace = rate.map(|rate| io::Result::Ok((rate, Mutex::new(Timer::new()?)))).transpose()?;
        Ok(Schedule { start, end: Cell::new(start + length), given: Cell::new(0), pace })
    }

    /// Waits until the next is due. When it is late, that is at once, and the moment has passed.
    pub(crate) async fn next(&self) -> Option<Instant> {
        let due = match &self.pace {
            None => Instant::now(),
            Some((rate, timer)) => {
                let timer = timer.lock().await;
                let given = self.given.get();
                self.given.set(given + 1);
                let due = self.start + Duration::from_secs_f64(given as f64 / rate);
                if due < self.end.get() {
                    timer.wait(due).await.ok()?;
                }
                due
            }
        };
        (due < self.end.get()).then_some(due)
    }

    /// Nothing is due any more.
    pub(crate) fn stop(&self) {
        self.end.set(Instant::now());
    }

    pub(crate) fn is_open_loop(&self) -> bool {
        self.pace.is_some()
    }

    /// How many were due by the end, or are, and nobody was free to take.
    pub(crate) fn untaken(&self) -> u64 {
        let length = self.end.get() - self.start;
        let due = self.pace.as_ref().map_or(0.0, |(rate, _)| rate * length.as_secs_f64());
        (due.ceil() as u64).saturating_sub(self.given.get())
    }

    /// Time until its end.
    pub(crate) fn left(&self) -> Duration {
        self.end.get().saturating_duration_since(Instant::now())
    }
}

/// A timer that is exact to some microseconds, where the runtime's are to a millisecond.
pub(crate) struct Timer(AsyncFd<Descriptor>);

struct Descriptor(TimerFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    #[expect(deprecated, reason = "what takes its place is unsafe; nobody but the timer closes its descriptor")]
    pub(crate) fn new() -> io::Result<Timer> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        Ok(Timer(AsyncFd::with_interest(Descriptor(timer), Interest::READABLE)?))
    }

    /// Waits until then.
    pub(crate) async fn wait(&self, until: Instant) -> io::Result<()> {
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.0.get_ref().0.set(Expiration::OneShot(TimeSpec::from(left)), TimerSetTimeFlags::empty())?;
            self.0.readable().await?.clear_ready();
        }
        Ok(())
    }
}
