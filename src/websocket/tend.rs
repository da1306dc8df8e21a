//! What is looked after for all sessions at once: pods that go away, members that are down, members that have too many.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Why;
use super::pace::Window;
use super::registry::Sessions;
use super::session::Session;
use crate::model::EndpointState;
use crate::pool::{Health, Pool, Registry};

/// Time between two looks.
const TICK: Duration = Duration::from_secs(1);
/// How many times its share of sessions a member has before it gives some up.
const TOO_MANY: f64 = 1.1;

/// Looks after the sessions until the registry is gone.
pub async fn tend(sessions: Sessions, registry: Registry) {
    let mut departures = registry.departures();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tender = Tender::default();
    loop {
        tokio::select! {
            changed = departures.changed() => match changed {
                Ok(()) => sessions.follow_pods(),
                Err(_) => return,
            },
            _ = ticks.tick() => tender.look(&sessions, Instant::now()),
        }
    }
}

/// What is remembered from one look to the next.
#[derive(Default)]
struct Tender {
    /// Members that are down, by id, and since when.
    down: HashMap<u64, Instant>,
    /// What a pool may give up now, by its id: a part of a session waits for the next look.
    budgets: BTreeMap<String, f64>,
}

impl Tender {
    fn look(&mut self, sessions: &Sessions, now: Instant) {
        sessions.sweep();
        let live = sessions.list();
        self.unhealthy(sessions, &live, now);
        self.rebalance(sessions, &live);
    }

    /// Closes the sessions of members that have been down for their route's grace.
    fn unhealthy(&mut self, sessions: &Sessions, live: &[Arc<Session>], now: Instant) {
        let mut down = HashMap::new();
        let mut over = Vec::new();
        for session in live {
            let member = session.lease().member().probed();
            if member.health() != Health::Down {
                continue;
            }
            let since = *down.entry(member.id).or_insert_with(|| self.down.get(&member.id).copied().unwrap_or(now));
            let grace = session.settings().and_then(|settings| settings.unhealthy_grace);
            if grace.is_some_and(|grace| now - since >= grace) && session.asked().is_none() {
                over.push(Arc::clone(session));
            }
        }
        self.down = down;
        sessions.ask(&over, Window::over(Duration::ZERO), &Why::Unhealthy.into());
    }

    /// Has the fullest member of each pool that asks for it give some up.
    fn rebalance(&mut self, sessions: &Sessions, live: &[Arc<Session>]) {
        let mut pools: BTreeMap<&str, (&Pool, u32, Vec<&Arc<Session>>)> = BTreeMap::new();
        for session in live {
            let rate = session.settings().and_then(|settings| settings.rebalance);
            if let (Some(rate), Some(pool)) = (rate, &session.about.target.pool) {
                pools.entry(session.pool()).or_insert((pool, rate, Vec::new())).2.push(session);
            }
        }
        self.budgets.retain(|pool, _| pools.contains_key(pool.as_str()));
        let open = if pools.is_empty() { HashMap::new() } else { open(live) };
        for (id, (pool, rate, of_pool)) in pools {
            let per_look = f64::from(rate) * TICK.as_secs_f64() / 60.0;
            let budget = self.budgets.entry(id.to_owned()).or_default();
            *budget = (*budget + per_look).min(per_look.max(1.0));
            let surplus = surplus(pool, &open, &of_pool);
            let count = surplus.len().min(*budget as usize);
            *budget -= count as f64;
            let shed: Vec<Arc<Session>> = surplus.into_iter().take(count).cloned().collect();
            sessions.ask(&shed, Window::over(TICK), &Why::Rebalance.into());
        }
    }
}

/// How many are open at each address and stay, whatever route they are of.
fn open(live: &[Arc<Session>]) -> HashMap<SocketAddr, usize> {
    let mut open = HashMap::new();
    for session in live.iter().filter(|session| session.asked().is_none()) {
        *open.entry(session.member()).or_default() += 1;
    }
    open
}

/// Those of `sessions` that the fullest member has above its share, from the oldest; none where all have about the same. Whatever
/// is open at a member makes it full.
fn surplus<'a>(pool: &Pool, open: &HashMap<SocketAddr, usize>, sessions: &[&'a Arc<Session>]) -> Vec<&'a Arc<Session>> {
    let members = pool.members();
    let takes =
        members.iter().filter(|(member, state)| *state == EndpointState::Ready && member.health() == Health::Up);
    let there =
        takes.map(|(member, _)| (member.key.address, open.get(&member.key.address).copied().unwrap_or_default()));
    let open: BTreeMap<SocketAddr, usize> = there.collect();
    let share = open.values().sum::<usize>() as f64 / open.len().max(1) as f64;
    let Some((fullest, most)) = open.into_iter().max_by_key(|(_, open)| *open) else { return Vec::new() };
    if most as f64 <= share * TOO_MANY + 1.0 {
        return Vec::new();
    }
    let own = sessions.iter().filter(|session| session.member() == fullest && session.asked().is_none());
    own.take(most - share.ceil() as usize).copied().collect()
}
