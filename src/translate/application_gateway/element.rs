//! The elements of an ApplicationGateway by name, and references among them.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{
    BackendAddressPool, BackendHttpSettings, FrontendIpConfiguration, FrontendPort, HttpListener,
    LoadDistributionPolicy, Probe, RedirectConfiguration, Reference, RequestRoutingRule, RewriteRuleSet,
    SslCertificate, SslProfile, StreamBackendSettings, StreamListener, StreamRoutingRule, TokenValidationConfig,
    TrustedClientCertificate, TrustedRootCertificate, UrlPathMap,
};
use crate::api::value::ValueKind;
use crate::model::ObjectRef;
use crate::report::Reason;

use crate::translate::report::Reports;

/// One list of elements, by their names.
#[derive(Debug)]
pub(super) struct ElementList<'a, T> {
    /// The list's name in the specification: `frontendPorts`.
    name: &'static str,
    /// What reports call one element: `frontend port`.
    each: &'static str,
    by_name: BTreeMap<&'a str, (usize, &'a T)>,
}

/// An element that a reference led to.
#[derive(Debug)]
pub(super) struct Element<'a, T> {
    /// Its field path: `spec.probes[0]`.
    pub(super) field: String,
    pub(super) value: &'a T,
}

impl<'a, T> ElementList<'a, T> {
    /// The element that `reference` names. If there is none, that is reported at `field`.
    pub(super) fn find(
        &self,
        owner: &ObjectRef,
        reference: &Reference,
        field: &str,
        reports: &mut Reports,
    ) -> Result<Element<'a, T>, Reason> {
        let Some((index, value)) = self.by_name.get(reference.name.as_str()) else {
            let remedy = match self.by_name.keys().copied().collect::<Vec<_>>()[..] {
                [] => format!("add it to spec.{}, which is empty", self.name),
                [only] => format!("add it to spec.{}, or name {only:?}", self.name),
                ref names => format!("add it to spec.{}, or name one of {names:?}", self.name),
            };
            reports.error(
                owner,
                format!("{field}.name"),
                Reason::ElementNotFound,
                format!("there is no {} {:?}", self.each, reference.name),
                remedy,
            );
            return Err(Reason::ElementNotFound);
        };
        Ok(Element { field: format!("spec.{}[{index}]", self.name), value })
    }

    /// Every element, in the order listed.
    pub(super) fn iter(&self) -> impl Iterator<Item = Element<'a, T>> {
        let mut all: Vec<_> = self.by_name.values().copied().collect();
        all.sort_by_key(|(index, _)| *index);
        let name = self.name;
        all.into_iter().map(move |(index, value)| Element { field: format!("spec.{name}[{index}]"), value })
    }
}

/// Every list of elements.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    pub(super) frontend_ips: ElementList<'a, FrontendIpConfiguration>,
    pub(super) ports: ElementList<'a, FrontendPort>,
    pub(super) listeners: ElementList<'a, HttpListener>,
    pub(super) certificates: ElementList<'a, SslCertificate>,
    pub(super) profiles: ElementList<'a, SslProfile>,
    pub(super) client_roots: ElementList<'a, TrustedClientCertificate>,
    pub(super) roots: ElementList<'a, TrustedRootCertificate>,
    pub(super) pools: ElementList<'a, BackendAddressPool>,
    pub(super) settings: ElementList<'a, BackendHttpSettings>,
    pub(super) probes: ElementList<'a, Probe>,
    pub(super) rules: ElementList<'a, RequestRoutingRule>,
    pub(super) maps: ElementList<'a, UrlPathMap>,
    pub(super) redirects: ElementList<'a, RedirectConfiguration>,
    pub(super) rewrites: ElementList<'a, RewriteRuleSet>,
    pub(super) load_distributions: ElementList<'a, LoadDistributionPolicy>,
    pub(super) tokens: ElementList<'a, TokenValidationConfig>,
    pub(super) stream_listeners: ElementList<'a, StreamListener>,
    pub(super) stream_settings: ElementList<'a, StreamBackendSettings>,
    pub(super) stream_rules: ElementList<'a, StreamRoutingRule>,
}

impl<'a> Elements<'a> {
    /// Indexes a specification. Of two elements with one name the first counts, and the other is reported.
    pub(super) fn read(owner: &ObjectRef, spec: &'a ApplicationGatewaySpec, reports: &mut Reports) -> Self {
        let ApplicationGatewaySpec {
            ingress_class_name: _,
            frontend_ip_configurations,
            frontend_ports,
            http_listeners,
            ssl_certificates,
            ssl_policy: _,
            ssl_profiles,
            trusted_client_certificates,
            trusted_root_certificates,
            backend_address_pools,
            backend_http_settings_collection,
            probes,
            request_routing_rules,
            url_path_maps,
            redirect_configurations,
            rewrite_rule_sets,
            load_distribution_policies,
            entra_jwt_validation_configs,
            custom_error_configurations: _,
            listeners,
            backend_settings_collection,
            routing_rules,
            enable_http2: _,
            global_configuration: _,
            firewall_policy: _,
            web_application_firewall_configuration: _,
        } = spec;
        let mut index = ListIndex { owner, reports };
        Self {
            frontend_ips: index.read(
                "frontendIPConfigurations",
                "frontend IP configuration",
                frontend_ip_configurations,
                |e| &e.name,
            ),
            ports: index.read("frontendPorts", "frontend port", frontend_ports, |e| &e.name),
            listeners: index.read("httpListeners", "HTTP listener", http_listeners, |e| &e.name),
            certificates: index.read("sslCertificates", "SSL certificate", ssl_certificates, |e| &e.name),
            profiles: index.read("sslProfiles", "SSL profile", ssl_profiles, |e| &e.name),
            client_roots: index.read(
                "trustedClientCertificates",
                "trusted client certificate",
                trusted_client_certificates,
                |e| &e.name,
            ),
            roots: index
                .read("trustedRootCertificates", "trusted root certificate", trusted_root_certificates, |e| &e.name),
            pools: index.read("backendAddressPools", "backend address pool", backend_address_pools, |e| &e.name),
            settings: index.read(
                "backendHttpSettingsCollection",
                "backend HTTP settings element",
                backend_http_settings_collection,
                |e| &e.name,
            ),
            probes: index.read("probes", "probe", probes, |e| &e.name),
            rules: index.read("requestRoutingRules", "request routing rule", request_routing_rules, |e| &e.name),
            maps: index.read("urlPathMaps", "URL path map", url_path_maps, |e| &e.name),
            redirects: index
                .read("redirectConfigurations", "redirect configuration", redirect_configurations, |e| &e.name),
            rewrites: index.read("rewriteRuleSets", "rewrite rule set", rewrite_rule_sets, |e| &e.name),
            load_distributions: index.read(
                "loadDistributionPolicies",
                "load distribution policy",
                load_distribution_policies,
                |e| &e.name,
            ),
            tokens: index.read(
                "entraJWTValidationConfigs",
                "JWT validation config",
                entra_jwt_validation_configs,
                |e| &e.name,
            ),
            stream_listeners: index.read("listeners", "listener", listeners, |e| &e.name),
            stream_settings: index.read(
                "backendSettingsCollection",
                "backend settings element",
                backend_settings_collection,
                |e| &e.name,
            ),
            stream_rules: index.read("routingRules", "routing rule", routing_rules, |e| &e.name),
        }
    }
}

/// Makes lists of elements.
struct ListIndex<'r> {
    owner: &'r ObjectRef,
    reports: &'r mut Reports,
}

impl ListIndex<'_> {
    fn read<'a, T>(
        &mut self,
        name: &'static str,
        each: &'static str,
        list: &'a [T],
        name_of: fn(&T) -> &str,
    ) -> ElementList<'a, T> {
        let mut by_name = BTreeMap::new();
        for (index, element) in list.iter().enumerate() {
            if let Some((first, _)) = by_name.get(name_of(element)) {
                self.reports.error(
                    self.owner,
                    format!("spec.{name}[{index}].name"),
                    Reason::InvalidValue,
                    format!("spec.{name}[{first}] has the name {:?} too, so this one is not used", name_of(element)),
                    "give each its own name",
                );
                continue;
            }
            by_name.insert(name_of(element), (index, element));
        }
        ElementList { name, each, by_name }
    }
}

/// A whole number in its range. `None`: it is outside, and was reported.
pub(super) fn in_range<T: Copy + PartialOrd + Display, N: TryFrom<T>>(
    owner: &ObjectRef,
    field: String,
    value: T,
    (first, last): (T, T),
    reports: &mut Reports,
) -> Option<N> {
    if (first..=last).contains(&value) {
        return N::try_from(value).ok();
    }
    out_of_range(owner, field, value, (first, last), reports);
    None
}

/// A value of this kind. `None`: it is not of this kind, and was reported.
pub(super) fn read_number<K: ValueKind>(
    owner: &ObjectRef,
    field: String,
    value: K::Field,
    reports: &mut Reports,
) -> Option<K::Value> {
    let range = K::VALUES.range().unwrap_or_default();
    K::from_field(value).map_err(|number| out_of_range(owner, field, number, range, reports)).ok()
}

/// Reports a number that is outside its range.
pub(super) fn out_of_range(
    owner: &ObjectRef,
    field: String,
    value: impl Display,
    (first, last): (impl Display, impl Display),
    reports: &mut Reports,
) {
    reports.error(
        owner,
        field,
        Reason::InvalidValue,
        format!("{value} is outside {first} to {last} and is not used"),
        format!("write a number from {first} to {last}"),
    );
}

/// A port from 1 to 65535. `None`: it is outside, and was reported.
pub(super) fn port(owner: &ObjectRef, field: String, value: i32, reports: &mut Reports) -> Option<u16> {
    in_range(owner, field, value, (1, 65535), reports)
}
