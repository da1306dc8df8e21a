//! A multiset: each member is shown once, for as long as it was inserted more often than removed.

use std::collections::BTreeMap;

use imbl::OrdSet;

/// A multiset. Several parts may give one report, or name one Secret: it is there until the last of them gives it up.
#[derive(Debug, Clone)]
pub(super) struct Multiset<T: Ord + Clone> {
    members: OrdSet<T>,
    /// How often a member is there beyond once. Hardly any is.
    repeats: BTreeMap<T, usize>,
}

impl<T: Ord + Clone> Default for Multiset<T> {
    fn default() -> Self {
        Self { members: OrdSet::new(), repeats: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Multiset<T> {
    pub(super) fn insert(&mut self, member: T) {
        if self.members.contains(&member) {
            *self.repeats.entry(member).or_default() += 1;
        } else {
            self.members.insert(member);
        }
    }

    pub(super) fn remove(&mut self, member: &T) {
        match self.repeats.get_mut(member) {
            None => {
                self.members.remove(member);
            }
            Some(1) => {
                self.repeats.remove(member);
            }
            Some(repeats) => *repeats -= 1,
        }
    }

    /// Every member, once.
    pub(super) fn members(&self) -> &OrdSet<T> {
        &self.members
    }
}
