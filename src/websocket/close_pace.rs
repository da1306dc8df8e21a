//! The pace at which the process closes sessions, so that their clients do not reconnect all at once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Slots in a second, where at least that many sessions are closed in a second.
const SLOTS_PER_SECOND: u32 = 50;

/// The time in which a number of sessions is to be closed. Windows are ordered by their end: the first field is compared first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CloseWindow {
    /// When all have to have been closed, whatever the pace; `None`: the pace alone decides.
    pub latest: Option<Instant>,
    /// Over how long they are spread from the window's beginning; zero: as soon as the pace allows.
    pub over: Duration,
    /// How long from now the window begins.
    pub after: Duration,
}

impl CloseWindow {
    /// From now until `latest`, as soon as the pace allows.
    pub fn until(latest: Instant) -> Self {
        Self { after: Duration::ZERO, over: Duration::ZERO, latest: Some(latest) }
    }

    /// From now, evenly over this time.
    pub fn over(over: Duration) -> Self {
        Self { after: Duration::ZERO, over, latest: None }
    }
}

/// The pace of all closes of the process. Time is cut into slots of at least 20 ms, and each slot has a number of closes that it
/// takes. With 1,000 closes a second there are 50 slots of 20 closes; with 10 a second, 10 slots of one:
///
/// ```text
/// rate 1,000, slot    0       1       2           three drains:
/// capacity            20      20      20          30 at 0 s, 15 at 0 s, 5 at 30 ms
/// scheduled           20      20      10
/// ```
#[derive(Debug)]
pub(super) struct ClosePace {
    began: Instant,
    /// Closes that a slot takes.
    slot_capacity: u32,
    /// Time between two closes.
    spacing: Duration,
    /// Closes that have been scheduled, by slot from `began`. Slots that are over are dropped.
    scheduled: BTreeMap<u32, u32>,
}

impl ClosePace {
    /// At most `rate` closes a second.
    pub(super) fn new(rate: u32) -> Self {
        let rate = rate.clamp(1, 1_000_000);
        let spacing = Duration::from_secs(1) / rate;
        let slot_capacity = (rate / SLOTS_PER_SECOND).max(1);
        Self { began: Instant::now(), slot_capacity, spacing, scheduled: BTreeMap::new() }
    }

    /// The moments of `count` closes. Together with all closes that were scheduled before, there are no more in a second than the
    /// pace allows. Where the window is too short for that, they are spread evenly over it, and the pace is exceeded.
    pub(super) fn moments(&mut self, count: usize, window: CloseWindow) -> Vec<Instant> {
        let now = Instant::now();
        self.scheduled = self.scheduled.split_off(&self.slot(now));

        // The window in absolute time: it begins at `first`, and ends `room` later, if it has an end.
        let after = now + window.after;
        let first = window.latest.map_or(after, |latest| latest.clamp(now, after));
        let room = window.latest.map(|latest| latest.saturating_duration_since(first));
        let over = room.map_or(window.over, |room| window.over.min(room));

        // At the pace: each close takes the first free slot from its even share of the window on.
        let number = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let before = self.scheduled.clone();
        let mut moments: Vec<Instant> = Vec::with_capacity(count);
        for index in 0..number {
            let earliest = moments.last().copied().unwrap_or(first);
            moments.push(self.take_slot(earliest.max(first + over / number * index)));
        }

        // Too late at the pace: evenly over the window.
        if let Some(room) = room
            && moments.last().is_some_and(|last| *last > first + room)
        {
            if count > 1 {
                tracing::warn!(sessions = count, time = ?room, pace = ?self.spacing, "closing sessions faster than the pace");
            }
            self.scheduled = before;
            moments = (0..number).map(|index| first + room / number * index).collect();
            for moment in &moments {
                *self.scheduled.entry(self.slot(*moment)).or_default() += 1;
            }
        }
        moments.truncate(count);
        moments
    }

    /// Takes the first free moment from `earliest` on.
    fn take_slot(&mut self, earliest: Instant) -> Instant {
        let mut slot = self.slot(earliest);
        loop {
            let scheduled = self.scheduled.entry(slot).or_default();
            if *scheduled < self.slot_capacity {
                let moment = self.began + self.spacing * self.slot_capacity * slot + self.spacing * *scheduled;
                *scheduled += 1;
                return moment.max(earliest);
            }
            slot += 1;
        }
    }

    /// The number of the slot that a moment is in. Slots of 20 ms fit into 32 bits for more than two years.
    fn slot(&self, moment: Instant) -> u32 {
        let slot_length = self.spacing * self.slot_capacity;
        let slots = moment.saturating_duration_since(self.began).as_nanos() / slot_length.as_nanos();
        u32::try_from(slots).unwrap_or(u32::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn offsets(pace: &mut ClosePace, count: usize, window: CloseWindow) -> Vec<u128> {
        let now = Instant::now();
        pace.moments(count, window).into_iter().map(|moment| (moment - now).as_millis()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn closings_keep_the_pace_over_all_drains_and_a_window_spreads_them() {
        let mut pace = ClosePace::new(1_000);
        let soon = CloseWindow::until(Instant::now() + Duration::from_secs(15));
        assert_eq!(offsets(&mut pace, 3, soon), [0, 1, 2]);
        assert_eq!(offsets(&mut pace, 2, soon), [3, 4], "behind those of the other drain");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(offsets(&mut pace, 1, soon), [0]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(offsets(&mut pace, 4, CloseWindow::over(400 * MS)), [0, 100, 200, 300]);
        assert_eq!(
            offsets(&mut ClosePace::new(5), 3, CloseWindow::over(MS)),
            [0, 200, 400],
            "the pace holds within a window"
        );
        let later = CloseWindow { after: 500 * MS, ..CloseWindow::over(200 * MS) };
        assert_eq!(offsets(&mut pace, 2, later), [500, 600]);
        let soon = CloseWindow::until(Instant::now());
        assert_eq!(offsets(&mut pace, 1, CloseWindow { after: 500 * MS, ..soon }), [0], "the limit is the limit");
    }

    #[tokio::test(start_paused = true)]
    async fn drains_that_overlap_share_the_pace() {
        let mut pace = ClosePace::new(1_000);
        let mut all = Vec::new();
        for _ in 0..10 {
            all.extend(offsets(&mut pace, 1_000, CloseWindow::over(Duration::from_secs(2))));
        }
        all.sort_unstable();
        let most = all.iter().map(|first| all.iter().filter(|other| (*first..first + 1_000).contains(other)).count());
        assert!(most.max().is_some_and(|most| most <= 1_020));
        assert!(all.last().is_some_and(|last| *last < 10_500), "no longer than it needs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_whatever_the_number_and_is_used_evenly() {
        let window = CloseWindow { over: Duration::from_secs(5), ..CloseWindow::until(Instant::now() + 300 * MS) };
        let offsets = offsets(&mut ClosePace::new(10), 1_000, window);
        assert_eq!((offsets[0], offsets[500], offsets.len()), (0, 150, 1_000));
        assert!(offsets.iter().all(|offset| *offset <= 300));
    }
}
