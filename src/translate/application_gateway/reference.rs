//! References of an ApplicationGateway to objects of the cluster, which may be in other namespaces.

use crate::api::application_gateway::{ConfigReference, ServiceRef};
use crate::model::{Kind, ObjectRef};
use crate::report::Reason;
use crate::translate::report::Fault;

/// The object of a kind that `owner` refers to. `None` for the namespace: that of `owner`.
fn permitted(owner: &ObjectRef, kind: Kind, namespace: Option<&str>, name: &str) -> Result<ObjectRef, Fault> {
    let object = ObjectRef::new(kind, namespace.unwrap_or(owner.namespace()), name);
    if object.namespace() == owner.namespace() {
        return Ok(object);
    }
    Err(Fault {
        reason: Reason::RefNotPermitted,
        part: ".namespace",
        message: format!("{object} is in another namespace, and nothing there permits the reference"),
        remedy: format!(
            "use a {kind} of the gateway's namespace; permissions (ReferenceGrant) are not read by this version"
        ),
    })
}

/// The Secret or ConfigMap that `owner` refers to.
pub(super) fn config(owner: &ObjectRef, kind: Kind, reference: &ConfigReference) -> Result<ObjectRef, Fault> {
    permitted(owner, kind, reference.namespace.as_deref(), &reference.name)
}

/// The Service that `owner` refers to.
pub(super) fn service(owner: &ObjectRef, reference: &ServiceRef) -> Result<ObjectRef, Fault> {
    permitted(owner, Kind::Service, reference.namespace.as_deref(), &reference.name)
}
