//! Which of the members that are up takes the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Health, Member};
use crate::model::Balance;

/// Chooses among `members` one that is up and whose id is not in `tried`.
pub(super) fn pick(
    balance: Balance,
    members: &[Arc<Member>],
    cursor: &AtomicUsize,
    tried: &[u64],
) -> Option<Arc<Member>> {
    let eligible = |member: &&Arc<Member>| member.health() == Health::Up && !tried.contains(&member.id);
    let count = members.iter().filter(eligible).count();
    if count == 0 {
        return None;
    }
    // Counted among those that can take it: the neighbour of one that is down gets no double share.
    let turn = cursor.fetch_add(1, Ordering::Relaxed) % count;
    let mut candidates = members.iter().filter(eligible).cycle().skip(turn).take(count);
    match balance {
        Balance::RoundRobin => candidates.next().cloned(),
        // The rotating start breaks ties in turn.
        Balance::LeastConnections => candidates.min_by_key(|member| member.load()).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Lease;

    fn up(count: usize) -> Vec<Arc<Member>> {
        (0..count).map(|n| Member::for_test(n, Health::Up)).collect()
    }

    #[test]
    fn round_robin_gives_each_member_its_turn_and_skips_those_down() {
        let mut members = up(3);
        members.insert(1, Member::for_test(3, Health::Down));
        let cursor = AtomicUsize::new(0);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..300 {
            let member = pick(Balance::RoundRobin, &members, &cursor, &[]).expect("one is up");
            *seen.entry(member.key.address).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 3);
        assert!(seen.values().all(|count| *count == 100), "{seen:?}");
    }

    #[test]
    fn least_connections_counts_requests_and_sessions() {
        let members = up(2);
        let cursor = AtomicUsize::new(0);
        let _request = Lease::new(Arc::clone(&members[0]));
        let session = Lease::new(Arc::clone(&members[1])).into_session();
        let _second = Lease::new(Arc::clone(&members[1])).into_session();
        for _ in 0..4 {
            let chosen = pick(Balance::LeastConnections, &members, &cursor, &[]).expect("up");
            assert_eq!(chosen.id, members[0].id);
        }
        drop(session);
        assert_eq!((members[0].load(), members[1].load()), (1, 1));
    }

    #[test]
    fn a_member_that_was_tried_is_not_chosen_again() {
        let members = up(2);
        let cursor = AtomicUsize::new(0);
        let chosen = pick(Balance::RoundRobin, &members, &cursor, &[members[0].id]).expect("the other");
        assert_eq!(chosen.id, members[1].id);
        assert!(pick(Balance::RoundRobin, &members, &cursor, &[members[0].id, members[1].id]).is_none());
        assert!(pick(Balance::RoundRobin, &[], &cursor, &[]).is_none());
    }
}
