//! Permissions of namespaces to refer to their objects: ReferenceGrants (Gateway API, GEP-709).

use crate::api::{ReferenceGrant, ReferenceGrantSpec};
use crate::model::{Kind, ObjectRef};
use crate::report::Reason;
use crate::source::{Key, Snapshot};

use super::report::Fault;

/// Permits `from` to refer to `to`. Objects of one namespace may refer to each other; another namespace has to permit it.
pub(super) fn check(snapshot: &Snapshot, from: &ObjectRef, to: &ObjectRef) -> Result<(), Fault> {
    let (own, other) = (from.namespace(), to.namespace());
    if own == other {
        return Ok(());
    }
    let grants = snapshot.reference_grants.range(Key::new(other, "")..);
    let mut grants = grants.take_while(|(key, _)| key.namespace() == other);
    if grants.any(|(_, grant)| permits(grant, from, to)) {
        return Ok(());
    }
    let (kind, group) = (to.kind, group(from.kind));
    Err(Fault {
        reason: Reason::RefNotPermitted,
        part: ".namespace",
        message: format!("{to} is in another namespace, and no ReferenceGrant there permits the reference"),
        remedy: format!(
            "add a ReferenceGrant to namespace {other:?} with from {{group: {group}, kind: {}, namespace: {own}}} and to \
             {{group: \"\", kind: {kind}}}, or use a {kind} of namespace {own:?}",
            from.kind
        ),
    })
}

fn permits(grant: &ReferenceGrant, from: &ObjectRef, to: &ObjectRef) -> bool {
    let ReferenceGrantSpec { from: origins, to: targets } = &grant.spec;
    let is_origin = origins.iter().any(|origin| {
        origin.group == group(from.kind) && origin.kind == from.kind.name() && origin.namespace == from.namespace()
    });
    is_origin
        && targets.iter().any(|target| {
            let named = target.name.as_deref().is_none_or(|name| name == to.name());
            named && target.group == group(to.kind) && target.kind == to.kind.name()
        })
}

/// The API group of a kind; empty for the kinds of the core.
fn group(kind: Kind) -> &'static str {
    kind.api_version().split_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_grant_is_for_what_it_names_alone() {
        let origin = json!({"group": "steadygate.io", "kind": "ApplicationGateway", "namespace": "edge"});
        let secret = json!({"group": "", "kind": "Secret"});
        let own = ObjectRef::new(Kind::ApplicationGateway, "edge", "g");
        let certificate = ObjectRef::new(Kind::Secret, "certs", "site");
        for (namespace, from, to, expected) in [
            ("certs", origin.clone(), secret.clone(), true),
            ("certs", origin.clone(), json!({"group": "", "kind": "Secret", "name": "site"}), true),
            ("certs", origin.clone(), json!({"group": "", "kind": "Secret", "name": "other"}), false),
            ("certs", origin.clone(), json!({"group": "", "kind": "Secret", "name": ""}), false),
            ("certs", origin.clone(), json!({"group": "", "kind": "ConfigMap"}), false),
            ("certs", origin.clone(), json!({"group": "v1", "kind": "Secret"}), false),
            ("certs-2", origin.clone(), secret.clone(), false),
            ("cert", origin.clone(), secret.clone(), false),
            (
                "certs",
                json!({"group": "steadygate.io", "kind": "ApplicationGateway", "namespace": "other"}),
                secret.clone(),
                false,
            ),
            (
                "certs",
                json!({"group": "networking.k8s.io", "kind": "Ingress", "namespace": "edge"}),
                secret.clone(),
                false,
            ),
            ("certs", json!({"group": "", "kind": "ApplicationGateway", "namespace": "edge"}), secret.clone(), false),
        ] {
            let grant: ReferenceGrant = from_value(json!({
                "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
                "metadata": {"namespace": namespace, "name": "grant"}, "spec": {"from": [from], "to": [to]},
            }))
            .expect("a grant");
            let mut snapshot = Snapshot::default();
            snapshot.reference_grants.insert(Key::new(namespace, "grant"), Arc::new(grant));
            let reason = check(&snapshot, &own, &certificate).map_err(|fault| fault.reason);
            assert_eq!(reason.is_ok(), expected, "{namespace} {from} {to}");
            assert!(expected || reason == Err(Reason::RefNotPermitted));
        }
        let neighbour = ObjectRef::new(Kind::Secret, "edge", "site");
        assert!(check(&Snapshot::default(), &own, &neighbour).is_ok());
    }
}
