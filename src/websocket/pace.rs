//! When each of many sessions is closed, so that their clients don't come back all at once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// The time in which a number of sessions is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// None is closed before that has passed.
    pub after: Duration,
    /// From then on, over how long they are spread; zero: as soon as the pace allows.
    pub over: Duration,
    /// When all have to have been told; `None`: the pace alone decides.
    pub latest: Option<Instant>,
}

impl Window {
    /// As soon as the pace allows, until then.
    pub fn until(latest: Instant) -> Self {
        Self { after: Duration::ZERO, over: Duration::ZERO, latest: Some(latest) }
    }

    /// Evenly, over as long as that.
    pub fn over(over: Duration) -> Self {
        Self { after: Duration::ZERO, over, latest: None }
    }
}

/// One pace for all closings of the process: moments are given out slot by slot, in each no more than it has places.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    /// Places of a slot.
    places: u32,
    /// Time between two of them.
    spacing: Duration,
    /// Places given away, by slot from `began`.
    given: BTreeMap<u32, u32>,
}

/// Slots in a second, where that many are closed.
const SLOTS: u32 = 50;

impl Pace {
    /// At most `rate` closings a second.
    pub(super) fn new(rate: u32) -> Self {
        let rate = rate.clamp(1, 1_000_000);
        let spacing = Duration::from_secs(1) / rate;
        Self { began: Instant::now(), places: (rate / SLOTS).max(1), spacing, given: BTreeMap::new() }
    }

    /// The moments of `count` closings: each its own, no more in a second than the pace allows, whoever else is closed then. Where
    /// the window is too short for that they are spread evenly over it, and the pace is exceeded.
    pub(super) fn moments(&mut self, count: usize, window: Window) -> Vec<Instant> {
        let now = Instant::now();
        self.given = self.given.split_off(&self.slot(now));
        let after = now + window.after;
        let first = window.latest.map_or(after, |latest| latest.clamp(now, after));
        let room = window.latest.map(|latest| latest.saturating_duration_since(first));
        let over = room.map_or(window.over, |room| window.over.min(room));
        let number = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let before = self.given.clone();
        let mut moments: Vec<Instant> = Vec::with_capacity(count);
        for turn in 0..number {
            let earliest = moments.last().copied().unwrap_or(first);
            moments.push(self.next(earliest.max(first + over / number * turn)));
        }
        if let Some(room) = room
            && moments.last().is_some_and(|last| *last > first + room)
        {
            if count > 1 {
                tracing::warn!(sessions = count, time = ?room, pace = ?self.spacing, "closing sessions faster than the pace");
            }
            self.given = before;
            moments = (0..number).map(|turn| first + room / number * turn).collect();
            for moment in &moments {
                *self.given.entry(self.slot(*moment)).or_default() += 1;
            }
        }
        moments.truncate(count);
        moments
    }

    /// The first place from `wanted` on, which is given away.
    fn next(&mut self, wanted: Instant) -> Instant {
        let mut slot = self.slot(wanted);
        loop {
            let given = self.given.entry(slot).or_default();
            if *given < self.places {
                let place = self.began + self.spacing * self.places * slot + self.spacing * *given;
                *given += 1;
                return place.max(wanted);
            }
            slot += 1;
        }
    }

    /// Of 20 ms or more, for as long as there are seconds in two years.
    fn slot(&self, moment: Instant) -> u32 {
        let slots = moment.saturating_duration_since(self.began).as_nanos() / (self.spacing * self.places).as_nanos();
        u32::try_from(slots).unwrap_or(u32::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn offsets(pace: &mut Pace, count: usize, window: Window) -> Vec<u128> {
        let now = Instant::now();
        pace.moments(count, window).into_iter().map(|moment| (moment - now).as_millis()).collect()
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
        let later = Window { after: 500 * MS, ..Window::over(200 * MS) };
        assert_eq!(offsets(&mut pace, 2, later), [500, 600]);
        let soon = Window::until(Instant::now());
        assert_eq!(offsets(&mut pace, 1, Window { after: 500 * MS, ..soon }), [0], "the limit is the limit");
    }

    #[tokio::test(start_paused = true)]
    async fn drains_that_overlap_share_the_pace() {
        let mut pace = Pace::new(1_000);
        let mut all = Vec::new();
        for _ in 0..10 {
            all.extend(offsets(&mut pace, 1_000, Window::over(Duration::from_secs(2))));
        }
        all.sort_unstable();
        let most = all.iter().map(|first| all.iter().filter(|other| (*first..first + 1_000).contains(other)).count());
        assert!(most.max().is_some_and(|most| most <= 1_020));
        assert!(all.last().is_some_and(|last| *last < 10_500), "no longer than it needs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_whatever_the_number_and_is_used_evenly() {
        let window = Window { over: Duration::from_secs(5), ..Window::until(Instant::now() + 300 * MS) };
        let offsets = offsets(&mut Pace::new(10), 1_000, window);
        assert_eq!((offsets[0], offsets[500], offsets.len()), (0, 150, 1_000));
        assert!(offsets.iter().all(|offset| *offset <= 300));
    }
}
