//! Pools at run time: members, their health, the choice of a member for a request, and the connections to members.
//!
//! Members are interned by address, name, transport and probe. All pools with endpoints that are equal in these share one member, so
//! that its health, its counters and its connections survive every change of configuration. A pool is updated in place: routes hold
//! it by reference, and are not touched when members come and go.
//!
//! Knows nothing of routes, tables or Kubernetes.

mod address_policy;
mod address_state;
mod affinity;
mod balance;
pub mod dial;
mod lease;
mod member;
mod no_member;
mod pool_state;
mod probe;
mod registry;
mod resolve;
mod state_votes;
mod tenure;
mod trust;

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::model::{EndpointState, PoolId};
use pool_state::PoolState;

pub use address_policy::AddressPolicy;
pub use address_state::ends_tenure;
pub use affinity::Token;
pub use lease::Lease;
pub use member::{Health, Member, ProbeOutcome};
pub use no_member::NoMember;
pub use probe::ProbeCounters;
pub use registry::Registry;
pub use state_votes::{AddressSource, AddressStates};
pub use tenure::{Departure, PodNotice, Tenure};

/// How long a request waits for the first answer to a probe, where no member has been probed yet.
const FIRST_PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often one request may choose again because its pool has changed meanwhile.
const MAX_CHOICE_RETRIES: usize = 3;

/// A set of members that serve the same backend.
#[derive(Debug)]
pub struct Pool {
    /// Its identity, which survives every change of members.
    pub id: PoolId,
    state: ArcSwap<PoolState>,
    /// Made when a cookie is first read or set.
    tokens: ArcSwapOption<TokenCache>,
    /// The turn of the next request.
    cursor: AtomicUsize,
    /// Notified when the members of any pool, or the health of any member, have changed.
    changed: Arc<Notify>,
}

/// The affinity tokens of the members that a pool has in one state.
#[derive(Debug)]
struct TokenCache {
    state: Weak<PoolState>,
    tokens: affinity::Tokens,
}

impl Pool {
    fn new(id: PoolId, changed: Arc<Notify>) -> Self {
        Self { id, state: ArcSwap::default(), tokens: ArcSwapOption::empty(), cursor: AtomicUsize::new(0), changed }
    }

    /// A pool without members.
    #[cfg(test)]
    pub(crate) fn for_test(id: &str) -> Arc<Self> {
        Arc::new(Self::new(PoolId(id.into()), Arc::default()))
    }

    /// Chooses the member for a request, but none of `tried`. A member has to be up and ready; where there is none, up and terminating
    /// while it still serves. Where no member is up and some have not been probed yet, the first answer is waited for, at most
    /// a second.
    ///
    /// Of the members that could be chosen, the first that `wanted` names is chosen. Where it has not been probed yet, its first answer
    /// is waited for as well, so that clients return to their members after a restart of the gateway.
    ///
    /// # Errors
    /// No member can take the request.
    pub async fn choose(&self, tried: &[u64], wanted: &[Token]) -> Result<Lease, NoMember> {
        match self.choose_at_once(tried, wanted) {
            Some(lease) => Ok(lease),
            None => Box::pin(self.choose_or_wait(tried, wanted)).await,
        }
    }

    /// The choice in nearly all cases: the request has no affinity, and a member is up.
    fn choose_at_once(&self, tried: &[u64], wanted: &[Token]) -> Option<Lease> {
        if !wanted.is_empty() {
            return None;
        }
        let state = self.state.load();
        let member = balance::pick(state.balance, &state.members, &self.cursor, tried)?;
        self.take(&state, member, &mut 1)
    }

    async fn choose_or_wait(&self, tried: &[u64], wanted: &[Token]) -> Result<Lease, NoMember> {
        let deadline = Instant::now() + FIRST_PROBE_TIMEOUT;
        let mut retries = MAX_CHOICE_RETRIES;
        loop {
            // Registered before the state is read, so that a change in between is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            let state = self.state.load_full();
            // First the members that the client's cookie names.
            if !wanted.is_empty() {
                let tokens = &self.tokens(&state).tokens;
                if let Some(member) = affinity::pick(&state.members, tokens, wanted, tried) {
                    match self.take(&state, member, &mut retries) {
                        Some(lease) => return Ok(lease),
                        None => continue,
                    }
                }
                let pending = affinity::pending(&state.members, tokens, wanted, state.resolving);
                if pending && tokio::time::timeout_at(deadline, changed.as_mut()).await.is_ok() {
                    continue;
                }
            }
            // Then any member.
            if let Some(member) = balance::pick(state.balance, &state.members, &self.cursor, tried) {
                match self.take(&state, member, &mut retries) {
                    Some(lease) => return Ok(lease),
                    None => continue,
                }
            }
            // There is none. The first answer to a probe is waited for, if one is pending.
            let reason = state.no_member();
            if state.available().any(|member| !tried.contains(&member.id)) {
                // It came up since the choice.
                continue;
            }
            if reason.unknown == 0 || tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Err(reason);
            }
        }
    }

    /// Takes a lease on a member that was chosen in `state`. `None` if the pool has changed since: the departure of the pod may have
    /// been reported meanwhile, and the lease would belong to the tenure after it. `retries` limits how often that is given.
    fn take(&self, state: &Arc<PoolState>, member: Arc<Member>, retries: &mut usize) -> Option<Lease> {
        let lease = Lease::new(member);
        let stale = !Arc::ptr_eq(state, &self.state.load());
        if stale && *retries > 0 {
            *retries -= 1;
            return None;
        }
        Some(lease)
    }

    /// The token by which cookies name `member` in this pool.
    pub fn token(&self, member: &Member) -> Token {
        self.tokens(&self.state.load()).tokens.of(&self.id, member)
    }

    fn tokens(&self, state: &Arc<PoolState>) -> Arc<TokenCache> {
        let cached = self.tokens.load_full().filter(|cache| cache.state.as_ptr() == Arc::as_ptr(state));
        cached.unwrap_or_else(|| {
            let tokens = affinity::Tokens::new(&self.id, &state.members);
            let cache = Arc::new(TokenCache { state: Arc::downgrade(state), tokens });
            self.tokens.store(Some(Arc::clone(&cache)));
            cache
        })
    }

    /// Every member, and the state of its endpoint.
    pub fn members(&self) -> Vec<(Arc<Member>, EndpointState)> {
        self.state.load().members.to_vec()
    }

    /// Whether a member has this address.
    pub fn has(&self, address: SocketAddr) -> bool {
        self.state.load().members.iter().any(|(member, _)| member.key.address == address)
    }

    /// The number of DNS names without an address.
    pub fn unresolved(&self) -> usize {
        let state = self.state.load();
        state.unresolved + state.resolving
    }

    /// Why no request could be served now; `None` if one could.
    pub fn unavailable(&self) -> Option<NoMember> {
        let state = self.state.load();
        state.available().next().is_none().then(|| state.no_member())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_not_taken_by_what_the_pool_was_before() {
        let pool = Pool::new(PoolId("pool".into()), Arc::default());
        let member = Member::for_test(0, Health::Up);
        let state = pool.state.load_full();
        assert!(pool.take(&state, Arc::clone(&member), &mut 1).is_some());
        pool.state.store(Arc::default());
        let mut retries = 1;
        assert!(pool.take(&state, Arc::clone(&member), &mut retries).is_none());
        assert_eq!(member.load(), 0, "nothing is counted");
        assert!(pool.take(&state, member, &mut retries).is_some(), "it ends where the pool changes all the time");
    }
}
