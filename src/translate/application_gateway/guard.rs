//! What an ApplicationGateway asks for that this version does not support: the one list of it. What decides where requests go, or who may
//! send them, is closed; what adorns is reported, and requests are served without it.

use serde_json::Value;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{HttpListener, PathRule, Reference, SslProfile};
use crate::model::ObjectRef;
use crate::report::Reason;
use crate::translate::report::Reports;

use super::element::{Element, Elements};

/// Whether requests may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Open,
    /// Access control is asked for that can't be set up, so they are answered 503.
    Closed,
}

/// Reports what a whole gateway asks for.
pub(super) fn report_gateway(
    owner: &ObjectRef,
    spec: &ApplicationGatewaySpec,
    elements: &Elements<'_>,
    reports: &mut Reports,
) {
    let firewall = spec.web_application_firewall_configuration.as_ref();
    let enabled = firewall.filter(|firewall| firewall.get("enabled") != Some(&Value::Bool(false)));
    report_firewall(owner, "spec.firewallPolicy", spec.firewall_policy.as_ref(), reports);
    report_firewall(owner, "spec.webApplicationFirewallConfiguration", enabled, reports);

    if spec.ssl_policy.is_some() {
        unsupported(owner, "spec.sslPolicy", "clients may use TLS 1.2 and 1.3", reports);
    }
    if spec.enable_http2 == Some(false) {
        unsupported(owner, "spec.enableHttp2", "clients may speak HTTP/2", reports);
    }
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
    elements.profiles.iter().for_each(|profile| check_profile(owner, elements, &profile, reports));
}

/// Reports the firewall of a path rule.
pub(super) fn report_path_rule(owner: &ObjectRef, field: &str, rule: &PathRule, reports: &mut Reports) {
    report_firewall(owner, &format!("{field}.firewallPolicy"), rule.firewall_policy.as_ref(), reports);
}

/// The access to one listener. What it asks for is reported.
pub(super) fn of_listener(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    field: &str,
    listener: &HttpListener,
    reports: &mut Reports,
) -> Access {
    report_firewall(owner, &format!("{field}.firewallPolicy"), listener.firewall_policy.as_ref(), reports);
    if listener.require_server_name_indication == Some(true) {
        let field = format!("{field}.requireServerNameIndication");
        unsupported(owner, field, "clients without a server name are served", reports);
    }
    let guards = ListenerGuards {
        ssl_profile: listener.ssl_profile.as_ref(),
        frontend_ip_configuration: listener.frontend_ip_configuration.as_ref(),
    };
    of_guards(owner, elements, field, guards, reports)
}

/// What guards a listener, of HTTP or of streams.
pub(super) struct ListenerGuards<'a> {
    pub(super) ssl_profile: Option<&'a Reference>,
    pub(super) frontend_ip_configuration: Option<&'a Reference>,
}

/// The access to one listener by what guards it.
pub(super) fn of_guards(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    field: &str,
    ListenerGuards { ssl_profile, frontend_ip_configuration }: ListenerGuards<'_>,
    reports: &mut Reports,
) -> Access {
    let mut access = Access::Open;
    let mut close = |name: &str, message: &str, remedy: &str, reports: &mut Reports| {
        reports.error(owner, format!("{field}.{name}"), Reason::AccessControl, message, remedy);
        access = Access::Closed;
    };
    if let Some(reference) = ssl_profile {
        let message =
            "sslProfile asks for access control that this version does not have, so what it guards answers 503";
        let remedy = "let the backend verify client certificates, and then remove the field";
        let _reported = elements.profiles.find(owner, reference, &format!("{field}.sslProfile"), reports);
        close("sslProfile", message, remedy, reports);
    }
    if let Some(reference) = frontend_ip_configuration {
        let field = format!("{field}.frontendIPConfiguration");
        let found = elements.frontend_ips.find(owner, reference, &field, reports);
        if found.is_ok_and(|found| found.value.private_ip_address.is_some()) {
            let message = "this version listens on every address and not on one alone, so the listener answers 503";
            close("frontendIPConfiguration", message, "remove it where every address may serve the listener", reports);
        }
    }
    access
}

fn check_profile(
    owner: &ObjectRef,
    elements: &Elements<'_>,
    Element { field, value }: &Element<'_, SslProfile>,
    reports: &mut Reports,
) {
    for (index, reference) in value.trusted_client_certificates.iter().enumerate() {
        let field = format!("{field}.trustedClientCertificates[{index}]");
        let _reported = elements.client_roots.find(owner, reference, &field, reports);
    }
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
