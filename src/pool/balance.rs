//! Load balancing: which of the members that are up takes the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::MemberQuery;
use super::client_hash;
use super::member::Member;
use super::pool_state::PoolState;
use super::preference::{self, Patience, Preference};
use crate::model::Balance;

/// Chooses one of the best members for a request, but none of `tried`.
pub(super) fn pick(
    state: &PoolState,
    cursor: &AtomicUsize,
    MemberQuery { tried, client, wanted: _ }: MemberQuery<'_>,
    patience: Patience,
) -> Option<Arc<Member>> {
    let terms = state.terms(patience);
    let best = state.best(tried, terms)?;
    // The turn is counted among the best members, so that the neighbour of a member that is down gets no double share.
    let turn = cursor.fetch_add(1, Ordering::Relaxed) % best.count;
    let is_best = |entry: &&(Arc<Member>, _)| {
        Preference::of(&entry.0, entry.1, terms) == Some(best.preference) && !tried.contains(&entry.0.id)
    };
    let candidates = state.members.iter().filter(is_best).map(|(member, _)| member);
    let mut candidates = candidates.cycle().skip(turn).take(best.count);
    match (state.balance, client) {
        (Balance::ClientAddress, Some(client)) => {
            candidates.max_by_key(|member| client_hash::score(client, member.key.address)).cloned()
        }
        (Balance::RoundRobin | Balance::ClientAddress, _) => candidates.next().cloned(),
        // Of members with equal load the one whose turn it is.
        (Balance::LeastConnections, _) => candidates.min_by_key(|member| member.load()).cloned(),
    }
}

/// Whether the member that the client's address gives may turn out to be one whose first probe has not been answered, or whose name has
/// not been looked up.
pub(super) fn is_own_pending(state: &PoolState, MemberQuery { tried, client, wanted: _ }: MemberQuery<'_>) -> bool {
    let (Balance::ClientAddress, Some(client)) = (state.balance, client) else { return false };
    let pending = |(member, endpoint): &(Arc<Member>, _)| preference::is_pending(member, *endpoint);
    let terms = state.terms(Patience::Waiting);
    let is_up =
        |(member, endpoint): &(Arc<Member>, _)| Preference::of(member, *endpoint, terms).is_some_and(Preference::is_up);
    let candidates =
        state.members.iter().filter(|entry| !tried.contains(&entry.0.id) && (is_up(entry) || pending(entry)));
    let own = candidates.max_by_key(|(member, _)| client_hash::score(client, member.key.address));
    state.resolving > 0 || own.is_some_and(pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EndpointState, Probe};
    use crate::pool::Lease;
    use crate::pool::member::{Health, ProbeOutcome};

    /// A choice of a request that does not wait.
    fn pick(
        balance: Balance,
        members: &[(Arc<Member>, EndpointState)],
        cursor: &AtomicUsize,
        tried: &[u64],
    ) -> Option<Arc<Member>> {
        let state = PoolState { balance, members: members.into(), ..PoolState::default() };
        super::pick(&state, cursor, MemberQuery { tried, ..MemberQuery::default() }, Patience::Waiting)
    }

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

    /// Members with a probe that is a guess; the last of each says whether the member could be connected to.
    fn guessed(described: &[(EndpointState, Health, bool)]) -> Vec<(Arc<Member>, EndpointState)> {
        let probe = Probe { is_guess: true, ..Probe::arm_default(false) };
        let each = described.iter().enumerate().map(|(n, (state, health, reachable))| {
            let member = Member::for_test_with(n, *health, probe.clone());
            if !reachable {
                member.record(ProbeOutcome::Unreachable("refused".to_owned()), 1);
            }
            (member, *state)
        });
        each.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_guessed_probe_excludes_nobody_where_no_member_passes_it() {
        use EndpointState::{NotReady, Ready};
        use Health::{Down, Unknown, Up};
        let grace = std::time::Duration::from_secs(30);
        let (terminating, ending) = (EndpointState::Terminating { grace }, EndpointState::Ending { grace });
        let cases: [(&[_], &[u64], _, _); 12] = [
            // What there is, by number; who was tried; who is chosen at once, and after the first second.
            (&[(Ready, Down, true)], &[], Some(0), Some(0)),
            (&[(Ready, Down, true), (Ready, Up, true)], &[], Some(1), Some(1)),
            (&[(Ready, Down, true), (terminating, Up, true)], &[], Some(1), Some(1)),
            (&[(Ready, Down, false), (Ready, Down, true)], &[], Some(1), Some(1)),
            (&[(Ready, Down, false)], &[], Some(0), Some(0)),
            (&[(Ready, Down, false), (Ready, Down, true)], &[1], Some(0), Some(0)),
            // The probe may still be passed by one that has not answered.
            (&[(Ready, Down, false), (Ready, Unknown, true)], &[], None, Some(1)),
            (&[(Ready, Unknown, true)], &[], None, Some(0)),
            (&[(Ready, Up, true), (Ready, Unknown, true)], &[], Some(0), Some(0)),
            // Readiness decides, and nothing less.
            (&[(NotReady, Down, true), (ending, Down, true)], &[], None, None),
            (&[(NotReady, Down, true), (terminating, Down, true)], &[], Some(1), Some(1)),
            (&[(Ready, Down, true), (terminating, Down, true)], &[], Some(0), Some(0)),
        ];
        for (described, tried, at_once, later) in cases {
            let members = guessed(described);
            let chosen = || {
                let chosen = pick(Balance::RoundRobin, &members, &AtomicUsize::new(0), tried);
                chosen.map(|member| member.id)
            };
            assert_eq!(chosen(), at_once, "{described:?} {tried:?}");
            tokio::time::advance(crate::pool::FIRST_PROBE_TIMEOUT).await;
            assert_eq!(chosen(), later, "{described:?} {tried:?}, later");
        }
    }

    #[test]
    fn where_too_few_members_are_up_all_that_are_ready_share_the_requests() {
        use EndpointState::{NotReady, Ready};
        use Health::{Down, Unknown, Up};
        let terminating = EndpointState::Terminating { grace: std::time::Duration::from_secs(30) };
        let described = [(Ready, Up), (Ready, Down), (Ready, Unknown), (NotReady, Up), (terminating, Up)];
        for (min_up, expected) in [(0, &[0][..]), (1, &[0]), (2, &[0, 1, 2]), (9, &[0, 1, 2])] {
            for balance in [Balance::RoundRobin, Balance::LeastConnections] {
                let members: Vec<_> =
                    described.iter().enumerate().map(|(n, (state, health))| member(n, *state, *health)).collect();
                let state = PoolState { balance, min_up, members: members.into(), ..PoolState::default() };
                let cursor = AtomicUsize::new(0);
                let choose =
                    |_| super::pick(&state, &cursor, MemberQuery::default(), Patience::Waiting).expect("one").id;
                let chosen: std::collections::BTreeSet<u64> = (0..9).map(choose).collect();
                assert_eq!(chosen.into_iter().collect::<Vec<_>>(), expected, "{min_up} {balance:?}");
                assert_eq!(state.counting_probes().include(&state.members[1].0), min_up < 2, "{min_up}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_somebody_wrote_is_a_condition() {
        for health in [Health::Down, Health::Unknown] {
            let members = [member(0, EndpointState::Ready, health)];
            tokio::time::advance(crate::pool::FIRST_PROBE_TIMEOUT * 100).await;
            assert!(pick(Balance::RoundRobin, &members, &AtomicUsize::new(0), &[]).is_none(), "{health:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_member_of_a_clients_address_is_waited_for() {
        let client: std::net::IpAddr = [192, 0, 2, 1].into();
        let query = MemberQuery { client: Some(client), ..MemberQuery::default() };
        let scores = (0..3).map(|n| (client_hash::score(client, Member::for_test(n, Health::Up).key.address), n));
        let own = scores.max().expect("three").1;
        let state_of = |own_health: Health, others: Health, balance| {
            let health = |n| if n == own { own_health } else { others };
            let members = (0..3).map(|n| member(n, EndpointState::Ready, health(n))).collect();
            PoolState { balance, members, ..PoolState::default() }
        };
        for (own_health, others, balance, expected) in [
            (Health::Unknown, Health::Up, Balance::ClientAddress, true),
            (Health::Up, Health::Unknown, Balance::ClientAddress, false),
            (Health::Down, Health::Up, Balance::ClientAddress, false),
            (Health::Unknown, Health::Up, Balance::RoundRobin, false),
        ] {
            let state = state_of(own_health, others, balance);
            assert_eq!(is_own_pending(&state, query), expected, "{own_health:?} {others:?} {balance:?}");
            assert!(!is_own_pending(&state, MemberQuery { client: None, ..query }));
        }
        let state = state_of(Health::Up, Health::Up, Balance::ClientAddress);
        let chosen = |tried: &[u64]| {
            let query = MemberQuery { tried, ..query };
            super::pick(&state, &AtomicUsize::new(0), query, Patience::Waiting).expect("one is up").id
        };
        assert_eq!(chosen(&[]), own as u64);
        assert_ne!(chosen(&[own as u64]), own as u64);
    }
}
