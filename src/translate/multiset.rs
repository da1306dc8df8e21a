//! What several say, each once, for as long as one of them says it.

use std::collections::BTreeMap;

use imbl::OrdSet;

/// Members, and how many say each.
#[derive(Debug, Clone)]
pub(super) struct Multiset<T: Ord + Clone> {
    all: OrdSet<T>,
    /// How many more than one.
    again: BTreeMap<T, usize>,
}

impl<T: Ord + Clone> Default for Multiset<T> {
    fn default() -> Self {
        Self { all: OrdSet::new(), again: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Multiset<T> {
    pub(super) fn insert(&mut self, member: T) {
        if self.all.contains(&member) {
            *self.again.entry(member).or_default() += 1;
        } else {
            self.all.insert(member);
        }
    }

    pub(super) fn remove(&mut self, member: &T) {
        match self.again.get_mut(member) {
            None => drop(self.all.remove(member)),
            Some(1) => drop(self.again.remove(member)),
            Some(more) => *more -= 1,
        }
    }

    /// Every member, once.
    pub(super) fn all(&self) -> &OrdSet<T> {
        &self.all
    }
}
