//! Fields of an ApplicationGateway that guard, and that this version does not support. What asks for client certificates must not be
//! open to everybody instead. A web application firewall inspects requests that anybody may send: its absence is only reported.

use serde_json::Value;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{HttpListener, PathRule};
use crate::model::ObjectRef;
use crate::report::Reason;
use crate::translate::report::Reports;

/// Whether requests may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Open,
    /// Access control is asked for that can't be set up, so they are answered 503.
    Closed,
}

/// Reports the firewalls of a whole gateway.
pub(super) fn report_gateway(owner: &ObjectRef, spec: &ApplicationGatewaySpec, reports: &mut Reports) {
    let firewall = spec.web_application_firewall_configuration.as_ref();
    let enabled = firewall.filter(|firewall| firewall.get("enabled") != Some(&Value::Bool(false)));
    report_firewall(owner, "spec.firewallPolicy", spec.firewall_policy.as_ref(), reports);
    report_firewall(owner, "spec.webApplicationFirewallConfiguration", enabled, reports);
}

/// Reports the firewall of a path rule.
pub(super) fn report_path_rule(owner: &ObjectRef, field: &str, rule: &PathRule, reports: &mut Reports) {
    report_firewall(owner, &format!("{field}.firewallPolicy"), rule.firewall_policy.as_ref(), reports);
}

/// The access to one listener. Its firewall is reported.
pub(super) fn of_listener(owner: &ObjectRef, field: &str, listener: &HttpListener, reports: &mut Reports) -> Access {
    report_firewall(owner, &format!("{field}.firewallPolicy"), listener.firewall_policy.as_ref(), reports);
    if listener.ssl_profile.is_none() {
        return Access::Open;
    }
    reports.error(
        owner,
        format!("{field}.sslProfile"),
        Reason::AccessControl,
        "sslProfile asks for access control that this version does not have, so what it guards answers 503",
        "let the backend verify client certificates, and then remove the field",
    );
    Access::Closed
}

fn report_firewall(owner: &ObjectRef, field: &str, value: Option<&Value>, reports: &mut Reports) {
    if value.is_some() {
        reports.warning(
            owner,
            field,
            Reason::Unsupported,
            "there is no web application firewall here, so requests are served without one",
            "put a web application firewall in front, and then remove the field",
        );
    }
}
