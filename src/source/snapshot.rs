//! Every input object at one instant, by kind and name.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};

use super::identity::Identity;
use super::kind::{KindRules, for_each_kind};
use crate::model::{Key, Kind, ObjectRef};

/// Objects of one kind, by name. Cheap to clone: two maps that were one share what has not been changed since.
pub type Objects<K> = OrdMap<Key, Arc<K>>;

/// Names of objects that are worth fetching, since others refer to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Of Secrets.
    pub secrets: OrdSet<Key>,
    /// Of ConfigMaps.
    pub config_maps: OrdSet<Key>,
}

/// A type whose objects a snapshot stores. Implemented for each line of the list of kinds.
pub(crate) trait SnapshotKind: KindRules {
    /// Its kind.
    const KIND: Kind;

    /// The objects of the kind in a snapshot.
    fn objects_mut(snapshot: &mut Snapshot) -> &mut Objects<Self>;
}

/// From the list of kinds: the struct, its comparisons, and the objects of a kind that is known at run time alone.
macro_rules! define_snapshot {
    ($($kind:ident $field:ident $stored:ty, $watch:ident;)*) => {
        /// Every input object at one instant. Cheap to clone: objects are shared.
        #[derive(Clone, Default, PartialEq)]
        pub struct Snapshot {
            $(
                #[doc = concat!("Objects of the kind ", stringify!($kind), ".")]
                pub $field: Objects<$stored>,
            )*
            /// Names of IngressClasses that exist, but are refused.
            pub refused_classes: BTreeSet<String>,
        }

        impl Snapshot {
            /// Whether two snapshots ask for the same configuration: their objects differ in status and the bookkeeping of its
            /// writers at most. Costs what differs, for the snapshots share the rest.
            pub fn equals_except_status(&self, other: &Self) -> bool {
                $(all_equal_except_status(&self.$field, &other.$field) &&)*
                self.refused_classes == other.refused_classes
            }

            fn of_kind(&self, kind: Kind) -> Option<&dyn AnyObjects> {
                match kind {
                    $(Kind::$kind => Some(&self.$field),)*
                    Kind::File => None,
                }
            }

            fn of_kind_mut(&mut self, kind: Kind) -> Option<&mut dyn AnyObjects> {
                match kind {
                    $(Kind::$kind => Some(&mut self.$field),)*
                    Kind::File => None,
                }
            }
        }

        /// Counts alone: the `Debug` of a Secret would print what it holds.
        impl fmt::Debug for Snapshot {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut counts = f.debug_struct("Snapshot");
                $(counts.field(stringify!($field), &self.$field.len());)*
                counts.finish_non_exhaustive()
            }
        }

        $(
            impl SnapshotKind for $stored {
                const KIND: Kind = Kind::$kind;

                fn objects_mut(snapshot: &mut Snapshot) -> &mut Objects<Self> {
                    &mut snapshot.$field
                }
            }
        )*
    };
}
for_each_kind!(define_snapshot);

/// The objects of one kind, where it does not matter which.
trait AnyObjects {
    fn contains(&self, key: &Key) -> bool;
    fn identity(&self, key: &Key) -> Option<Identity>;
    fn remove(&mut self, key: &Key);
}

impl<K: KindRules> AnyObjects for Objects<K> {
    fn contains(&self, key: &Key) -> bool {
        self.contains_key(key)
    }

    fn identity(&self, key: &Key) -> Option<Identity> {
        self.get(key).map(|object| K::identity(object))
    }

    fn remove(&mut self, key: &Key) {
        OrdMap::remove(self, key);
    }
}

impl Snapshot {
    /// Whether it has the object.
    pub(crate) fn contains(&self, object: &ObjectRef) -> bool {
        self.of_kind(object.kind).is_some_and(|objects| objects.contains(&object.key))
    }

    /// The identity of the object, if it is there.
    pub(crate) fn identity(&self, object: &ObjectRef) -> Option<Identity> {
        self.of_kind(object.kind)?.identity(&object.key)
    }

    /// Removes the object, if it is there.
    pub(crate) fn remove(&mut self, object: &ObjectRef) {
        if let Some(objects) = self.of_kind_mut(object.kind) {
            objects.remove(&object.key);
        }
    }
}

fn all_equal_except_status<K: KindRules>(ours: &Objects<K>, theirs: &Objects<K>) -> bool {
    ours.diff(theirs).all(|item| match item {
        DiffItem::Update { old: (_, a), new: (_, b) } => a.equals_except_status(b),
        DiffItem::Add(..) | DiffItem::Remove(..) => false,
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::{Ingress, IngressSpec, IngressStatus};

    use super::*;

    #[test]
    fn a_status_asks_for_nothing() {
        let one = |change: &dyn Fn(&mut Ingress)| {
            let mut ingress = Ingress::default();
            change(&mut ingress);
            let mut snapshot = Snapshot::default();
            snapshot.ingresses.insert(Key::new("a", "b"), Arc::new(ingress.into()));
            snapshot
        };
        let first = one(&|_| {});
        let equals = |change: &dyn Fn(&mut Ingress)| first.equals_except_status(&one(change));
        assert!(equals(&|ingress| ingress.status = Some(IngressStatus::default())));
        assert!(equals(&|ingress| ingress.metadata.resource_version = Some("2".to_owned())));
        assert!(!equals(&|ingress| ingress.spec = Some(IngressSpec::default())));
        assert!(!equals(&|ingress| ingress.metadata.annotations = Some(Default::default())));
        assert!(!first.equals_except_status(&Snapshot::default()));
    }

    #[test]
    fn an_object_is_found_by_its_kind_and_name() {
        let object = ObjectRef::new(Kind::Ingress, "a", "b");
        let mut snapshot = Snapshot::default();
        snapshot.ingresses.insert(object.key.clone(), Arc::new(Ingress::default().into()));
        for kind in Kind::objects() {
            let other = ObjectRef { kind, key: object.key.clone() };
            assert_eq!(snapshot.contains(&other), kind == Kind::Ingress, "{kind}");
            assert_eq!(snapshot.identity(&other).is_some(), kind == Kind::Ingress, "{kind}");
        }
        snapshot.remove(&object);
        assert!(!snapshot.contains(&object));
    }
}
