//! An order in which persistent maps are filled.

/// Every other item, then those between: 1 3 5, 2 4. A persistent map that is filled in ascending order splits each leaf as it
/// grows, and leaves it half empty; filled in this order, its leaves become full.
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
