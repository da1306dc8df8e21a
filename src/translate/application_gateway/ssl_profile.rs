//! What the connections of listeners must be like: `sslProfiles`, and the `sslPolicy` and `enableHttp2` of the gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{Reference, SslProfile};
use crate::model::{CipherSuite, ObjectRef, PolicyOrigin, TlsPolicy, TlsTerms};
use crate::report::Reason;
use crate::translate::report::Reports;

use super::element::{Element, Elements};
use super::ssl_policy::{self, NothingOffered};

/// What is asked for can't be set up, which has been reported. What it guards is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotSetUp;

impl From<NothingOffered> for NotSetUp {
    fn from(NothingOffered: NothingOffered) -> Self {
        Self
    }
}

/// What a gateway asks of connections, and what its profiles ask instead.
#[derive(Debug)]
pub(super) struct Profiles<'a> {
    owner: Arc<ObjectRef>,
    http2: bool,
    /// The cipher suites of the gateway.
    suites: Result<Option<Vec<CipherSuite>>, NotSetUp>,
    named: BTreeMap<&'a str, Profile>,
}

#[derive(Debug)]
struct Profile {
    /// Its field path.
    field: String,
    terms: Result<Arc<TlsTerms>, NotSetUp>,
}

impl<'a> Profiles<'a> {
    /// Reads every profile, in use or not, so that each mistake is reported.
    pub(super) fn read(
        owner: &ObjectRef,
        spec: &'a ApplicationGatewaySpec,
        elements: &Elements<'a>,
        reports: &mut Reports,
    ) -> Self {
        let policy = spec.ssl_policy.as_ref();
        let suites = policy.map(|policy| ssl_policy::read(owner, "spec.sslPolicy", policy, reports)).transpose();
        let http2 = spec.enable_http2 != Some(false);
        let mut profiles =
            Self { owner: Arc::new(owner.clone()), http2, suites: suites.map_err(Into::into), named: BTreeMap::new() };
        for Element { field, value } in elements.profiles.iter() {
            let terms = profiles.terms(elements, &field, value, reports).map(Arc::new);
            profiles.named.insert(&value.name, Profile { field, terms });
        }
        profiles
    }

    fn terms(
        &self,
        elements: &Elements<'_>,
        field: &str,
        profile: &SslProfile,
        reports: &mut Reports,
    ) -> Result<TlsTerms, NotSetUp> {
        let SslProfile { name: _, trusted_client_certificates, client_auth_configuration, ssl_policy } = profile;
        let owner = &*self.owner;
        let cipher_suites = match ssl_policy {
            Some(policy) => Some(ssl_policy::read(owner, &format!("{field}.sslPolicy"), policy, reports)?),
            None => self.suites.clone()?,
        };
        for (index, reference) in trusted_client_certificates.iter().enumerate() {
            let field = format!("{field}.trustedClientCertificates[{index}]");
            let _reported = elements.client_roots.find(owner, reference, &field, reports);
        }
        if !trusted_client_certificates.is_empty() || client_auth_configuration.is_some() {
            let message =
                "client certificates are not verified by this version, so what the profile guards answers 503";
            let remedy = "let the backend verify client certificates, and then remove the field";
            let field = format!("{field}.trustedClientCertificates");
            reports.error(owner, field, Reason::AccessControl, message, remedy);
            return Err(NotSetUp);
        }
        Ok(TlsTerms { cipher_suites, http2: self.http2 })
    }

    /// What the connections of a listener that speaks TLS must be like. `profile`: the reference at `field`, if there is one.
    pub(super) fn of_tls(
        &self,
        field: &str,
        profile: Option<&Reference>,
        elements: &Elements<'_>,
        reports: &mut Reports,
    ) -> Result<Option<Arc<TlsPolicy>>, NotSetUp> {
        let Some(reference) = profile else {
            let cipher_suites = self.suites.clone()?;
            let field = if cipher_suites.is_some() { "spec.sslPolicy" } else { "spec.enableHttp2" };
            return Ok(self.policy(field, Arc::new(TlsTerms { cipher_suites, http2: self.http2 })));
        };
        let profile = elements.profiles.find(&self.owner, reference, field, reports).map_err(|_| NotSetUp)?;
        let Profile { field, terms } = self.named.get(&*profile.value.name).ok_or(NotSetUp)?;
        Ok(self.policy(field, Arc::clone(terms.as_ref().map_err(|error| *error)?)))
    }

    /// What the connections of a listener in clear text must be like.
    pub(super) fn of_clear_text(&self) -> Option<Arc<TlsPolicy>> {
        self.policy("spec.enableHttp2", Arc::new(TlsTerms { http2: self.http2, ..TlsTerms::default() }))
    }

    /// `None`: the terms are what holds anyway.
    fn policy(&self, field: &str, terms: Arc<TlsTerms>) -> Option<Arc<TlsPolicy>> {
        let origin = PolicyOrigin { owner: Arc::clone(&self.owner), field: field.into() };
        (*terms != TlsTerms::default()).then(|| Arc::new(TlsPolicy { origin, terms }))
    }
}
