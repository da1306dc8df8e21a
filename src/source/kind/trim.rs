//! Metadata without the fields that nobody reads.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// An annotation that kubectl writes into objects that it applies: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Drops the bookkeeping of API servers and of kubectl.
pub(super) fn trim_metadata(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.owner_references = None;
    metadata.finalizers = None;
    metadata.resource_version = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// As [`trim_metadata`], but keeps what the writer of status needs: the `resourceVersion`, and the names of those who have
/// written to the status.
pub(super) fn trim_metadata_except_status(metadata: &mut ObjectMeta) {
    let mut managers = metadata.managed_fields.take().unwrap_or_default();
    managers.retain(|manager| manager.subresource.as_deref() == Some("status"));
    // Who has written is of interest, not which fields.
    managers.iter_mut().for_each(|manager| manager.fields_v1 = None);
    let version = metadata.resource_version.take();
    trim_metadata(metadata);
    metadata.resource_version = version;
    metadata.managed_fields = Some(managers).filter(|managers| !managers.is_empty());
}

/// Namespace and name alone.
pub(super) fn name_only(metadata: ObjectMeta) -> ObjectMeta {
    ObjectMeta { name: metadata.name, namespace: metadata.namespace, ..ObjectMeta::default() }
}

/// Whether two versions of an object have the same metadata, but for the bookkeeping of the writers of its status.
pub(super) fn equals_except_status(ours: &ObjectMeta, theirs: &ObjectMeta) -> bool {
    let without_bookkeeping =
        |metadata: &ObjectMeta| ObjectMeta { managed_fields: None, resource_version: None, ..metadata.clone() };
    without_bookkeeping(ours) == without_bookkeeping(theirs)
}
