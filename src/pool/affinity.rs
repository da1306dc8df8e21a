//! Session affinity: the member that a client's cookie names.
//!
//! A token is a keyed hash of the pool and the member's address: without the key nobody can tell an address by it. Replicas that share the
//! key compute the same tokens, before and after a restart, and nothing has to be stored.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;

use super::member::Member;
use super::pool_state::PoolState;
use super::preference::{self, Patience, Preference};
use crate::model::{EndpointState, PoolId};

/// The shortest key, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// The key of the tokens, which replicas share. Cheap to clone; never printed.
#[derive(Debug, Clone)]
pub struct AffinityKey {
    key: Arc<hmac::Key>,
    is_shared: bool,
}

/// A key is too short to keep anything secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has at least {MIN_KEY_BYTES} bytes, and this one has {0}")]
pub struct ShortKeyError(usize);

impl AffinityKey {
    /// A key of these bytes.
    ///
    /// # Errors
    /// There are too few.
    pub fn new(bytes: &[u8]) -> Result<Self, ShortKeyError> {
        if bytes.len() < MIN_KEY_BYTES {
            return Err(ShortKeyError(bytes.len()));
        }
        Ok(Self { key: Arc::new(hmac::Key::new(HMAC_SHA256, bytes)), is_shared: true })
    }

    /// A key that no other process has.
    pub fn random() -> Self {
        let key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new());
        Self { key: Arc::new(key.expect("the system has random bytes")), is_shared: false }
    }

    /// Whether other processes may have the key.
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }
}

/// The name of a pool's member in a cookie: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(u64);

impl Token {
    /// The first 8 bytes of the HMAC-SHA-256 of pool, NUL and address.
    fn new(key: &AffinityKey, pool: &PoolId, address: SocketAddr) -> Self {
        let hash = hmac::sign(&key.key, format!("{pool}\0{address}").as_bytes());
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
    pub(super) fn new(key: &AffinityKey, pool: &PoolId, members: &Members) -> Self {
        let tokens = members.iter().map(|(member, _)| Token::new(key, pool, member.key.address));
        let mut indexes: Vec<_> = tokens.zip(0..).collect();
        let by_id = indexes.iter().map(|(token, index)| (members[*index].0.id, *token)).collect();
        indexes.sort_unstable();
        Self { indexes, by_id }
    }

    /// The token of `member`, which may have left the pool.
    pub(super) fn of(&self, key: &AffinityKey, pool: &PoolId, member: &Member) -> Token {
        self.by_id.get(&member.id).copied().unwrap_or_else(|| Token::new(key, pool, member.key.address))
    }

    /// The indexes of the members with this token.
    pub(super) fn indexes(&self, token: Token) -> impl Iterator<Item = usize> {
        let first = self.indexes.partition_point(|(other, _)| *other < token);
        self.indexes[first..].iter().take_while(move |(other, _)| *other == token).map(|(_, index)| *index)
    }
}

/// The first member of `wanted` that may take a request now, under the conditions that hold for any member.
pub(super) fn pick(
    state: &PoolState,
    tokens: &Tokens,
    wanted: &[Token],
    tried: &[u64],
    patience: Patience,
) -> Option<Arc<Member>> {
    let terms = state.terms(patience);
    let best = state.best(tried, terms)?.preference;
    let named = wanted.iter().flat_map(|token| tokens.indexes(*token)).map(|index| &state.members[index]);
    let mut able = named.filter(|(member, endpoint)| {
        Preference::of(member, *endpoint, terms) == Some(best) && !tried.contains(&member.id)
    });
    able.next().map(|(member, _)| Arc::clone(member))
}

/// Whether it is worth to wait for a member of `wanted`: its first probe has not been answered, or it may have a DNS name whose first
/// look-up has not ended.
pub(super) fn pending(state: &PoolState, tokens: &Tokens, wanted: &[Token]) -> bool {
    wanted.iter().any(|token| {
        let mut indexes = tokens.indexes(*token).peekable();
        (state.resolving > 0 && indexes.peek().is_none())
            || indexes
                .map(|index| &state.members[index])
                .any(|(member, endpoint)| preference::is_pending(member, *endpoint))
    })
}

#[cfg(test)]
mod tests;
