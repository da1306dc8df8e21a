//! The state of a pool at one instant: its members, and why none of them may be available.

use std::sync::Arc;

use tokio::time::Instant;

use super::member::{Health, Member};
use super::no_member::NoMember;
use super::preference::{self, Patience, Preference, Terms};
use super::standing::{CountingProbes, Standing};
use crate::model::{Balance, EndpointState, Weight};

/// The members of a pool at one instant. Pools with equal endpoints share one state.
#[derive(Debug, Default)]
pub(super) struct PoolState {
    pub(super) balance: Balance,
    /// The number of members that count as up whatever their probes say.
    pub(super) min_up: usize,
    /// Whether its members are counted with another pool.
    pub(super) is_component: bool,
    /// Every member, and the state of its endpoint.
    pub(super) members: Box<[(Arc<Member>, EndpointState)]>,
    /// The weight of each member. Empty: they share requests evenly, as nearly always.
    pub(super) weights: Box<[Weight]>,
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
    pub(super) fn best(&self, tried: &[u64], terms: Terms) -> Option<BestMembers> {
        let (mut best, mut pending): (Option<BestMembers>, bool) = (None, false);
        for (member, endpoint) in &self.members {
            if tried.contains(&member.id) {
                continue;
            }
            match (Preference::of(member, *endpoint, terms), &mut best) {
                (None, _) => {
                    pending |= terms.patience == Patience::Waiting && preference::is_pending(member, *endpoint)
                }
                (Some(own), Some(best)) if own == best.preference => best.count += 1,
                (Some(own), Some(best)) if own > best.preference => {}
                (Some(preference), best) => *best = Some(BestMembers { preference, count: 1 }),
            }
        }
        best.filter(|best| best.preference.is_up() || !pending)
    }

    /// What a member of this pool has to be to take requests now.
    pub(super) fn terms(&self, patience: Patience) -> Terms {
        Terms { patience, every_ready: self.min_up > 0 && self.up_count() < self.min_up }
    }

    /// The number of ready members that pass their probe.
    fn up_count(&self) -> usize {
        let is_up = |(member, endpoint): &&(Arc<Member>, EndpointState)| {
            *endpoint == EndpointState::Ready && member.health() == Health::Up
        };
        self.members.iter().filter(is_up).count()
    }

    /// Which probes count.
    pub(super) fn counting_probes(&self) -> CountingProbes {
        let terms = self.terms(Patience::Over);
        let passes = |(member, endpoint): &(Arc<Member>, EndpointState)| {
            Preference::of(member, *endpoint, terms).is_some_and(Preference::is_up)
        };
        match terms.every_ready {
            true => CountingProbes::None,
            false if self.members.iter().any(passes) => CountingProbes::All,
            false => CountingProbes::Written,
        }
    }

    /// How each member stands.
    pub(super) fn standings(&self) -> impl Iterator<Item = (&Arc<Member>, EndpointState, Standing)> {
        let counting = self.counting_probes();
        self.members
            .iter()
            .map(move |(member, endpoint)| (member, *endpoint, Standing::of(member, *endpoint, counting)))
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
