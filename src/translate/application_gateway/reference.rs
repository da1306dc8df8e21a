//! References of an ApplicationGateway to objects of the cluster, which may be in other namespaces.

use crate::api::application_gateway::{ConfigKeyReference, ConfigReference, ServiceRef};
use crate::model::{Kind, ObjectRef};
use crate::report::Reason;
use crate::source::Snapshot;
use crate::translate::grant;
use crate::translate::report::{Fault, Reports};
use crate::translate::tls_profile::CaRef;

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

/// An element that refers to CA certificates: by one of two references.
pub(super) struct CaElement<'a> {
    /// Its field path.
    pub(super) field: &'a str,
    pub(super) secret: Option<&'a ConfigReference>,
    pub(super) config_map: Option<&'a ConfigReference>,
}

/// The Secret or ConfigMap that an element refers to, if it may. What is wrong is reported.
pub(super) fn ca(
    snapshot: &Snapshot,
    owner: &ObjectRef,
    CaElement { field, secret, config_map }: CaElement<'_>,
    reports: &mut Reports,
) -> Result<CaRef, Reason> {
    let (kind, part, reference) = match (secret, config_map) {
        (Some(secret), None) => (Kind::Secret, "secretRef", secret),
        (None, Some(map)) => (Kind::ConfigMap, "configMapRef", map),
        _ => {
            let message = "it needs either secretRef or configMapRef";
            reports.error(owner, field, Reason::InvalidValue, message, "give one of the two");
            return Err(Reason::InvalidValue);
        }
    };
    let field = format!("{field}.{part}");
    match config(snapshot, owner, kind, reference) {
        Ok(object) => Ok(CaRef { field, object }),
        Err(fault) => {
            reports.fault(owner, &field, &fault);
            Err(fault.reason)
        }
    }
}
