//! Session affinity: the member that a client's cookie names.
//!
//! A token is a hash of the pool and the member's address. Every replica computes the same tokens, before and after a restart, and
//! nothing has to be stored.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::member::{Health, Member};
use crate::model::{EndpointState, PoolId};

/// The name of a pool's member in a cookie: 16 hexadecimal digits.
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
    /// Each token with the index of its member, sorted. Two members can have one address.
    indexes: Vec<(Token, usize)>,
    /// The token of each member, by its id.
    by_id: HashMap<u64, Token>,
}

type Members = [(Arc<Member>, EndpointState)];

impl Tokens {
    pub(super) fn new(pool: &PoolId, members: &Members) -> Self {
        let tokens = members.iter().map(|(member, _)| Token::new(pool, member.key.address));
        let mut indexes: Vec<_> = tokens.zip(0..).collect();
        let by_id = indexes.iter().map(|(token, index)| (members[*index].0.id, *token)).collect();
        indexes.sort_unstable();
        Self { indexes, by_id }
    }

    /// The token of `member`, which may have left the pool.
    pub(super) fn of(&self, pool: &PoolId, member: &Member) -> Token {
        self.by_id.get(&member.id).copied().unwrap_or_else(|| Token::new(pool, member.key.address))
    }

    /// The indexes of the members with this token.
    fn indexes(&self, token: Token) -> impl Iterator<Item = usize> {
        let first = self.indexes.partition_point(|(other, _)| *other < token);
        self.indexes[first..].iter().take_while(move |(other, _)| *other == token).map(|(_, index)| *index)
    }
}

/// The first member of `wanted` that may take a request now, under the conditions that hold for any member.
pub(super) fn pick(members: &Members, tokens: &Tokens, wanted: &[Token], tried: &[u64]) -> Option<Arc<Member>> {
    let up = |member: &Member| member.health() == Health::Up && !tried.contains(&member.id);
    let ready = |(member, state): &(Arc<Member>, EndpointState)| *state == EndpointState::Ready && up(member);
    let named = wanted.iter().flat_map(|token| tokens.indexes(*token)).map(|index| &members[index]);
    let mut able = named.filter(|entry| match entry.1 {
        EndpointState::Ready => up(&entry.0),
        EndpointState::Terminating { .. } => up(&entry.0) && !members.iter().any(ready),
        EndpointState::Ending { .. } | EndpointState::NotReady => false,
    });
    able.next().map(|(member, _)| Arc::clone(member))
}

/// Whether it is worth to wait for a member of `wanted`: it is ready and its first probe has not been answered, or it may have a DNS
/// name whose first look-up has not ended (`resolving` counts these).
pub(super) fn pending(members: &Members, tokens: &Tokens, wanted: &[Token], resolving: usize) -> bool {
    wanted.iter().any(|token| {
        let mut indexes = tokens.indexes(*token).peekable();
        (resolving > 0 && indexes.peek().is_none())
            || indexes
                .map(|index| &members[index])
                .any(|(member, state)| *state == EndpointState::Ready && member.health() == Health::Unknown)
    })
}

#[cfg(test)]
mod tests;
