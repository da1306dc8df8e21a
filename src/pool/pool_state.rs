//! The state of a pool at one instant: its members, and why none of them may be available.

use std::sync::Arc;

use tokio::time::Instant;

use super::member::{Health, Member};
use super::no_member::NoMember;
use super::preference::{self, Patience, Preference};
use super::standing::Standing;
use crate::model::{Balance, EndpointState};

/// The members of a pool at one instant. Pools with equal endpoints share one state.
#[derive(Debug, Default)]
pub(super) struct PoolState {
    pub(super) balance: Balance,
    /// Every member, and the state of its endpoint.
    pub(super) members: Box<[(Arc<Member>, EndpointState)]>,
    /// The number of DNS names that resolve to no address.
    pub(super) unresolved: usize,
    /// The number of addresses that may not be backends.
    pub(super) forbidden: usize,
    /// The number of DNS names whose first look-up has not ended.
    pub(super) resolving: usize,
}

/// The members that share the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BestMembers {
    pub(super) preference: Preference,
    pub(super) count: usize,
}

impl PoolState {
    /// The best members for a request, but none of `tried`. `None`: no member may take it, or a member that has not been probed yet
    /// may turn out to be better than all that could.
    pub(super) fn best(&self, tried: &[u64], patience: Patience) -> Option<BestMembers> {
        let (mut best, mut pending): (Option<BestMembers>, bool) = (None, false);
        for (member, endpoint) in &self.members {
            if tried.contains(&member.id) {
                continue;
            }
            match (Preference::of(member, *endpoint, patience), &mut best) {
                (None, _) => pending |= patience == Patience::Waiting && preference::is_pending(member, *endpoint),
                (Some(own), Some(best)) if own == best.preference => best.count += 1,
                (Some(own), Some(best)) if own > best.preference => {}
                (Some(preference), best) => *best = Some(BestMembers { preference, count: 1 }),
            }
        }
        best.filter(|best| best.preference.is_up() || !pending)
    }

    /// Whether a probe that is a guess counts: a member passes it that may take requests.
    pub(super) fn guess_counts(&self) -> bool {
        let passes = |(member, endpoint): &(Arc<Member>, EndpointState)| {
            Preference::of(member, *endpoint, Patience::Over).is_some_and(Preference::is_up)
        };
        self.members.iter().any(passes)
    }

    /// How each member stands.
    pub(super) fn standings(&self) -> impl Iterator<Item = (&Arc<Member>, EndpointState, Standing)> {
        let guess_counts = self.guess_counts();
        self.members
            .iter()
            .map(move |(member, endpoint)| (member, *endpoint, Standing::of(member, *endpoint, guess_counts)))
    }

    /// When the first probe of the next member that may serve without its answer has been waited for long enough.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        let pending = self.members.iter().filter(|(member, endpoint)| preference::is_pending(member, *endpoint));
        pending.filter(|(member, _)| member.has_guessed_probe()).map(|(member, _)| preference::overdue_at(member)).min()
    }

    /// Why no member could take a request, where none could.
    pub(super) fn no_member(&self) -> NoMember {
        let (unknown, unresolved, forbidden) = (self.resolving, self.unresolved, self.forbidden);
        let mut reason = NoMember { not_ready: 0, terminating: 0, down: 0, unknown, unresolved, forbidden };
        for (member, state) in &self.members {
            match (state, member.health()) {
                (EndpointState::NotReady, _) => reason.not_ready += 1,
                (EndpointState::Ending { .. }, _) => reason.terminating += 1,
                (_, Health::Unknown) => reason.unknown += 1,
                (EndpointState::Terminating { .. }, Health::Down) => reason.terminating += 1,
                (_, Health::Down) => reason.down += 1,
                (_, Health::Up) => {}
            }
        }
        reason
    }
}
