//! Interning: of equal values one is kept, and shared. Most pools have equal transports and probes.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// The number of values from which on values that nothing else holds are removed.
const MIN_SWEEP_LEN: usize = 64;

/// Values that are shared, and some that nothing else holds any more.
#[derive(Debug)]
pub(super) struct Interned<T> {
    values: HashSet<Arc<T>>,
    /// The length at which unused values are removed next: twice what was left the last time.
    sweep_at: usize,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: HashSet::new(), sweep_at: MIN_SWEEP_LEN }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The shared value that is equal to `value`.
    pub(super) fn of(&mut self, value: &T) -> Arc<T> {
        if let Some(known) = self.values.get(value) {
            return Arc::clone(known);
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = (self.values.len() * 2).max(MIN_SWEEP_LEN);
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
        let held: Vec<_> = (0..MIN_SWEEP_LEN * 2).map(|number| interned.of(&number)).collect();
        (0..MIN_SWEEP_LEN * 100).for_each(|number| drop(interned.of(&(number + 1_000_000))));
        assert!(interned.values.len() <= held.len() * 2, "{}", interned.values.len());
        assert!(Arc::ptr_eq(&interned.of(&7), &held[7]));
    }
}
