//! The periodic care of all sessions: pods that go away, members that are down, members with more than their share of sessions.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::close_order::CloseCause;
use super::close_pace::CloseWindow;
use super::registry::Sessions;
use super::session::Session;
use crate::pool::{Pool, Registry};

/// Time between two rounds.
const TICK_INTERVAL: Duration = Duration::from_secs(1);
/// How many times the mean of its pool a member has in sessions before it gives some up.
const MAX_SHARE_RATIO: f64 = 1.1;

/// Takes care of the sessions until the registry of pools is gone.
pub async fn tend(sessions: Sessions, registry: Registry) {
    let mut departures = registry.departures();
    let mut ticks = interval(TICK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tender = Tender::default();
    loop {
        tokio::select! {
            changed = departures.changed() => match changed {
                Ok(()) => sessions.follow_departures(),
                Err(_) => return,
            },
            _ = ticks.tick() => tender.tick(&sessions, Instant::now()),
        }
    }
}

/// The memory from one round to the next.
#[derive(Default)]
struct Tender {
    /// When each member that is down was first found to be, by its id.
    down_since: HashMap<u64, Instant>,
    /// How many sessions each pool may give up now, by its id. A fraction is carried over to the next round.
    budgets: BTreeMap<String, f64>,
}

/// A pool whose route asks for rebalancing.
struct RebalancedPool<'a> {
    pool: &'a Pool,
    /// Sessions a minute that it may give up.
    rate: u32,
    /// Its open sessions, from the oldest.
    sessions: Vec<&'a Arc<Session>>,
}

impl Tender {
    fn tick(&mut self, sessions: &Sessions, now: Instant) {
        sessions.sweep();
        let live = sessions.list();
        self.close_unhealthy(sessions, &live, now);
        self.rebalance(sessions, &live);
    }

    /// Closes the sessions of members that have been down for the grace time of their route.
    fn close_unhealthy(&mut self, sessions: &Sessions, live: &[Arc<Session>], now: Instant) {
        let mut down_since = HashMap::new();
        let mut overdue = Vec::new();
        for session in live {
            let member = session.lease().member().probed();
            if !session.info.pool.is_left(&member) {
                continue;
            }
            let known = || self.down_since.get(&member.id).copied().unwrap_or(now);
            let since = *down_since.entry(member.id).or_insert_with(known);
            let grace = session.settings().and_then(|settings| settings.unhealthy_grace);
            if grace.is_some_and(|grace| now - since >= grace) && session.scheduled_close().is_none() {
                overdue.push(Arc::clone(session));
            }
        }
        self.down_since = down_since;
        sessions.schedule_close(&overdue, CloseWindow::over(Duration::ZERO), &CloseCause::Unhealthy.into());
    }

    /// Has the fullest member of each pool that asks for it give some sessions up.
    fn rebalance(&mut self, sessions: &Sessions, live: &[Arc<Session>]) {
        let mut pools: BTreeMap<&str, RebalancedPool<'_>> = BTreeMap::new();
        for session in live {
            let rate = session.settings().and_then(|settings| settings.rebalance);
            if let Some(rate) = rate {
                let pool = &session.info.pool;
                let empty = || RebalancedPool { pool, rate, sessions: Vec::new() };
                pools.entry(session.pool()).or_insert_with(empty).sessions.push(session);
            }
        }
        self.budgets.retain(|pool, _| pools.contains_key(pool.as_str()));
        let open = if pools.is_empty() { HashMap::new() } else { open_by_address(live) };
        for (id, RebalancedPool { pool, rate, sessions: of_pool }) in pools {
            let per_tick = f64::from(rate) * TICK_INTERVAL.as_secs_f64() / 60.0;
            let budget = self.budgets.entry(id.to_owned()).or_default();
            *budget = (*budget + per_tick).min(per_tick.max(1.0));
            let surplus = surplus(pool, &open, &of_pool);
            let count = surplus.len().min(*budget as usize);
            *budget -= count as f64;
            let shed: Vec<Arc<Session>> = surplus.into_iter().take(count).cloned().collect();
            sessions.schedule_close(&shed, CloseWindow::over(TICK_INTERVAL), &CloseCause::Rebalance.into());
        }
    }
}

/// The number of sessions at each address that are not about to close, whatever their route.
fn open_by_address(live: &[Arc<Session>]) -> HashMap<SocketAddr, usize> {
    let mut open = HashMap::new();
    for session in live.iter().filter(|session| session.scheduled_close().is_none()) {
        *open.entry(session.member()).or_default() += 1;
    }
    open
}

/// Those of `sessions` that the fullest member of the pool has above its share, from the oldest; none where all members have about
/// as many. `open` counts the sessions of every route, because each of them makes a member full.
fn surplus<'a>(pool: &Pool, open: &HashMap<SocketAddr, usize>, sessions: &[&'a Arc<Session>]) -> Vec<&'a Arc<Session>> {
    let takers = pool.takers();
    let counts =
        takers.iter().map(|member| (member.key.address, open.get(&member.key.address).copied().unwrap_or_default()));
    let counts: BTreeMap<SocketAddr, usize> = counts.collect();
    let share = counts.values().sum::<usize>() as f64 / counts.len().max(1) as f64;
    let Some((fullest, most)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return Vec::new() };
    if most as f64 <= share * MAX_SHARE_RATIO + 1.0 {
        return Vec::new();
    }
    let own = sessions.iter().filter(|session| session.member() == fullest && session.scheduled_close().is_none());
    own.take(most - share.ceil() as usize).copied().collect()
}
