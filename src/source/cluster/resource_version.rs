//! Versions that an API server gives to objects and lists (`metadata.resourceVersion`).

use std::marker::PhantomData;

/// The version of an object whose contents are fetched only where something refers to it. `K` is the kind of the object.
pub(super) struct ResourceVersion<K> {
    /// The server's text.
    pub(super) text: String,
    kind: PhantomData<fn() -> K>,
}

impl<K> ResourceVersion<K> {
    /// A version of an object of kind `K`.
    pub(super) fn new(text: String) -> Self {
        Self { text, kind: PhantomData }
    }
}

impl<K> PartialEq for ResourceVersion<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Whether one version is older than another (KEP-5504: they can be compared as numbers). A text that is no number can't be
/// compared.
pub(super) fn is_before(version: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    matches!((number(version), number(other)), (Some(version), Some(other)) if version < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, other, expected) in
            [("9", "10", true), ("10", "9", false), ("10", "10", false), ("", "10", false), ("x", "10", false)]
        {
            assert_eq!(is_before(version, other), expected, "{version} before {other}");
        }
    }
}
