//! The last values of a kind, each once. Many of the values that are made one after the other are equal, and a short
//! list finds those at the cost of a few comparisons, where a set of all values would keep them alive.

use std::collections::VecDeque;
use std::sync::Arc;

/// The last `N` distinct values.
#[derive(Debug)]
pub(super) struct Recent<T, const N: usize>(VecDeque<Arc<T>>);

impl<T, const N: usize> Default for Recent<T, N> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: PartialEq, const N: usize> Recent<T, N> {
    /// The value of the list that equals `value`, which is added where there is none.
    pub(super) fn share(&mut self, value: T) -> Arc<T> {
        if let Some(equal) = self.0.iter().find(|recent| ***recent == value) {
            return Arc::clone(equal);
        }
        let value = Arc::new(value);
        self.0.truncate(N - 1);
        self.0.push_front(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_object_until_too_many_others_have_come() {
        let mut recent = Recent::<_, 2>::default();
        let first = recent.share("a");
        assert!(Arc::ptr_eq(&first, &recent.share("a")));
        recent.share("b");
        assert!(Arc::ptr_eq(&first, &recent.share("a")));
        recent.share("c");
        assert!(!Arc::ptr_eq(&first, &recent.share("a")));
    }
}
