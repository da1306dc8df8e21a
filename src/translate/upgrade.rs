//! Upgrades to protocols other than WebSocket: which of those that users write a route may allow, and what is reported about them.

use std::sync::Arc;

use crate::api::SessionSettings;
use crate::model::{ObjectRef, UpgradeProtocols, carries_http};
use crate::report::Reason;

use super::report::Reports;

/// The annotation that allows them.
pub(super) const ANNOTATION: &str = "steadygate.io/upgrade";

/// Those of these protocols that a route may allow. WebSocket is left out, for it needs no setting.
pub(super) fn protocols(names: &[String]) -> Option<Arc<UpgradeProtocols>> {
    let names = names.iter().map(String::as_str);
    let allowed = names.filter(|name| !carries_http(name) && !name.eq_ignore_ascii_case("websocket"));
    UpgradeProtocols::new(allowed).map(Arc::new)
}

/// Reports those of the protocols in `field` that no route may allow.
pub(super) fn check(object: &ObjectRef, field: &str, names: &[String], reports: &mut Reports) {
    for name in names.iter().filter(|name| carries_http(name)) {
        reports.error(
            object,
            field,
            Reason::InvalidValue,
            format!(
                "{name:?} carries HTTP: its requests would reach the backend past all routes, so it is not allowed"
            ),
            "remove it",
        );
    }
}

/// Reports limits of messages beside protocols that have no messages. `field` is the one with the protocols.
pub(super) fn check_limits(
    object: &ObjectRef,
    field: &str,
    names: &[String],
    session: &SessionSettings,
    reports: &mut Reports,
) {
    let has_limits = session.max_message_size.is_some() || session.message_rate.is_some();
    if has_limits && protocols(names).is_some() {
        reports.warning(
            object,
            field,
            Reason::Unsupported,
            "sessions of these protocols have no messages, so the limits of message size and rate hold for WebSocket alone",
            "remove the limits, or give these protocols an object of their own without limits",
        );
    }
}
