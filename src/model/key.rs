//! Names of Kubernetes objects.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::kind::Kind;

/// Namespace and name; the namespace is empty for kinds that have none. Cheap to clone: many maps share one allocation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(
    /// Namespace, NUL, name. No valid name has a NUL, and it sorts before all other characters, so that keys are in the order of
    /// their namespaces, then names.
    Arc<str>,
);

impl Key {
    /// The key `namespace`/`name`.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self([namespace.as_ref(), name.as_ref()].join("\0").into())
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.both().0
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.both().1
    }

    fn both(&self) -> (&str, &str) {
        self.0.split_once('\0').unwrap_or_default()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace(), self.name())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A reference to the Kubernetes object that a listener, route or report belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: Key,
}

impl ObjectRef {
    /// The object `namespace`/`name` of a kind.
    pub fn new(kind: Kind, namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        Self { kind, key: Key::new(namespace, name) }
    }

    /// The namespace. It is empty for kinds without one.
    pub fn namespace(&self) -> &str {
        self.key.namespace()
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.key.name()
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace().is_empty() {
            write!(f, "{} {}", self.kind, self.name())
        } else {
            write!(f, "{} {}", self.kind, self.key)
        }
    }
}

impl Serialize for ObjectRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ObjectRef", 3)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("namespace", self.namespace())?;
        fields.serialize_field("name", self.name())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_namespaces_then_names() {
        let keys = [("", "b"), ("a", ""), ("a", "b"), ("a", "b-c"), ("a-b", "a"), ("b", "a")];
        for (earlier, later) in keys.iter().zip(&keys[1..]) {
            let key = |(namespace, name): &(&str, &str)| Key::new(namespace, name);
            assert!(key(earlier) < key(later), "{} {}", key(earlier), key(later));
            assert_eq!((key(later).namespace(), key(later).name()), *later);
        }
    }
}
