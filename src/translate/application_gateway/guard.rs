//! What an ApplicationGateway asks for that this version does not support: the one list of it. What decides where requests go, or who may
//! send them, is closed; what adorns is reported, and requests are served without it.

use std::sync::Arc;

use serde_json::Value;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{HttpListener, PathRule, Protocol, Reference};
use crate::model::{ObjectRef, TlsPolicy};
use crate::report::Reason;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

use super::element::Elements;
use super::ssl_policy::NotSetUp;
use super::ssl_profile::Profiles;

/// Whether requests may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Open,
    /// Access control is asked for that can't be set up, so they are answered 503.
    Closed,
}

/// Reports what a whole gateway asks for.
pub(super) fn report_gateway(owner: &ObjectRef, spec: &ApplicationGatewaySpec, reports: &mut Reports) {
    let firewall = spec.web_application_firewall_configuration.as_ref();
    let enabled = firewall.filter(|firewall| firewall.get("enabled") != Some(&Value::Bool(false)));
    report_firewall(owner, "spec.firewallPolicy", spec.firewall_policy.as_ref(), reports);
    report_firewall(owner, "spec.webApplicationFirewallConfiguration", enabled, reports);

    if let Some(global) = &spec.global_configuration {
        let named = [
            ("enableRequestBuffering", global.enable_request_buffering),
            ("enableResponseBuffering", global.enable_response_buffering),
        ];
        for (name, _) in named.into_iter().filter(|(_, enabled)| *enabled == Some(true)) {
            let field = format!("spec.globalConfiguration.{name}");
            let message = "there are no buffers here: bodies are passed on as they come, of whatever length";
            reports.warning(owner, field, Reason::Unsupported, message, "remove it: nothing is lost");
        }
    }
}

/// Reports the firewall of a path rule.
pub(super) fn report_path_rule(owner: &ObjectRef, field: &str, rule: &PathRule, reports: &mut Reports) {
    report_firewall(owner, &format!("{field}.firewallPolicy"), rule.firewall_policy.as_ref(), reports);
}

/// Reports what a listener of HTTP asks for.
pub(super) fn report_listener(owner: &ObjectRef, field: &str, listener: &HttpListener, reports: &mut Reports) {
    report_firewall(owner, &format!("{field}.firewallPolicy"), listener.firewall_policy.as_ref(), reports);
    if listener.require_server_name_indication == Some(true) && listener.protocol == Protocol::Http {
        let field = format!("{field}.requireServerNameIndication");
        let message = "clients send no server name without TLS, so it has no effect";
        reports.warning(owner, field, Reason::InvalidValue, message, "remove it, or write protocol Https");
    }
}

/// What guards a listener, of HTTP or of streams.
pub(super) struct ListenerGuards<'a> {
    /// Whether the gateway is the TLS server of its clients.
    pub(super) terminates_tls: bool,
    /// Whether clients have to name a host in TLS.
    pub(super) requires_server_name: bool,
    pub(super) ssl_profile: Option<&'a Reference>,
    pub(super) frontend_ip_configuration: Option<&'a Reference>,
}

/// What a listener's guards come to.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) access: Access,
    /// What the connections of its clients must be like.
    pub(super) tls: Option<Arc<TlsPolicy>>,
}

/// The access to one listener by what guards it.
pub(super) fn of_guards(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    profiles: &Profiles<'_>,
    field: &str,
    ListenerGuards { terminates_tls, requires_server_name, ssl_profile, frontend_ip_configuration }: ListenerGuards<'_>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Guarded {
    let mut access = Access::Open;
    let mut close = |name: &str, message: &str, remedy: &str, reports: &mut Reports| {
        reports.error(owner, format!("{field}.{name}"), Reason::AccessControl, message, remedy);
        access = Access::Closed;
    };
    let tls = match ssl_profile {
        Some(_) if !terminates_tls => {
            let message = "a profile is for TLS that ends here, which this listener does not have, so it answers 503";
            close("sslProfile", message, "remove it, or have the listener speak TLS with an sslCertificate", reports);
            None
        }
        _ if !terminates_tls => profiles.of_clear_text(),
        profile => match profiles.of_tls(&format!("{field}.sslProfile"), profile, elements, lookup, reports) {
            Ok(policy) if requires_server_name => Some(profiles.with_server_name(field, policy, lookup)),
            Ok(policy) => policy,
            Err(NotSetUp) => {
                let (name, message) = match profile {
                    Some(_) => ("sslProfile", "its profile can't be set up, so the listener answers 503"),
                    None => ("protocol", "the gateway's sslPolicy can't be set up, so the listener answers 503"),
                };
                close(name, message, "see what is reported of the profile or policy", reports);
                None
            }
        },
    };
    if let Some(reference) = frontend_ip_configuration {
        let field = format!("{field}.frontendIPConfiguration");
        match elements.frontend_ips.find(owner, reference, &field, reports) {
            Ok(found) if found.value.private_ip_address.is_none() => {}
            Ok(_) => {
                let message = "this version listens on every address and not on one alone, so the listener answers 503";
                let remedy = "remove it where every address may serve the listener";
                close("frontendIPConfiguration", message, remedy, reports);
            }
            Err(_) => {
                let message = "the address that it may be reached at is not known, so the listener answers 503";
                close("frontendIPConfiguration", message, "name an element of spec.frontendIPConfigurations", reports);
            }
        }
    }
    Guarded { access, tls }
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
