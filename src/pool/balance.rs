//! Load balancing: which of the members that are up takes the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::member::{Health, Member};
use crate::model::{Balance, EndpointState};

/// Chooses a member that is ready and up, and whose id is not in `tried`. Where there is none, a member that is terminating but
/// serves (KEP-1669), is up and was not tried.
pub(super) fn pick(
    balance: Balance,
    members: &[(Arc<Member>, EndpointState)],
    cursor: &AtomicUsize,
    tried: &[u64],
) -> Option<Arc<Member>> {
    let up = |member: &Arc<Member>| member.health() == Health::Up && !tried.contains(&member.id);
    pick_of(balance, members, cursor, |(member, state)| matches!(state, EndpointState::Ready) && up(member)).or_else(
        || {
            let serves = |state: &EndpointState| matches!(state, EndpointState::Terminating { .. });
            pick_of(balance, members, cursor, |(member, state)| serves(state) && up(member))
        },
    )
}

/// Chooses one of the eligible members.
fn pick_of(
    balance: Balance,
    members: &[(Arc<Member>, EndpointState)],
    cursor: &AtomicUsize,
    eligible: impl Fn(&(Arc<Member>, EndpointState)) -> bool,
) -> Option<Arc<Member>> {
    let count = members.iter().filter(|entry| eligible(entry)).count();
    if count == 0 {
        return None;
    }
    // The turn is counted among the eligible members, so that the neighbour of a member that is down gets no double share.
    let turn = cursor.fetch_add(1, Ordering::Relaxed) % count;
    let candidates = members.iter().filter(|entry| eligible(entry)).map(|(member, _)| member);
    let mut candidates = candidates.cycle().skip(turn).take(count);
    match balance {
        Balance::RoundRobin => candidates.next().cloned(),
        // Of members with equal load the one whose turn it is.
        Balance::LeastConnections => candidates.min_by_key(|member| member.load()).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Lease;

    fn member(n: usize, state: EndpointState, health: Health) -> (Arc<Member>, EndpointState) {
        (Member::for_test(n, health), state)
    }

    fn up(count: usize) -> Vec<(Arc<Member>, EndpointState)> {
        (0..count).map(|n| member(n, EndpointState::Ready, Health::Up)).collect()
    }

    #[test]
    fn round_robin_gives_each_member_its_turn_and_skips_those_down() {
        let mut members = up(3);
        members.insert(1, member(3, EndpointState::Ready, Health::Down));
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
        let _request = Lease::new(Arc::clone(&members[0].0));
        let session = Lease::new(Arc::clone(&members[1].0)).into_session();
        let _second = Lease::new(Arc::clone(&members[1].0)).into_session();
        for _ in 0..4 {
            let chosen = pick(Balance::LeastConnections, &members, &cursor, &[]).expect("up");
            assert_eq!(chosen.id, members[0].0.id);
        }
        drop(session);
        assert_eq!((members[0].0.load(), members[1].0.load()), (1, 1));
    }

    #[test]
    fn a_member_that_was_tried_is_not_chosen_again() {
        let members = up(2);
        let cursor = AtomicUsize::new(0);
        let chosen = pick(Balance::RoundRobin, &members, &cursor, &[members[0].0.id]).expect("the other");
        assert_eq!(chosen.id, members[1].0.id);
        assert!(pick(Balance::RoundRobin, &members, &cursor, &[members[0].0.id, members[1].0.id]).is_none());
        assert!(pick(Balance::RoundRobin, &[], &cursor, &[]).is_none());
    }

    #[test]
    fn members_that_go_away_serve_only_where_nobody_ready_is_up() {
        let grace = std::time::Duration::from_secs(30);
        let (terminating, ending) = (EndpointState::Terminating { grace }, EndpointState::Ending { grace });
        let cases = [
            // What there is, by number, and who is chosen.
            (vec![(terminating, Health::Up), (EndpointState::Ready, Health::Up)], Some(1)),
            (vec![(terminating, Health::Up), (EndpointState::Ready, Health::Down)], Some(0)),
            (vec![(terminating, Health::Up), (EndpointState::Ready, Health::Unknown)], Some(0)),
            (vec![(EndpointState::NotReady, Health::Up), (terminating, Health::Up)], Some(1)),
            (vec![(terminating, Health::Down), (terminating, Health::Up)], Some(1)),
            (vec![(ending, Health::Up), (EndpointState::NotReady, Health::Up), (terminating, Health::Down)], None),
        ];
        for (described, expected) in cases {
            let members: Vec<_> =
                described.iter().enumerate().map(|(n, (state, health))| member(n, *state, *health)).collect();
            for balance in [Balance::RoundRobin, Balance::LeastConnections] {
                for turn in 0..3 {
                    let chosen = pick(balance, &members, &AtomicUsize::new(turn), &[]).map(|member| member.id as usize);
                    assert_eq!(chosen, expected, "{described:?}");
                }
            }
        }
        let members = [member(0, EndpointState::Ready, Health::Up), member(1, terminating, Health::Up)];
        let chosen = pick(Balance::RoundRobin, &members, &AtomicUsize::new(0), &[0]).expect("the last resort");
        assert_eq!(chosen.id, 1);
    }
}
