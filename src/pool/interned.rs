//! Values of which there are many alike: each is kept once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// Fewer are never looked through for those that nobody holds any more.
const FEW: usize = 64;

/// Values that somebody holds, and some that nobody does any more.
#[derive(Debug)]
pub(super) struct Interned<T> {
    values: HashSet<Arc<T>>,
    /// As soon as there are so many.
    sweep_at: usize,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: HashSet::new(), sweep_at: FEW }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The one that is like `value`.
    pub(super) fn of(&mut self, value: &T) -> Arc<T> {
        if let Some(known) = self.values.get(value) {
            return Arc::clone(known);
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = (self.values.len() * 2).max(FEW);
        }
        let value = Arc::new(value.clone());
        self.values.insert(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_nobody_holds_do_not_add_up() {
        let mut interned = Interned::default();
        let held: Vec<_> = (0..FEW * 2).map(|number| interned.of(&number)).collect();
        (0..FEW * 100).for_each(|number| drop(interned.of(&(number + 1_000_000))));
        assert!(interned.values.len() <= held.len() * 2, "{}", interned.values.len());
        assert!(Arc::ptr_eq(&interned.of(&7), &held[7]));
    }
}
