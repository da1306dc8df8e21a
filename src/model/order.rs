//! An order in which maps are filled.

/// Every other one, then those between. Filled from the least to the greatest, a persistent map leaves its leaves half empty;
/// in this order they become full.
pub fn alternating<T>(sorted: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for (index, item) in sorted.into_iter().enumerate() {
        if index % 2 == 0 { &mut first } else { &mut then }.push(item);
    }
    first.into_iter().chain(then)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once() {
        for count in 0..5 {
            let mut all: Vec<_> = alternating(0..count).collect();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
        assert_eq!(alternating("abcde".chars()).collect::<String>(), "acebd");
    }
}
