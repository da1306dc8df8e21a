//! Load balancing: which of the members that are up takes the next request.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::MemberQuery;
use super::client_hash;
use super::member::Member;
use super::pool_state::PoolState;
use super::preference::{self, Patience, Preference};
use crate::model::{Balance, Weight};

/// Chooses one of the best members for a request, but none of `tried`.
pub(super) fn pick(
    state: &PoolState,
    cursor: &AtomicUsize,
    MemberQuery { tried, client, wanted: _ }: MemberQuery<'_>,
    patience: Patience,
) -> Option<Arc<Member>> {
    let terms = state.terms(patience);
    let best = state.best(tried, terms)?;
    let is_best = |index: &usize| {
        let (member, endpoint) = &state.members[*index];
        Preference::of(member, *endpoint, terms) == Some(best.preference) && !tried.contains(&member.id)
    };
    let candidates = (0..state.members.len()).filter(is_best);
    let turn = cursor.fetch_add(1, Ordering::Relaxed);
    // The turn is counted among the best members, so that the neighbour of a member that is down gets no double share.
    let mut in_turn = candidates.clone().cycle().skip(turn % best.count).take(best.count);
    let chosen = match (state.balance, client) {
        (Balance::ClientAddress, Some(client)) => of_client(state, client, candidates),
        (Balance::RoundRobin | Balance::ClientAddress, _) if state.weights.is_empty() => in_turn.next(),
        (Balance::RoundRobin | Balance::ClientAddress, _) => by_weight(&state.weights, candidates, turn),
        // Of members with equal load the one whose turn it is.
        (Balance::LeastConnections, _) => in_turn.min_by_key(|index| weighted_load(state, *index)),
    };
    chosen.map(|index| Arc::clone(&state.members[index].0))
}

/// The member whose turn it is, where members have weights. Turns are spread over the members, not given to each in a row: multiples of the
/// golden ratio fall evenly into every interval, however many there are (Weyl's sequence).
fn by_weight(weights: &[Weight], candidates: impl Iterator<Item = usize> + Clone, turn: usize) -> Option<usize> {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let weight = |index: usize| u64::from(weights[index].number());
    let total: u64 = candidates.clone().map(weight).sum();
    let fraction = (turn as u64).wrapping_mul(GOLDEN_RATIO);
    let mut point = ((u128::from(fraction) * u128::from(total)) >> 64) as u64;
    candidates.into_iter().find(|index| {
        let is_within = point < weight(*index);
        point = point.saturating_sub(weight(*index));
        is_within
    })
}

/// The load of a member, for each of its share. With weights, the request that it would take counts: of two unused members the one with the
/// greater weight has less to bear.
fn weighted_load(state: &PoolState, index: usize) -> usize {
    const ONE_REQUEST: usize = 1 << 20;
    let load = state.members[index].0.load();
    match state.weights.get(index) {
        Some(weight) => load.saturating_add(1).saturating_mul(ONE_REQUEST) / usize::from(weight.number()),
        None => load,
    }
}

/// The member that a client's address gives.
fn of_client(state: &PoolState, client: IpAddr, candidates: impl Iterator<Item = usize>) -> Option<usize> {
    let address = |index: usize| state.members[index].0.key.address;
    match &*state.weights {
        [] => candidates.max_by_key(|index| client_hash::score(client, address(*index))),
        weights => {
            let score = |index: usize| client_hash::weighted_score(client, address(index), weights[index].number());
            candidates.max_by(|a, b| score(*a).total_cmp(&score(*b)))
        }
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
    let candidates = (0..state.members.len()).filter(|index| {
        let entry = &state.members[*index];
        !tried.contains(&entry.0.id) && (is_up(entry) || pending(entry))
    });
    let own = of_client(state, client, candidates);
    state.resolving > 0 || own.is_some_and(|index| pending(&state.members[index]))
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

    /// Four members that are up, with these weights.
    fn weighted(balance: Balance, weights: [u16; 4]) -> PoolState {
        let weights = weights.map(|weight| Weight::new(weight).expect("not 0")).into();
        PoolState { balance, members: up(4).into(), weights, ..PoolState::default() }
    }

    /// How often each of four members is chosen by a number of requests. Each client sends one.
    fn shares(state: &PoolState, tried: &[u64], requests: u32) -> [u32; 4] {
        let (cursor, mut counts) = (AtomicUsize::new(0), [0; 4]);
        for number in 0..requests {
            let client = Some(std::net::Ipv4Addr::from(0x0a00_0000 + number).into());
            let query = MemberQuery { tried, client, ..MemberQuery::default() };
            let chosen = super::pick(state, &cursor, query, Patience::Waiting).expect("one is up");
            counts[chosen.id as usize] += 1;
        }
        counts
    }

    #[test]
    fn members_take_turns_by_weight_and_none_takes_all_its_turns_in_a_row() {
        let state = weighted(Balance::RoundRobin, [1, 2, 3, 4]);
        for (tried, expected) in [(&[][..], [100, 200, 300, 400]), (&[3], [167, 333, 500, 0])] {
            let counts = shares(&state, tried, 1000);
            let close = counts.iter().zip(expected).all(|(count, expected)| count.abs_diff(expected) <= 3);
            assert!(close, "{counts:?}");
        }
        let counts = shares(&weighted(Balance::RoundRobin, [100, 100, 1, 1]), &[], 8);
        assert!(counts[0] >= 3 && counts[1] >= 3, "{counts:?}");
    }

    #[test]
    fn members_have_loads_by_weight() {
        let state = weighted(Balance::LeastConnections, [1, 2, 3, 4]);
        let mut leases = Vec::new();
        for _ in 0..100 {
            let query = MemberQuery::default();
            let chosen = super::pick(&state, &AtomicUsize::new(0), query, Patience::Waiting).expect("one is up");
            leases.push(Lease::new(chosen));
        }
        let loads: Vec<_> = state.members.iter().map(|(member, _)| member.load()).collect();
        assert_eq!(loads, [10, 20, 30, 40]);
    }

    #[test]
    fn clients_are_spread_by_weight_and_stay_where_they_are() {
        let of = |weights, tried: &[u64], client: u32| {
            let client = Some(std::net::Ipv4Addr::from(client).into());
            let state = weighted(Balance::ClientAddress, weights);
            let query = MemberQuery { tried, client, ..MemberQuery::default() };
            super::pick(&state, &AtomicUsize::new(0), query, Patience::Waiting).expect("one is up").id
        };
        let counts = shares(&weighted(Balance::ClientAddress, [1, 2, 3, 4]), &[], 10_000);
        let close =
            counts.iter().zip([1000u32, 2000, 3000, 4000]).all(|(count, share)| count.abs_diff(share) < share / 8);
        assert!(close, "{counts:?}");
        for client in 0..500 {
            let before = of([1, 2, 3, 4], &[], client);
            // A member that goes moves its own clients alone, and so does a weight that grows take clients for its own member alone.
            assert!(before == 3 || of([1, 2, 3, 4], &[3], client) == before);
            let after = of([1, 2, 3, 8], &[], client);
            assert!(after == before || after == 3);
        }
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
