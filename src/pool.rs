//! Pools at run time: members, their health, the choice of a member for a request, and the connections to members.
//!
//! Members are interned by address, name, transport and probe. All pools with endpoints that are equal in these share one member, so
//! that its health, its counters and its connections survive every change of configuration. A pool is updated in place: routes hold
//! it by reference, and are not touched when members come and go.
//!
//! Knows nothing of routes, tables or Kubernetes.

mod address_state;
mod affinity;
mod balance;
mod client_hash;
pub mod dial;
mod lease;
mod member;
mod no_member;
mod pool_state;
mod preference;
mod probe;
mod registry;
mod resolve;
mod shortage;
mod standing;
mod state_votes;
mod tenure;
mod trust;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::model::{Balance, EndpointState, PoolId};
use pool_state::PoolState;
use preference::{Patience, Preference};

pub use address_state::ends_tenure;
pub use affinity::{AffinityKey, ShortKeyError, Token};
pub use lease::Lease;
pub use member::{Health, Member, ProbeOutcome};
pub use no_member::NoMember;
pub use probe::ProbeCounters;
pub use registry::Registry;
pub use resolve::{LookUpError, look_up};
pub use shortage::Shortage;
pub use standing::Standing;
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
    /// The key of its tokens.
    key: AffinityKey,
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

/// What the choice of a member depends on, besides the pool.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemberQuery<'a> {
    /// The members that have been tried, by their ids: none of them is chosen.
    pub tried: &'a [u64],
    /// The members that the client's cookies name.
    pub wanted: &'a [Token],
    /// The client's own address, where [`Pool::chooses_by_client`].
    pub client: Option<IpAddr>,
}

impl Pool {
    fn new(id: PoolId, key: AffinityKey, changed: Arc<Notify>) -> Self {
        let (state, tokens) = (ArcSwap::default(), ArcSwapOption::empty());
        Self { id, state, key, tokens, cursor: AtomicUsize::new(0), changed }
    }

    /// A pool without members.
    #[cfg(test)]
    pub(crate) fn for_test(id: &str) -> Arc<Self> {
        Arc::new(Self::new(PoolId(id.into()), AffinityKey::random(), Arc::default()))
    }

    /// Whether the client's address decides which member is chosen.
    pub fn chooses_by_client(&self) -> bool {
        self.state.load().balance == Balance::ClientAddress
    }

    /// Chooses the member for a request. Members that are up and ready come first, then those that are up and
    /// terminating while they still serve. Where no member is up and some have not been probed yet, the first answer is waited for,
    /// at most a second. A probe that is a guess does not count where no member passes it: then every ready member may be chosen.
    ///
    /// Of the members that could be chosen, the first that the client's cookies name is chosen. Where it has not been probed yet, its first answer
    /// is waited for as well, so that clients return to their members after a restart of the gateway. The same holds for the member
    /// that the client's address gives.
    ///
    /// # Errors
    /// No member can take the request.
    pub async fn choose(&self, query: MemberQuery<'_>) -> Result<Lease, NoMember> {
        match self.choose_at_once(query) {
            Some(lease) => Ok(lease),
            None => Box::pin(self.choose_or_wait(query)).await,
        }
    }

    /// The choice in nearly all cases: the request has no affinity, and a member may be chosen.
    fn choose_at_once(&self, query: MemberQuery<'_>) -> Option<Lease> {
        if !query.wanted.is_empty() {
            return None;
        }
        let state = self.state.load();
        if balance::is_own_pending(&state, query) {
            return None;
        }
        let member = balance::pick(&state, &self.cursor, query, Patience::Waiting)?;
        self.take(&state, member, &mut 1)
    }

    async fn choose_or_wait(&self, query: MemberQuery<'_>) -> Result<Lease, NoMember> {
        let MemberQuery { tried, wanted, client: _ } = query;
        let deadline = Instant::now() + FIRST_PROBE_TIMEOUT;
        let mut retries = MAX_CHOICE_RETRIES;
        loop {
            // Registered before the state is read, so that a change in between is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            let patience = if Instant::now() < deadline { Patience::Waiting } else { Patience::Over };
            let state = self.state.load_full();
            let wake = state.next_overdue().map_or(deadline, |overdue| overdue.min(deadline));
            // First the members that the client's cookie names.
            if !wanted.is_empty() {
                let tokens = &self.tokens(&state).tokens;
                if let Some(member) = affinity::pick(&state, tokens, wanted, tried, patience) {
                    match self.take(&state, member, &mut retries) {
                        Some(lease) => return Ok(lease),
                        None => continue,
                    }
                }
                if patience == Patience::Waiting && affinity::pending(&state, tokens, wanted) {
                    let _woken = tokio::time::timeout_at(wake, changed.as_mut()).await;
                    continue;
                }
            }
            if patience == Patience::Waiting && balance::is_own_pending(&state, query) {
                let _woken = tokio::time::timeout_at(wake, changed.as_mut()).await;
                continue;
            }
            // Then any member.
            if let Some(member) = balance::pick(&state, &self.cursor, query, patience) {
                match self.take(&state, member, &mut retries) {
                    Some(lease) => return Ok(lease),
                    None => continue,
                }
            }
            // There is none. The first answer to a probe is waited for, if one is pending.
            let reason = state.no_member();
            if state.best(tried, state.terms(patience)).is_some() {
                // It came up since the choice.
                continue;
            }
            if reason.unknown == 0 || patience == Patience::Over {
                return Err(reason);
            }
            let _woken = tokio::time::timeout_at(wake, changed).await;
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

    /// Whether a token names a member.
    pub fn is_named_by(&self, token: Token) -> bool {
        self.tokens(&self.state.load()).tokens.indexes(token).next().is_some()
    }

    /// Whether other processes may know its tokens too.
    pub fn has_shared_key(&self) -> bool {
        self.key.is_shared()
    }

    /// The token by which cookies name `member` in this pool.
    pub fn token(&self, member: &Member) -> Token {
        self.tokens(&self.state.load()).tokens.of(&self.key, &self.id, member)
    }

    fn tokens(&self, state: &Arc<PoolState>) -> Arc<TokenCache> {
        let cached = self.tokens.load_full().filter(|cache| cache.state.as_ptr() == Arc::as_ptr(state));
        cached.unwrap_or_else(|| {
            let tokens = affinity::Tokens::new(&self.key, &self.id, &state.members);
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

    /// Every member, the state of its endpoint, and how it stands.
    pub fn standings(&self) -> Vec<(Arc<Member>, EndpointState, Standing)> {
        let state = self.state.load();
        state.standings().map(|(member, endpoint, standing)| (Arc::clone(member), endpoint, standing)).collect()
    }

    /// Whether its members are counted with another pool, which alone leads to it.
    pub fn is_component(&self) -> bool {
        self.state.load().is_component
    }

    /// Whether a member that fails its probe is to be left: the probe counts in this pool.
    pub fn is_left(&self, member: &Member) -> bool {
        member.health() == Health::Down && self.state.load().counting_probes().include(member)
    }

    /// The ready members that share the next requests.
    pub fn takers(&self) -> Vec<Arc<Member>> {
        let state = self.state.load();
        let terms = state.terms(Patience::Over);
        let Some(best) = state.best(&[], terms) else { return Vec::new() };
        let is_taker = |(member, endpoint): &&(Arc<Member>, EndpointState)| {
            *endpoint == EndpointState::Ready && Preference::of(member, *endpoint, terms) == Some(best.preference)
        };
        state.members.iter().filter(is_taker).map(|(member, _)| Arc::clone(member)).collect()
    }

    /// Why no request could be served now; `None` if one could.
    pub fn unavailable(&self) -> Option<NoMember> {
        let state = self.state.load();
        state.best(&[], state.terms(Patience::Waiting)).is_none().then(|| state.no_member())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_not_taken_by_what_the_pool_was_before() {
        let pool = Pool::new(PoolId("pool".into()), AffinityKey::random(), Arc::default());
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
