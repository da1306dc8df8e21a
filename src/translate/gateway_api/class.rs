//! Which Gateways are served: those of a GatewayClass that names this controller.

use crate::api::gateway_api::{CONTROLLER, Gateway};
use crate::model::ObjectRef;
use crate::report::Reason;
use crate::source::Key;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// Whether a Gateway of this controller is served; `None`: it is another controller's, or nobody's. As with IngressClasses: where a
/// directory has no class at all, everything is served.
pub(super) fn is_served(
    owner: &ObjectRef,
    object: &Gateway,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<bool> {
    let classes = &lookup.snapshot.gateway_classes;
    let name = &object.spec.gateway_class_name;
    let complete = lookup.options.everything_without_class;
    if classes.is_empty() && complete {
        return Some(true);
    }
    let Some(class) = classes.get(&Key::new("", name)) else {
        if complete {
            reports.error(
                owner,
                "spec.gatewayClassName",
                Reason::ClassNotFound,
                format!("there is no GatewayClass {name:?}, so the Gateway is not served"),
                "create the class or correct the name",
            );
        }
        return None;
    };
    if class.spec.controller_name != CONTROLLER {
        return None;
    }
    if class.spec.parameters_ref.is_some() {
        reports.error(
            owner,
            "spec.gatewayClassName",
            Reason::InvalidParameters,
            format!("GatewayClass {name:?} has a parametersRef, which this version does not read, so the Gateway is not served"),
            "remove it from the class",
        );
        return Some(false);
    }
    Some(true)
}
