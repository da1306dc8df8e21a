use std::time::Duration;

use super::*;
use crate::pool::member::Health;

const GRACE: Duration = Duration::from_secs(30);
const TERMINATING: EndpointState = EndpointState::Terminating { grace: GRACE };

fn pool() -> PoolId {
    PoolId("default/chat:http (Ingress default/site)".into())
}

fn key() -> AffinityKey {
    AffinityKey::new(b"a key of the tests, 32 bytes long").expect("long enough")
}

fn members(described: &[(EndpointState, Health)]) -> Vec<(Arc<Member>, EndpointState)> {
    described.iter().enumerate().map(|(n, (state, health))| (Member::for_test(n, *health), *state)).collect()
}

/// Clients hold such values over upgrades of the gateway: another scheme moves them all.
#[test]
fn a_token_is_the_same_for_ever() {
    let token = |address: &str| Token::new(&key(), &pool(), address.parse().expect("an address")).to_string();
    // printf 'default/chat:http (Ingress default/site)\0%s' ADDRESS | openssl dgst -sha256 -hmac KEY | cut -c 1-16
    assert_eq!(token("10.0.0.1:8080"), "2457cb830b349a75");
    assert_eq!(token("[2001:db8::1]:8080"), "7140bd6aaa9e76d8");
}

#[test]
fn another_key_gives_other_tokens_and_a_short_one_none() {
    let address = "10.0.0.1:8080".parse().expect("an address");
    let tokens = [key(), AffinityKey::random(), AffinityKey::random()].map(|key| Token::new(&key, &pool(), address));
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2] && tokens[0] != tokens[2]);
    assert_eq!(AffinityKey::new(&[7; MIN_KEY_BYTES - 1]).err(), Some(ShortKeyError(MIN_KEY_BYTES - 1)));
    assert!(!format!("{:?}", key()).contains("tests"));
}

#[test]
fn a_token_is_read_as_it_is_written_and_no_other_way() {
    for token in [Token(0), Token(0x0123_4567_89ab_cdef), Token(u64::MAX)] {
        assert_eq!(Token::read(token.to_string().as_bytes()), Some(token));
    }
    for bad in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "+123456789abcdef", "0123456789abcdeg"]
    {
        assert_eq!(Token::read(bad.as_bytes()), None, "{bad}");
    }
}

/// A choice of a request that does not wait.
fn pick(members: &Members, tokens: &Tokens, wanted: &[Token], tried: &[u64]) -> Option<Arc<Member>> {
    let state = PoolState { members: members.into(), ..PoolState::default() };
    super::pick(&state, tokens, wanted, tried, Patience::Waiting)
}

fn pending(members: &Members, tokens: &Tokens, wanted: &[Token], resolving: usize) -> bool {
    super::pending(&PoolState { members: members.into(), resolving, ..PoolState::default() }, tokens, wanted)
}

#[test]
fn a_pool_does_not_know_the_tokens_of_another() {
    let members = members(&[(EndpointState::Ready, Health::Up)]);
    let (here, there) =
        (Tokens::new(&key(), &pool(), &members), Tokens::new(&key(), &PoolId("other".into()), &members));
    let token = there.of(&key(), &pool(), &members[0].0);
    assert!(pick(&members, &here, &[token], &[]).is_none());
    assert!(pick(&members, &there, &[token], &[]).is_some());
}

#[test]
fn the_first_that_can_take_it_wins() {
    use EndpointState::{NotReady, Ready};
    use Health::{Down, Unknown, Up};
    let ending = EndpointState::Ending { grace: GRACE };
    let cases: [(&[_], &[usize], &[u64], _); 12] = [
        // What there is, by number; who is wanted; who was tried; who is chosen.
        (&[(Ready, Up), (Ready, Up)], &[1], &[], Some(1)),
        (&[(Ready, Up), (Ready, Up), (Ready, Up)], &[2, 1], &[], Some(2)),
        (&[(Ready, Up), (Ready, Up)], &[], &[], None),
        (&[(Ready, Up), (Ready, Down)], &[1], &[], None),
        (&[(Ready, Up), (Ready, Down)], &[1, 0], &[], Some(0)),
        (&[(Ready, Up), (Ready, Unknown)], &[1], &[], None),
        (&[(Ready, Up), (NotReady, Up)], &[1], &[], None),
        (&[(Ready, Up), (Ready, Up)], &[1], &[1], None),
        (&[(Ready, Up), (TERMINATING, Up)], &[1], &[], None),
        (&[(Ready, Down), (TERMINATING, Up), (TERMINATING, Up)], &[2], &[], Some(2)),
        (&[(Ready, Up), (TERMINATING, Up)], &[1], &[0], Some(1)),
        (&[(ending, Up)], &[0], &[], None),
    ];
    for (described, wanted, tried, expected) in cases {
        let members = members(described);
        let tokens = Tokens::new(&key(), &pool(), &members);
        let wanted: Vec<_> = wanted.iter().map(|n| tokens.of(&key(), &pool(), &members[*n].0)).collect();
        let chosen = pick(&members, &tokens, &wanted, tried).map(|member| member.id as usize);
        assert_eq!(chosen, expected, "{described:?} {tried:?}");
    }
}

/// An address may stand in a pool twice: by itself and behind a name.
#[test]
fn of_two_members_at_one_address_the_one_that_can_takes_it() {
    let mut members = members(&[(EndpointState::NotReady, Health::Up)]);
    members.push((Member::for_test(0, Health::Up), EndpointState::Ready));
    let tokens = Tokens::new(&key(), &pool(), &members);
    let wanted = [tokens.of(&key(), &pool(), &members[0].0)];
    let chosen = pick(&members, &tokens, &wanted, &[]).expect("the second");
    assert!(Arc::ptr_eq(&chosen, &members[1].0));
}

#[test]
fn a_member_that_may_soon_be_up_is_waited_for() {
    use EndpointState::{NotReady, Ready};
    for (state, health, expected) in [
        (Ready, Health::Unknown, true),
        (Ready, Health::Up, false),
        (Ready, Health::Down, false),
        (NotReady, Health::Unknown, false),
        (TERMINATING, Health::Unknown, false),
    ] {
        let members = members(&[(Ready, Health::Unknown), (state, health)]);
        let tokens = Tokens::new(&key(), &pool(), &members);
        let wanted = [tokens.of(&key(), &pool(), &members[1].0)];
        assert_eq!(pending(&members, &tokens, &wanted, 0), expected, "{state:?} {health:?}");
        assert_eq!(pending(&members, &tokens, &wanted, 1), expected, "the member is known");
        assert!(!pending(&members, &tokens, &[], 1));
        assert!(pending(&members, &tokens, &[Token(1)], 1));
        assert!(!pending(&members, &tokens, &[Token(1)], 0));
    }
}
