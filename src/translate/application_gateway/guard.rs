//! What an ApplicationGateway asks for that this version does not support: the one list of it. What decides where requests go, or who may
//! send them, is closed; what adorns is reported, and requests are served without it.

use std::sync::Arc;

use serde_json::Value;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{HttpListener, PathRule, Reference};
use crate::model::{ObjectRef, TlsPolicy};
use crate::report::Reason;
use crate::translate::report::Reports;

use super::element::Elements;
use super::ssl_profile::{NotSetUp, Profiles};

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
    if listener.require_server_name_indication == Some(true) {
        let field = format!("{field}.requireServerNameIndication");
        unsupported(owner, field, "clients without a server name are served", reports);
    }
}

/// What guards a listener, of HTTP or of streams.
pub(super) struct ListenerGuards<'a> {
    /// Whether the gateway is the TLS server of its clients.
    pub(super) terminates_tls: bool,
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
    ListenerGuards { terminates_tls, ssl_profile, frontend_ip_configuration }: ListenerGuards<'_>,
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
        profile => match profiles.of_tls(&format!("{field}.sslProfile"), profile, elements, reports) {
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
        let found = elements.frontend_ips.find(owner, reference, &field, reports);
        if found.is_ok_and(|found| found.value.private_ip_address.is_some()) {
            let message = "this version listens on every address and not on one alone, so the listener answers 503";
            close("frontendIPConfiguration", message, "remove it where every address may serve the listener", reports);
        }
    }
    Guarded { access, tls }
}

fn unsupported(owner: &ObjectRef, field: impl Into<String>, instead: &str, reports: &mut Reports) {
    let message = format!("it is not supported by this version and has no effect: {instead}");
    reports.warning(owner, field, Reason::Unsupported, message, "remove it where nothing depends on it");
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
