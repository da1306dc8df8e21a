//! Which member a client's cookie names. Every replica says the same, before and after a restart: a token is a hash of
//! what both know, and nothing is kept.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::{Health, Member};
use crate::model::{EndpointState, PoolId};

/// A member of a pool, as a cookie names it: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(u64);

impl Token {
    /// The first 8 bytes of the SHA-256 of pool, NUL and address.
    fn new(pool: &PoolId, address: SocketAddr) -> Self {
        let hash = digest(&SHA256, format!("{pool}\0{address}").as_bytes());
        Self(hash.as_ref().iter().take(8).fold(0, |token, byte| token << 8 | u64::from(*byte)))
    }

    /// Reads what [`fmt::Display`] writes, and nothing else.
    pub fn read(text: &[u8]) -> Option<Self> {
        if text.len() != 16 {
            return None;
        }
        text.iter().try_fold(Self(0), |Self(token), byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return None,
            };
            Some(Self(token << 4 | u64::from(digit)))
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The tokens of a pool's members.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Each with its member's place, sorted. Two members can have one address.
    places: Vec<(Token, usize)>,
    /// By the member's id.
    of: HashMap<u64, Token>,
}

type Members = [(Arc<Member>, EndpointState)];

impl Tokens {
    pub(super) fn new(pool: &PoolId, members: &Members) -> Self {
        let tokens = members.iter().map(|(member, _)| Token::new(pool, member.key.address));
        let mut places: Vec<_> = tokens.zip(0..).collect();
        let of = places.iter().map(|(token, place)| (members[*place].0.id, *token)).collect();
        places.sort_unstable();
        Self { places, of }
    }

    /// The token of `member`, known here or not any more.
    pub(super) fn of(&self, pool: &PoolId, member: &Member) -> Token {
        self.of.get(&member.id).copied().unwrap_or_else(|| Token::new(pool, member.key.address))
    }

    fn places(&self, token: Token) -> impl Iterator<Item = usize> {
        let first = self.places.partition_point(|(other, _)| *other < token);
        self.places[first..].iter().take_while(move |(other, _)| *other == token).map(|(_, place)| *place)
    }
}

/// The first member of `wanted` that may take a request now: on the same conditions as any other.
pub(super) fn pick(members: &Members, tokens: &Tokens, wanted: &[Token], tried: &[u64]) -> Option<Arc<Member>> {
    let up = |member: &Member| member.health() == Health::Up && !tried.contains(&member.id);
    let ready = |(member, state): &(Arc<Member>, EndpointState)| *state == EndpointState::Ready && up(member);
    let named = wanted.iter().flat_map(|token| tokens.places(*token)).map(|place| &members[place]);
    let mut able = named.filter(|entry| match entry.1 {
        EndpointState::Ready => up(&entry.0),
        EndpointState::Terminating { .. } => up(&entry.0) && !members.iter().any(ready),
        EndpointState::Ending { .. } | EndpointState::NotReady => false,
    });
    able.next().map(|(member, _)| Arc::clone(member))
}

/// Whether one of `wanted` is to take requests, and its first probe has not been answered; or may be behind a name whose
/// first look-up has not been.
pub(super) fn pending(members: &Members, tokens: &Tokens, wanted: &[Token], resolving: usize) -> bool {
    wanted.iter().any(|token| {
        let mut places = tokens.places(*token).peekable();
        (resolving > 0 && places.peek().is_none())
            || places
                .map(|place| &members[place])
                .any(|(member, state)| *state == EndpointState::Ready && member.health() == Health::Unknown)
    })
}

#[cfg(test)]
mod tests;
