//! Tokens that have been verified, by their hash: each worker remembers its own, so that no lock is taken.
//!
//! They are in two maps, of which the older is dropped when the newer is half of what may be remembered. A token that is found in
//! the older one goes to the newer: those in use stay.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::bearer::TokenDigest;
use super::verify::VerifiedToken;
use crate::jwks::FetchedKeys;
use crate::model::{KeySet, TokenPolicy};
use crate::proxy::limits::MAX_REMEMBERED_TOKENS;

thread_local! {
    static TOKENS: RefCell<TokenCache> = RefCell::default();
}

/// A token that has been verified, and what it was verified by. It holds for nothing else.
#[derive(Debug, Clone)]
pub(super) struct CachedToken {
    pub(super) policy: Arc<TokenPolicy>,
    /// Where the keys came from, and the keys. `None`: they are part of the policy.
    pub(super) origin: Option<(Arc<FetchedKeys>, Arc<KeySet>)>,
    pub(super) token: Arc<VerifiedToken>,
}

/// The key of a token: its hash, and the address of the policy, since one token may be valid by one policy and not by another.
type CacheKey = (TokenDigest, usize);

#[derive(Debug, Default)]
struct TokenCache {
    newer: HashMap<CacheKey, CachedToken>,
    older: HashMap<CacheKey, CachedToken>,
}

/// Finds a token that is still valid: by this policy, by the newest keys, at the time `now`.
pub(super) fn find(policy: &Arc<TokenPolicy>, digest: &TokenDigest, now: u64) -> Option<Arc<VerifiedToken>> {
    TOKENS.with_borrow_mut(|tokens| tokens.find(policy, digest, now))
}

/// Remembers a token.
pub(super) fn insert(digest: &TokenDigest, cached: CachedToken) {
    TOKENS.with_borrow_mut(|tokens| tokens.insert(key(&cached.policy, digest), cached));
}

fn key(policy: &Arc<TokenPolicy>, digest: &TokenDigest) -> CacheKey {
    // The entry holds the policy, so nothing else comes to have its address.
    (*digest, Arc::as_ptr(policy).addr())
}

impl TokenCache {
    fn find(&mut self, policy: &Arc<TokenPolicy>, digest: &TokenDigest, now: u64) -> Option<Arc<VerifiedToken>> {
        let key = key(policy, digest);
        if let Some(cached) = self.newer.get(&key) {
            if cached.is_valid(now) {
                return Some(Arc::clone(&cached.token));
            }
            self.newer.remove(&key);
            return None;
        }
        let cached = self.older.remove(&key).filter(|cached| cached.is_valid(now))?;
        let token = Arc::clone(&cached.token);
        self.insert(key, cached);
        Some(token)
    }

    fn insert(&mut self, key: CacheKey, cached: CachedToken) {
        if self.newer.len() >= MAX_REMEMBERED_TOKENS / 2 {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(key, cached);
    }
}

impl CachedToken {
    fn is_valid(&self, now: u64) -> bool {
        now < self.token.end && self.origin.as_ref().is_none_or(|(fetched, keys)| fetched.has(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::policy::token::verify::tests::policy;

    fn cached(policy: &Arc<TokenPolicy>, end: u64) -> CachedToken {
        let token = Arc::new(VerifiedToken { end, headers: Box::default() });
        CachedToken { policy: Arc::clone(policy), origin: None, token }
    }

    #[test]
    fn a_token_is_found_until_it_ends_and_by_its_policy_alone() {
        let (one, other) = (Arc::new(policy()), Arc::new(policy()));
        let mut tokens = TokenCache::default();
        tokens.insert(key(&one, &[1; 32]), cached(&one, 100));
        assert!(tokens.find(&one, &[1; 32], 99).is_some());
        assert!(tokens.find(&other, &[1; 32], 99).is_none());
        assert!(tokens.find(&one, &[2; 32], 99).is_none());
        assert!(tokens.find(&one, &[1; 32], 100).is_none());
        assert!(tokens.newer.is_empty());
    }

    #[test]
    fn no_more_are_remembered_than_may_be_and_those_in_use_stay() {
        let policy = Arc::new(policy());
        let mut tokens = TokenCache::default();
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            digest
        };
        for number in 0..3 * MAX_REMEMBERED_TOKENS {
            tokens.insert(key(&policy, &digest(number)), cached(&policy, 100));
            assert!(tokens.find(&policy, &digest(0), 0).is_some(), "{number}");
            assert!(tokens.newer.len() + tokens.older.len() <= MAX_REMEMBERED_TOKENS);
        }
        assert!(tokens.find(&policy, &digest(1), 0).is_none());
    }
}
