//! Pools at run time: members, their health, who takes the next request, and the connections to them.
//!
//! Members are interned by (address, name, transport, probe): all pools that would ask the same thing of the
//! same place share one member, so its health, its counters and its connections survive every change
//! of configuration. A pool is updated in place; routes hold it by reference and are not touched by
//! the coming and going of members.
//!
//! Knows nothing of routes, tables or Kubernetes.

mod affinity;
mod balance;
pub mod dial;
mod interned;
mod member;
mod place;
mod presence;
mod probe;
mod registry;
mod resolve;
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

pub use affinity::Token;
pub use member::{Health, Lease, Member, Outcome};
pub use presence::{Standings, ends_tenure};
pub use registry::{Policy, Registry};
pub use tenure::{Departure, PodNotice, Tenure};

/// How long a request waits for the first answer to a probe, where no member has been probed yet.
const FIRST_PROBE_WAIT: Duration = Duration::from_secs(1);

/// How often one request may choose anew because its pool has changed meanwhile.
const CHOOSE_AGAIN: usize = 3;

/// A set of members that serve the same thing.
#[derive(Debug)]
pub struct Pool {
    /// Identity, the same through every change of members.
    pub id: PoolId,
    state: ArcSwap<State>,
    /// Made when a cookie is first read or set.
    tokens: ArcSwapOption<Known>,
    cursor: AtomicUsize,
    /// Rings when the health of any member of any pool changes.
    changed: Arc<Notify>,
}

/// How cookies name the members that a pool had at one instant.
#[derive(Debug)]
struct Known {
    at: Weak<State>,
    tokens: affinity::Tokens,
}

/// What a pool consists of at one instant, and others that are filled alike.
#[derive(Debug, Default)]
struct State {
    balance: Balance,
    /// Everyone, and what is said of the endpoint.
    members: Box<[(Arc<Member>, EndpointState)]>,
    /// Names that no address has been found for.
    unresolved: usize,
    /// Names whose first look-up has not been answered.
    resolving: usize,
}

/// Why a pool has no member for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMember {
    /// Endpoints that their source says are not ready.
    pub not_ready: usize,
    /// Endpoints that are going away, and do not serve any more.
    pub terminating: usize,
    /// Endpoints that fail their probe.
    pub down: usize,
    /// Endpoints whose first probe has not been answered.
    pub unknown: usize,
    /// Names that do not resolve.
    pub unresolved: usize,
}

impl std::fmt::Display for NoMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { not_ready, terminating, down, unknown, unresolved } = *self;
        if not_ready + terminating + down + unknown + unresolved == 0 {
            return f.write_str("the backend has no endpoints");
        }
        let mut parts = Vec::new();
        for (count, what) in [
            (down, "failing the health probe"),
            (unknown, "not yet probed"),
            (not_ready, "not ready"),
            (terminating, "terminating"),
            (unresolved, "not resolving to an address"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        write!(f, "no backend endpoint is available: {}", parts.join(", "))
    }
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

    /// Chooses the member for a request, other than those in `tried`: one that is ready and up, else one that is going away,
    /// still serves, and is up. Where members have not been probed yet and none is up, waits for the first answer,
    /// at most a second.
    ///
    /// Of those that could be chosen, the first that is in `wanted` is. Where such a member has not been probed yet, its
    /// answer is waited for in the same way: after a restart clients go back to where they were.
    ///
    /// # Errors
    /// No member can take it.
    pub async fn choose(&self, tried: &[u64], wanted: &[Token]) -> Result<Lease, NoMember> {
        match self.choose_at_once(tried, wanted) {
            Some(lease) => Ok(lease),
            None => Box::pin(self.choose_or_wait(tried, wanted)).await,
        }
    }

    /// As nearly always: nobody's cookie is to be read, and a member is up.
    fn choose_at_once(&self, tried: &[u64], wanted: &[Token]) -> Option<Lease> {
        if !wanted.is_empty() {
            return None;
        }
        let state = self.state.load();
        let member = balance::pick(state.balance, &state.members, &self.cursor, tried)?;
        self.take(&state, member, &mut 1)
    }

    async fn choose_or_wait(&self, tried: &[u64], wanted: &[Token]) -> Result<Lease, NoMember> {
        let deadline = Instant::now() + FIRST_PROBE_WAIT;
        let mut again = CHOOSE_AGAIN;
        loop {
            // Registered before the look, so that an answer between the two is not missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            let state = self.state.load_full();
            if !wanted.is_empty() {
                let tokens = &self.tokens(&state).tokens;
                if let Some(member) = affinity::pick(&state.members, tokens, wanted, tried) {
                    match self.take(&state, member, &mut again) {
                        Some(lease) => return Ok(lease),
                        None => continue,
                    }
                }
                let pending = affinity::pending(&state.members, tokens, wanted, state.resolving);
                if pending && tokio::time::timeout_at(deadline, changed.as_mut()).await.is_ok() {
                    continue;
                }
            }
            if let Some(member) = balance::pick(state.balance, &state.members, &self.cursor, tried) {
                match self.take(&state, member, &mut again) {
                    Some(lease) => return Ok(lease),
                    None => continue,
                }
            }
            let why = state.why_none();
            if state.up().any(|member| !tried.contains(&member.id)) {
                // It came up between the two looks.
                continue;
            }
            if why.unknown == 0 || tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Err(why);
            }
        }
    }

    /// Takes a member that was chosen in `state`. Not where the pool has changed since, unless it does so again and again:
    /// the pod may have been said to go away meanwhile, and the lease be of the tenure after that word.
    fn take(&self, state: &Arc<State>, member: Arc<Member>, again: &mut usize) -> Option<Lease> {
        let lease = Lease::new(member);
        let stale = !Arc::ptr_eq(state, &self.state.load());
        if stale && *again > 0 {
            *again -= 1;
            return None;
        }
        Some(lease)
    }

    /// How cookies name `member` here.
    pub fn token(&self, member: &Member) -> Token {
        self.tokens(&self.state.load()).tokens.of(&self.id, member)
    }

    fn tokens(&self, state: &Arc<State>) -> Arc<Known> {
        let known = self.tokens.load_full().filter(|known| known.at.as_ptr() == Arc::as_ptr(state));
        known.unwrap_or_else(|| {
            let tokens = affinity::Tokens::new(&self.id, &state.members);
            let known = Arc::new(Known { at: Arc::downgrade(state), tokens });
            self.tokens.store(Some(Arc::clone(&known)));
            known
        })
    }

    /// Every member, and what is said of its endpoint.
    pub fn members(&self) -> Vec<(Arc<Member>, EndpointState)> {
        self.state.load().members.to_vec()
    }

    /// Whether somebody there is a member.
    pub fn has(&self, address: SocketAddr) -> bool {
        self.state.load().members.iter().any(|(member, _)| member.key.address == address)
    }

    /// Names that no address is known for.
    pub fn unresolved(&self) -> usize {
        let state = self.state.load();
        state.unresolved + state.resolving
    }

    /// Why no request could be served now, if so.
    pub fn unavailable(&self) -> Option<NoMember> {
        let state = self.state.load();
        state.up().next().is_none().then(|| state.why_none())
    }
}

impl State {
    /// Those that could take a request.
    fn up(&self) -> impl Iterator<Item = &Arc<Member>> {
        let serving = |state: &EndpointState| matches!(state, EndpointState::Ready | EndpointState::Terminating { .. });
        let up = move |(member, state): &&(Arc<Member>, EndpointState)| serving(state) && member.health() == Health::Up;
        self.members.iter().filter(up).map(|(member, _)| member)
    }

    fn why_none(&self) -> NoMember {
        let mut why =
            NoMember { not_ready: 0, terminating: 0, down: 0, unknown: self.resolving, unresolved: self.unresolved };
        for (member, state) in &self.members {
            match (state, member.health()) {
                (EndpointState::NotReady, _) => why.not_ready += 1,
                (EndpointState::Ending { .. }, _) => why.terminating += 1,
                (_, Health::Unknown) => why.unknown += 1,
                (EndpointState::Terminating { .. }, Health::Down) => why.terminating += 1,
                (_, Health::Down) => why.down += 1,
                (_, Health::Up) => {}
            }
        }
        why
    }
}

/// Whether an address may be a backend at all. Link-local addresses (cloud metadata services live
/// there), multicast and unspecified ones never are; loopback only where the operator's own files say so.
pub fn permitted(address: IpAddr, allow_loopback: bool) -> bool {
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !link_local && !address.is_multicast() && !address.is_unspecified() && (allow_loopback || !address.is_loopback())
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
        let mut again = 1;
        assert!(pool.take(&state, Arc::clone(&member), &mut again).is_none());
        assert_eq!(member.load(), 0, "nothing is counted");
        assert!(pool.take(&state, member, &mut again).is_some(), "it ends where the pool changes all the time");
    }

    #[test]
    fn metadata_addresses_are_never_backends() {
        for (address, loopback, expected) in [
            ("169.254.169.254", true, false),
            ("fe80::1", true, false),
            ("::ffff:169.254.169.254", true, false),
            ("0.0.0.0", true, false),
            ("224.0.0.1", true, false),
            ("127.0.0.1", true, true),
            ("127.0.0.1", false, false),
            ("::1", false, false),
            ("10.0.0.1", false, true),
        ] {
            assert_eq!(permitted(address.parse().expect("an address"), loopback), expected, "{address}");
        }
    }
}
