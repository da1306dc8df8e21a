//! The registry's entry of one address: its members, its state, and what endpoints report of it.

use std::sync::{Arc, Weak};

use crate::pool::member::{Member, MemberAddress};
use crate::pool::state_votes::StateVotes;

/// The entry of one address. It is kept as long as something holds a member there.
#[derive(Debug, Default)]
pub(super) struct AddressEntry {
    /// The state that all members there share. Members with different probes are at the same pod.
    pub(super) shared: Arc<MemberAddress>,
    /// The reports of the endpoints of pools on the address.
    pub(super) votes: StateVotes,
    members: Vec<Weak<Member>>,
}

impl AddressEntry {
    /// The members that something holds.
    pub(super) fn members(&self) -> impl Iterator<Item = Arc<Member>> {
        self.members.iter().filter_map(Weak::upgrade)
    }

    /// Adds a member.
    pub(super) fn push(&mut self, member: &Arc<Member>) {
        // Nearly every address has one member.
        self.members.reserve_exact(1);
        self.members.push(Arc::downgrade(member));
    }

    /// Finds the newest member that pools refer to: its probe decides on the health of what is open at the address.
    pub(super) fn update_newest(&self) {
        let referenced = self.members().filter(|member| member.is_referenced());
        if let Some(newest) = referenced.max_by_key(|member| member.id) {
            self.shared.set_newest(&newest);
        }
    }

    /// Removes members that nothing holds. Gives whether none is left.
    pub(super) fn forget_gone(&mut self) -> bool {
        self.members.retain(|member| member.strong_count() > 0);
        self.members.is_empty()
    }
}
