//! The status of Ingresses: the addresses at which they are served.

use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;

use super::change::{DesiredStatus, PlanInput, StatusChange};
use crate::model::{Kind, ObjectRef};
use crate::source::{Key, PackedIngress};

/// Plans the status of every Ingress. `addresses` are those to publish; `None`: they are not known now.
pub(super) fn plan(
    input: &PlanInput<'_>,
    addresses: Option<&[IngressLoadBalancerIngress]>,
    changes: &mut Vec<StatusChange>,
) {
    for (key, object) in &input.facts.snapshot.ingresses {
        let object_ref = ObjectRef { kind: Kind::Ingress, key: key.clone() };
        if let Some(status) = desired(input, key, object, &object_ref, addresses) {
            changes.push(StatusChange::new(object_ref, object.identity(), status));
        }
    }
}

/// The status of one Ingress; `None`: it has the right one.
fn desired(
    input: &PlanInput<'_>,
    key: &Key,
    object: &PackedIngress,
    object_ref: &ObjectRef,
    addresses: Option<&[IngressLoadBalancerIngress]>,
) -> Option<DesiredStatus> {
    let has_route = input.facts.served.ingresses.get(key).copied().unwrap_or_default();
    // While the addresses are not known, the ones that were published stay.
    let wanted = if has_route { addresses? } else { &[] };
    if wanted.is_empty() {
        return input.removal(object_ref, || object.is_managed_by(input.manager));
    }
    let is_right = match input.written.get(object_ref) {
        Some(DesiredStatus::Ingress(written)) => written == wanted,
        Some(_) => false,
        None => {
            let mut shown = object.addresses().to_vec();
            // Another controller may add the ports of an entry; that is no difference.
            shown.iter_mut().for_each(|entry| entry.ports = None);
            shown.sort_by(|a, b| (&a.ip, &a.hostname).cmp(&(&b.ip, &b.hostname)));
            shown == wanted
        }
    };
    (!is_right).then(|| DesiredStatus::Ingress(wanted.to_vec()))
}
