//! When each of many sessions is closed, so that their clients don't come back all at once.

use std::time::Duration;

use tokio::time::Instant;

/// The time in which a number of sessions is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Over how long they are spread; zero: as soon as the pace allows.
    pub over: Duration,
    /// When all have to have been told; `None`: the pace alone decides.
    pub latest: Option<Instant>,
}

impl Window {
    /// As soon as the pace allows, until then.
    pub fn until(latest: Instant) -> Self {
        Self { over: Duration::ZERO, latest: Some(latest) }
    }

    /// Evenly, over as long as that.
    pub fn over(over: Duration) -> Self {
        Self { over, latest: None }
    }
}

/// One pace for all closings of the process.
#[derive(Debug)]
pub(super) struct Pace {
    /// Least time between two closings.
    spacing: Duration,
    /// The next moment that no session has been given.
    free: Option<Instant>,
}

impl Pace {
    /// At most `rate` closings a second.
    pub(super) fn new(rate: u32) -> Self {
        Self { spacing: Duration::from_secs(1) / rate.max(1), free: None }
    }

    /// The moments of `count` closings: each its own, no closer than the pace allows. Where the window is too short for that
    /// they are spread evenly over it, and the pace is exceeded.
    pub(super) fn moments(&mut self, count: usize, window: Window) -> impl Iterator<Item = Instant> + use<> {
        let number = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let now = Instant::now();
        let mut first = self.free.map_or(now, |free| free.max(now));
        let mut spacing = self.spacing.max(window.over / number);
        if let Some(latest) = window.latest.filter(|latest| first + spacing * (number - 1) > *latest) {
            let time = latest.saturating_duration_since(now);
            if number > 1 {
                tracing::warn!(sessions = count, ?time, pace = ?self.spacing, "closing sessions faster than the pace");
            }
            (first, spacing) = (now, time / number);
        } else if window.over.is_zero() {
            self.free = Some(first + spacing * number);
        }
        (0..number).take(count).map(move |turn| first + spacing * turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn offsets(pace: &mut Pace, count: usize, window: Window) -> Vec<u128> {
        let now = Instant::now();
        pace.moments(count, window).map(|moment| (moment - now).as_millis()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn closings_keep_the_pace_over_all_drains_and_a_window_spreads_them() {
        let mut pace = Pace::new(1_000);
        let soon = Window::until(Instant::now() + Duration::from_secs(15));
        assert_eq!(offsets(&mut pace, 3, soon), [0, 1, 2]);
        assert_eq!(offsets(&mut pace, 2, soon), [3, 4], "behind those of the other drain");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(offsets(&mut pace, 1, soon), [0]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(offsets(&mut pace, 4, Window::over(400 * MS)), [0, 100, 200, 300]);
        assert_eq!(offsets(&mut Pace::new(5), 3, Window::over(MS)), [0, 200, 400], "the pace holds within a window");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_whatever_the_number_and_is_used_evenly() {
        let window = Window::until(Instant::now() + 300 * MS);
        let offsets = offsets(&mut Pace::new(10), 1_000, window);
        assert_eq!((offsets[0], offsets[500], offsets.len()), (0, 150, 1_000));
        assert!(offsets.iter().all(|offset| *offset <= 300));
    }
}
