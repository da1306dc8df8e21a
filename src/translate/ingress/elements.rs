//! What an Ingress has of the ApplicationGateway that the parameters of its class name: elements that its annotations name, and
//! defaults.

use k8s_openapi::api::networking::v1::IngressTLS;

use super::host_field::HostField;
use super::parsed::TlsEntries;
use super::tls_hosts::{self, TlsHost};
use super::tls_policy;
use crate::api::annotations::AnnotationSettings;
use crate::model::{HostPattern, ObjectRef};
use crate::report::Reason;
use crate::source::Key;
use crate::translate::class::{
    ClassFrontends, ClassGateway, DefaultCertificate, FrontendPorts, Parameters, annotation_field,
};
use crate::translate::report::Reports;

const CERTIFICATE: &str = "appgw.ingress.kubernetes.io/appgw-ssl-certificate";

/// Reads the elements of one Ingress.
pub(super) struct ElementReader<'a> {
    pub(super) owner: &'a ObjectRef,
    pub(super) settings: &'a AnnotationSettings,
    pub(super) parameters: &'a Parameters,
}

impl ElementReader<'_> {
    /// Why the Ingress answers 503 on all of its paths, if it does. What asks for access control has been reported where it is
    /// written.
    pub(super) fn closed(&self, reports: &mut Reports) -> Option<Reason> {
        if let Parameters::Broken(_) = self.parameters {
            reports.error(
                self.owner,
                "spec.ingressClassName",
                Reason::InvalidParameters,
                "the parameters of its IngressClass name nothing that can be used, so it answers 503",
                "correct spec.parameters of the class",
            );
            return Some(Reason::InvalidParameters);
        }
        let is_closed = self.settings.is_closed || self.lacks_private_frontend(reports) || self.lacks_profile(reports);
        is_closed.then_some(Reason::AccessControl)
    }

    /// Whether what the Ingress asks of connections can't be set up. That is reported.
    fn lacks_profile(&self, reports: &mut Reports) -> bool {
        let gateway = self.gateway();
        let Some(name) = &self.settings.agic.ssl_profile else {
            let broken = gateway.filter(|gateway| gateway.tls.default.is_none());
            if let Some(ClassGateway { object, .. }) = broken {
                let message = format!("what {object} asks of TLS can't be set up, so it answers 503");
                let remedy = "see what is reported of its sslPolicy and sslProfiles";
                reports.error(self.owner, "spec.ingressClassName", Reason::AccessControl, message, remedy);
            }
            return broken.is_some();
        };
        let field = annotation_field(tls_policy::PROFILE);
        match gateway.and_then(|gateway| gateway.tls.named.get(name)) {
            Some(Some(_)) => return false,
            Some(None) => {
                let message = format!("the profile {name:?} can't be set up, so it answers 503");
                let remedy = "see what is reported of it in the class's ApplicationGateway";
                reports.error(self.owner, field, Reason::AccessControl, message, remedy);
            }
            None => report_missing(self.owner, gateway, field, "SSL profile", "sslProfiles", name, reports),
        }
        true
    }

    /// Whether the Ingress asks for the private address alone, and would be served elsewhere too. That is reported.
    fn lacks_private_frontend(&self, reports: &mut Reports) -> bool {
        if self.settings.agic.private_ip != Some(true) {
            return false;
        }
        let frontends = self.gateway().map(|gateway| gateway.frontends).unwrap_or_default();
        let (message, remedy) = match frontends {
            ClassFrontends { has_private: true, has_public: false } => return false,
            ClassFrontends { has_private: true, has_public: true } => (
                "this version can't keep an Ingress to the private one of several frontends, so it answers 503",
                "serve it by a class whose ApplicationGateway has a private frontend alone",
            ),
            ClassFrontends { has_private: false, .. } => (
                "the ApplicationGateway of its class has no private frontend, so it answers 503",
                "add one with a privateIPAddress to spec.frontendIPConfigurations there",
            ),
        };
        let field = annotation_field("appgw.ingress.kubernetes.io/use-private-ip");
        reports.error(self.owner, field, Reason::AccessControl, message, remedy);
        true
    }

    /// The ports on which the Ingress is served. An annotation moves it to another port, away from 80 and 443: with TLS, only
    /// redirects stay there.
    pub(super) fn ports(&self, has_tls: bool) -> FrontendPorts {
        let ports = self.gateway().map_or_else(FrontendPorts::default, |gateway| gateway.ports);
        match self.settings.agic.frontend_port {
            None => ports,
            port if has_tls => FrontendPorts { https: port, ..ports },
            port => FrontendPorts { http: port, https: None },
        }
    }

    /// `spec.tls`; where it is empty, the certificate that an annotation names for all hosts.
    pub(super) fn tls(
        &self,
        entries: &[IngressTLS],
        hosts: &[(HostPattern, HostField)],
        default: DefaultCertificate,
        reports: &mut Reports,
    ) -> Option<Box<TlsEntries>> {
        let named = self.settings.agic.certificate.as_deref();
        if entries.is_empty() {
            let fallback = self.certificate(named?, reports);
            let covered = hosts.iter().map(|(host, _)| host.clone());
            let covered = covered.map(|host| TlsHost { host, entry: 0, needs_certificate: false });
            return Some(Box::new(TlsEntries { hosts: covered.collect(), secrets: Box::default(), fallback }));
        }
        if named.is_some() {
            reports.warning(
                self.owner,
                annotation_field(CERTIFICATE),
                Reason::InvalidAnnotation,
                "it has no effect beside spec.tls, as in AGIC",
                "remove one of the two",
            );
        }
        let fallback = self.gateway().and_then(|gateway| gateway.certificate.clone());
        let default = if fallback.is_some() { DefaultCertificate::Named } else { default };
        let secret = |entry: &IngressTLS| entry.secret_name.as_deref().filter(|name| !name.is_empty()).map(Into::into);
        Some(Box::new(TlsEntries {
            hosts: tls_hosts::read(self.owner, hosts, entries, default, reports),
            secrets: entries.iter().map(secret).collect(),
            fallback,
        }))
    }

    /// The Secret of a certificate that an annotation names.
    fn certificate(&self, name: &str, reports: &mut Reports) -> Option<Key> {
        let certificates = self.gateway().map(|gateway| &gateway.certificates);
        let found = certificates.and_then(|certificates| certificates.get(name));
        if found.is_none() {
            let field = annotation_field(CERTIFICATE);
            report_missing(self.owner, self.gateway(), field, "SSL certificate", "sslCertificates", name, reports);
        }
        found.cloned()
    }

    fn gateway(&self) -> Option<&ClassGateway> {
        self.parameters.gateway()
    }
}

/// Reports the name of an element that the ApplicationGateway of the class does not have. `each` is what reports call one element of
/// `list`.
pub(super) fn report_missing(
    owner: &ObjectRef,
    gateway: Option<&ClassGateway>,
    field: String,
    each: &str,
    list: &str,
    name: &str,
    reports: &mut Reports,
) {
    let (message, remedy) = match gateway {
        Some(ClassGateway { object, .. }) => (
            format!("there is no {each} {name:?} in {object}"),
            format!("add it to spec.{list} there, or correct the name"),
        ),
        None => (
            format!(
                "the {each} {name:?} is looked for in the ApplicationGateway of the IngressClass, which names none"
            ),
            "name an ApplicationGateway in spec.parameters of the IngressClass".to_owned(),
        ),
    };
    reports.error(owner, field, Reason::ElementNotFound, message, remedy);
}
