//! Fields of an ApplicationGateway that guard, and that this version does not support: client certificates and web application
//! firewalls. What they guard must not be open to everybody instead.

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

impl Access {
    /// Access that two guards give together.
    pub(super) fn and(self, other: Self) -> Self {
        if self == Self::Closed { self } else { other }
    }
}

/// The access to all listeners of a gateway.
pub(super) fn of_gateway(owner: &ObjectRef, spec: &ApplicationGatewaySpec, reports: &mut Reports) -> Access {
    let firewall = spec.web_application_firewall_configuration.as_ref();
    let enabled = firewall.filter(|firewall| firewall.get("enabled") != Some(&Value::Bool(false)));
    let guards = [
        ("firewallPolicy", FIREWALL, spec.firewall_policy.as_ref()),
        ("webApplicationFirewallConfiguration", FIREWALL, enabled),
    ];
    read(owner, "spec", guards, reports)
}

/// The access to one listener.
pub(super) fn of_listener(owner: &ObjectRef, field: &str, listener: &HttpListener, reports: &mut Reports) -> Access {
    let guards = [
        ("sslProfile", CLIENT_CERTIFICATES, listener.ssl_profile.as_ref()),
        ("firewallPolicy", FIREWALL, listener.firewall_policy.as_ref()),
    ];
    read(owner, field, guards, reports)
}

/// The access to the paths of a path rule.
pub(super) fn of_path_rule(owner: &ObjectRef, field: &str, rule: &PathRule, reports: &mut Reports) -> Access {
    read(owner, field, [("firewallPolicy", FIREWALL, rule.firewall_policy.as_ref())], reports)
}

const FIREWALL: &str = "put a web application firewall in front, and then remove the field";
const CLIENT_CERTIFICATES: &str = "let the backend verify client certificates, and then remove the field";

fn read<const COUNT: usize>(
    owner: &ObjectRef,
    parent: &str,
    guards: [(&str, &str, Option<&Value>); COUNT],
    reports: &mut Reports,
) -> Access {
    let mut access = Access::Open;
    for (name, remedy, value) in guards {
        if value.is_some() {
            reports.error(
                owner,
                format!("{parent}.{name}"),
                Reason::AccessControl,
                format!(
                    "{name} asks for access control that this version does not have, so what it guards answers 503"
                ),
                remedy,
            );
            access = Access::Closed;
        }
    }
    access
}
