//! References of an ApplicationGateway to objects of the cluster, which may be in other namespaces.

use crate::api::application_gateway::{ConfigKeyReference, ConfigReference, ServiceRef};
use crate::model::{Kind, ObjectRef};
use crate::source::Snapshot;
use crate::translate::grant;
use crate::translate::report::Fault;

/// The object of a kind that `owner` refers to, if it may. `None` for the namespace: that of `owner`.
fn permitted(
    snapshot: &Snapshot,
    owner: &ObjectRef,
    kind: Kind,
    namespace: Option<&str>,
    name: &str,
) -> Result<ObjectRef, Fault> {
    let object = ObjectRef::new(kind, namespace.unwrap_or(owner.namespace()), name);
    grant::check(snapshot, owner, &object)?;
    Ok(object)
}

/// The Secret or ConfigMap that `owner` refers to.
pub(super) fn config(
    snapshot: &Snapshot,
    owner: &ObjectRef,
    kind: Kind,
    reference: &ConfigReference,
) -> Result<ObjectRef, Fault> {
    permitted(snapshot, owner, kind, reference.namespace.as_deref(), &reference.name)
}

/// The Secret or ConfigMap with a value that `owner` refers to.
pub(super) fn config_key(
    snapshot: &Snapshot,
    owner: &ObjectRef,
    kind: Kind,
    reference: &ConfigKeyReference,
) -> Result<ObjectRef, Fault> {
    permitted(snapshot, owner, kind, reference.namespace.as_deref(), &reference.name)
}

/// The Service that `owner` refers to.
pub(super) fn service(snapshot: &Snapshot, owner: &ObjectRef, reference: &ServiceRef) -> Result<ObjectRef, Fault> {
    permitted(snapshot, owner, Kind::Service, reference.namespace.as_deref(), &reference.name)
}
