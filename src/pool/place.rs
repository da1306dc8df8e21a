//! An address where members are: who they are, the pod there, and what is said of it.

use std::sync::{Arc, Weak};

use super::Member;
use super::presence::Presence;
use crate::model::EndpointState;

/// One address.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The pod, whoever the members are: another probe is no other pod.
    pub(super) presence: Arc<Presence>,
    /// What pools say of it.
    pub(super) said: Said,
    members: Vec<Weak<Member>>,
}

impl Place {
    /// Everyone whom somebody holds.
    pub(super) fn members(&self) -> impl Iterator<Item = Arc<Member>> {
        self.members.iter().filter_map(Weak::upgrade)
    }

    /// One more.
    pub(super) fn push(&mut self, member: &Arc<Member>) {
        // There is one, nearly always.
        self.members.reserve_exact(1);
        self.members.push(Arc::downgrade(member));
    }

    /// Has the newest that a pool names be the one that is asked how things are here.
    pub(super) fn find_newest(&self) {
        let named = self.members().filter(|member| member.is_named());
        if let Some(newest) = named.max_by_key(|member| member.id) {
            self.presence.set_newest(&newest);
        }
    }

    /// Forgets those whom nobody holds; gives whether there is nobody left.
    pub(super) fn forget_gone(&mut self) -> bool {
        self.members.retain(|member| member.strong_count() > 0);
        self.members.is_empty()
    }
}

/// What is said of an address, and how often. Names that lead there say nothing of the pod, and are heard last.
#[derive(Debug, Default)]
pub(super) struct Said(Vec<((bool, EndpointState), u32)>);

impl Said {
    /// Hears what is said, by a name that leads there or not.
    pub(super) fn hear(&mut self, by_name: bool, state: EndpointState) {
        let said = (by_name, state);
        match self.0.iter_mut().find(|(known, _)| *known == said) {
            Some((_, times)) => *times += 1,
            None => {
                self.0.reserve_exact(1);
                self.0.push((said, 1));
            }
        }
    }

    /// It is said once less.
    pub(super) fn unhear(&mut self, by_name: bool, state: EndpointState) {
        let said = (by_name, state);
        if let Some(at) = self.0.iter().position(|(known, _)| *known == said) {
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.swap_remove(at);
            }
        }
    }

    /// The best that is said.
    pub(super) fn best(&self) -> Option<EndpointState> {
        self.0.iter().map(|(said, _)| *said).min().map(|(_, state)| state)
    }
}
