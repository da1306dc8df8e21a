//! The fields of an ApplicationGateway by the element that they are about: a listener or rule, and what it refers to.

use std::collections::BTreeSet;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{Reference, RuleTarget};

/// The fields of a listener and of the elements that it refers to.
pub(super) fn listener_fields(spec: &ApplicationGatewaySpec, index: usize) -> BTreeSet<String> {
    let mut fields = ElementFields { spec, fields: BTreeSet::from([format!("spec.httpListeners[{index}]")]) };
    if let Some(listener) = spec.http_listeners.get(index) {
        fields.add_frontend(
            &listener.frontend_port,
            listener.frontend_ip_configuration.as_ref(),
            listener.ssl_profile.as_ref(),
            listener.ssl_certificate.as_ref(),
        );
    }
    fields.fields
}

/// The fields of a listener of streams and of the elements that it refers to.
pub(super) fn stream_listener_fields(spec: &ApplicationGatewaySpec, index: usize) -> BTreeSet<String> {
    let mut fields = ElementFields { spec, fields: BTreeSet::from([format!("spec.listeners[{index}]")]) };
    if let Some(listener) = spec.listeners.get(index) {
        fields.add_frontend(
            &listener.frontend_port,
            listener.frontend_ip_configuration.as_ref(),
            listener.ssl_profile.as_ref(),
            listener.ssl_certificate.as_ref(),
        );
    }
    fields.fields
}

/// The fields of a rule of streams and of the pool and settings that it refers to.
pub(super) fn stream_rule_fields(spec: &ApplicationGatewaySpec, index: usize) -> BTreeSet<String> {
    let mut fields = ElementFields { spec, fields: BTreeSet::from([format!("spec.routingRules[{index}]")]) };
    if let Some(rule) = spec.routing_rules.get(index) {
        let (pools, all) = (&spec.backend_address_pools, &spec.backend_settings_collection);
        fields.add("backendAddressPools", pools, |each| &each.name, Some(&rule.backend_address_pool));
        let settings = fields.add("backendSettingsCollection", all, |each| &each.name, Some(&rule.backend_settings));
        if let Some(settings) = settings {
            fields.add_verification(settings.probe.as_ref(), &settings.trusted_root_certificates);
        }
    }
    fields.fields
}

/// The fields of a rule and of the pools, settings and path map that it refers to.
pub(super) fn rule_fields(spec: &ApplicationGatewaySpec, index: usize) -> BTreeSet<String> {
    let mut fields = ElementFields { spec, fields: BTreeSet::from([format!("spec.requestRoutingRules[{index}]")]) };
    if let Some(rule) = spec.request_routing_rules.get(index) {
        fields.add_target(rule.target());
        if let Some(map) = fields.add("urlPathMaps", &spec.url_path_maps, |map| &map.name, rule.url_path_map.as_ref()) {
            map.default_target().into_iter().for_each(|target| fields.add_target(target));
            map.path_rules.iter().for_each(|rule| fields.add_target(rule.target()));
        }
    }
    fields.fields
}

/// The fields that are collected for one element.
struct ElementFields<'a> {
    spec: &'a ApplicationGatewaySpec,
    fields: BTreeSet<String>,
}

impl<'a> ElementFields<'a> {
    fn add<T>(
        &mut self,
        list: &str,
        elements: &'a [T],
        name_of: impl Fn(&T) -> &String,
        reference: Option<&Reference>,
    ) -> Option<&'a T> {
        let name = &reference?.name;
        let (index, element) = elements.iter().enumerate().find(|(_, element)| name_of(element) == name)?;
        self.fields.insert(format!("spec.{list}[{index}]"));
        Some(element)
    }

    fn add_target(&mut self, target: RuleTarget<'_>) {
        let RuleTarget { pool, load_distribution, settings, redirect, rewrites, token } = target;
        let spec = self.spec;
        self.add("redirectConfigurations", &spec.redirect_configurations, |each| &each.name, redirect.reference);
        self.add("rewriteRuleSets", &spec.rewrite_rule_sets, |each| &each.name, rewrites.reference);
        let tokens = &spec.entra_jwt_validation_configs;
        self.add("entraJWTValidationConfigs", tokens, |each| &each.name, token.reference);
        let pools = &spec.backend_address_pools;
        self.add("backendAddressPools", pools, |each| &each.name, pool.reference);
        let policies = &spec.load_distribution_policies;
        let policy = self.add("loadDistributionPolicies", policies, |each| &each.name, load_distribution.reference);
        for target in policy.into_iter().flat_map(|policy| &policy.load_distribution_targets) {
            self.add("backendAddressPools", pools, |each| &each.name, Some(&target.backend_address_pool));
        }
        let all = &spec.backend_http_settings_collection;
        if let Some(settings) = self.add("backendHttpSettingsCollection", all, |each| &each.name, settings.reference) {
            self.add_verification(settings.probe.as_ref(), &settings.trusted_root_certificates);
        }
    }

    /// Adds what a listener refers to.
    fn add_frontend(
        &mut self,
        port: &Reference,
        address: Option<&Reference>,
        profile: Option<&Reference>,
        certificate: Option<&Reference>,
    ) {
        let spec = self.spec;
        self.add("frontendIPConfigurations", &spec.frontend_ip_configurations, |each| &each.name, address);
        let profile = self.add("sslProfiles", &spec.ssl_profiles, |each| &each.name, profile);
        for root in profile.into_iter().flat_map(|profile| &profile.trusted_client_certificates) {
            let roots = &spec.trusted_client_certificates;
            self.add("trustedClientCertificates", roots, |each| &each.name, Some(root));
        }
        self.add("frontendPorts", &spec.frontend_ports, |port| &port.name, Some(port));
        self.add("sslCertificates", &spec.ssl_certificates, |each| &each.name, certificate);
    }

    /// Adds what settings refer to by which backends are judged.
    fn add_verification(&mut self, probe: Option<&Reference>, roots: &[Reference]) {
        let spec = self.spec;
        self.add("probes", &spec.probes, |each| &each.name, probe);
        for root in roots {
            self.add("trustedRootCertificates", &spec.trusted_root_certificates, |each| &each.name, Some(root));
        }
    }
}
