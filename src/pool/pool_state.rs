//! The state of a pool at one instant: its members, and why none of them may be available.

use std::sync::Arc;

use super::member::{Health, Member};
use super::no_member::NoMember;
use crate::model::{Balance, EndpointState};

/// The members of a pool at one instant. Pools with equal endpoints share one state.
#[derive(Debug, Default)]
pub(super) struct PoolState {
    pub(super) balance: Balance,
    /// Every member, and the state of its endpoint.
    pub(super) members: Box<[(Arc<Member>, EndpointState)]>,
    /// The number of DNS names that resolve to no address.
    pub(super) unresolved: usize,
    /// The number of DNS names whose first look-up has not ended.
    pub(super) resolving: usize,
}

impl PoolState {
    /// The members that could take a request.
    pub(super) fn available(&self) -> impl Iterator<Item = &Arc<Member>> {
        let serving = |state: &EndpointState| matches!(state, EndpointState::Ready | EndpointState::Terminating { .. });
        let available =
            move |(member, state): &&(Arc<Member>, EndpointState)| serving(state) && member.health() == Health::Up;
        self.members.iter().filter(available).map(|(member, _)| member)
    }

    /// Why no member could take a request, where none could.
    pub(super) fn no_member(&self) -> NoMember {
        let mut reason =
            NoMember { not_ready: 0, terminating: 0, down: 0, unknown: self.resolving, unresolved: self.unresolved };
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
