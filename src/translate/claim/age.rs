//! The age of an object, by which conflicts are decided.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::model::ObjectRef;

/// The age of an object. The order is from the oldest to the youngest: by `metadata.creationTimestamp`, those without
/// one last; then by kind, namespace and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::translate) struct Age<'a> {
    is_undated: bool,
    created: Option<&'a Time>,
    object: &'a ObjectRef,
}

impl<'a> Age<'a> {
    /// The age of `object`, which was created at `created`.
    pub(in crate::translate) fn of(created: Option<&'a Time>, object: &'a ObjectRef) -> Self {
        Self { is_undated: created.is_none(), created, object }
    }

    /// The object itself.
    pub(in crate::translate) fn object(&self) -> &'a ObjectRef {
        self.object
    }
}
