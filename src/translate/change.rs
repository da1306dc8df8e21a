//! The difference between two snapshots. It costs as much as differs, for the snapshots share the rest.

use std::collections::BTreeSet;

use imbl::ordmap::DiffItem;

use crate::source::snapshot::Objects;
use crate::source::{Key, Snapshot, for_each_kind};

/// From the list of kinds: a set of names for each.
macro_rules! define_changes {
    ($($kind:ident $field:ident $stored:ty, $watch:ident;)*) => {
        /// Names of the objects that came, went or changed, by kind.
        #[derive(Debug, Default)]
        pub(super) struct Changes {
            $(pub(super) $field: BTreeSet<Key>,)*
            /// Whether anything of the IngressClasses has changed, those that are refused included.
            pub(super) classes: bool,
        }

        impl Changes {
            /// The difference between the snapshots `old` and `new`.
            pub(super) fn between(old: &Snapshot, new: &Snapshot) -> Self {
                let mut changes = Self {
                    $($field: changed(&old.$field, &new.$field).collect(),)*
                    classes: old.refused_classes != new.refused_classes,
                };
                changes.classes |= !changes.ingress_classes.is_empty();
                changes
            }
        }
    };
}
for_each_kind!(define_changes);

/// The names of the objects that differ. Objects that both maps share are not looked into.
pub(super) fn changed<'a, K: PartialEq>(
    old: &'a Objects<K>,
    new: &'a Objects<K>,
) -> impl Iterator<Item = Key> + use<'a, K> {
    let differs = old.diff(new).map(|item| match item {
        DiffItem::Add(key, _) | DiffItem::Remove(key, _) | DiffItem::Update { new: (key, _), .. } => key,
    });
    differs.cloned()
}
