//! What the connections of listeners must be like: `sslProfiles`, and the `sslPolicy` and `enableHttp2` of the gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{Reference, SslProfile};
use crate::model::{ObjectRef, PolicyOrigin, TlsPolicy, TlsTerms};
use crate::source::Snapshot;
use crate::translate::class::ClassTls;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls_profile::TlsProfile;

use super::client_certificates;
use super::element::{Element, Elements};
use super::ssl_policy::{self, NotSetUp};

/// What a gateway asks of connections, and what its profiles ask instead.
#[derive(Debug)]
pub(super) struct Profiles<'a> {
    owner: Arc<ObjectRef>,
    http2: bool,
    /// For listeners that name no profile.
    default: Result<TlsProfile, NotSetUp>,
    named: BTreeMap<&'a str, Result<TlsProfile, NotSetUp>>,
}

impl<'a> Profiles<'a> {
    /// Reads every profile, in use or not, so that each mistake is reported.
    pub(super) fn read(
        owner: &ObjectRef,
        spec: &'a ApplicationGatewaySpec,
        elements: &Elements<'a>,
        snapshot: &Snapshot,
        reports: &mut Reports,
    ) -> Self {
        let (owner, http2) = (Arc::new(owner.clone()), spec.enable_http2 != Some(false));
        let policy = spec.ssl_policy.as_ref();
        let suites = policy.map(|policy| ssl_policy::read(&owner, "spec.sslPolicy", policy, reports)).transpose();
        let field = if policy.is_some() { "spec.sslPolicy" } else { "spec.enableHttp2" };
        let origin = PolicyOrigin { owner: Arc::clone(&owner), field: field.into() };
        let default = suites.map(|cipher_suites| TlsProfile {
            origin,
            terms: TlsTerms { cipher_suites, http2, ..TlsTerms::default() },
            client_cas: None,
        });
        let mut profiles = Self { owner, http2, default, named: BTreeMap::new() };
        for element in elements.profiles.iter() {
            let profile = profiles.profile(elements, &element, snapshot, reports);
            profiles.named.insert(&element.value.name, profile);
        }
        profiles
    }

    fn profile(
        &self,
        elements: &Elements<'_>,
        Element { field, value }: &Element<'_, SslProfile>,
        snapshot: &Snapshot,
        reports: &mut Reports,
    ) -> Result<TlsProfile, NotSetUp> {
        let SslProfile { name: _, trusted_client_certificates, client_auth_configuration, ssl_policy } = value;
        let owner = &*self.owner;
        let terms = match ssl_policy {
            Some(policy) => {
                let suites = ssl_policy::read(owner, &format!("{field}.sslPolicy"), policy, reports)?;
                TlsTerms { cipher_suites: Some(suites), http2: self.http2, ..TlsTerms::default() }
            }
            None => self.default.clone()?.terms,
        };
        let listed = trusted_client_certificates;
        let configuration = client_auth_configuration.as_ref();
        let client_cas = client_certificates::read(owner, elements, field, listed, configuration, snapshot, reports)?;
        let origin = PolicyOrigin { owner: Arc::clone(&self.owner), field: field.as_str().into() };
        Ok(TlsProfile { origin, terms, client_cas })
    }

    /// What is asked of a listener that speaks TLS. `profile`: the reference at `field`, if there is one.
    fn of_listener(
        &self,
        field: &str,
        profile: Option<&Reference>,
        elements: &Elements<'_>,
        reports: &mut Reports,
    ) -> Result<&TlsProfile, NotSetUp> {
        let profile = match profile {
            None => &self.default,
            Some(reference) => {
                let found = elements.profiles.find(&self.owner, reference, field, reports).map_err(|_| NotSetUp)?;
                self.named.get(&*found.value.name).ok_or(NotSetUp)?
            }
        };
        profile.as_ref().map_err(|error| *error)
    }

    /// What the connections of a listener that speaks TLS must be like. `profile`: the reference at `field`, if there is one.
    pub(super) fn of_tls(
        &self,
        field: &str,
        profile: Option<&Reference>,
        elements: &Elements<'_>,
        lookup: &Lookup<'_>,
        reports: &mut Reports,
    ) -> Result<Option<Arc<TlsPolicy>>, NotSetUp> {
        let profile = self.of_listener(field, profile, elements, reports)?;
        profile.read(lookup).map_err(|(ca, fault)| {
            reports.fault(&self.owner, &ca.field, &fault);
            NotSetUp
        })
    }

    /// A policy of the listener at `field`, whose clients have to send a server name too.
    pub(super) fn with_server_name(
        &self,
        field: &str,
        policy: Option<Arc<TlsPolicy>>,
        lookup: &Lookup<'_>,
    ) -> Arc<TlsPolicy> {
        let terms = policy.as_ref().map(|policy| TlsTerms::clone(&policy.terms)).unwrap_or_default();
        let field = format!("{field}.requireServerNameIndication").into();
        let origin = policy.map(|policy| policy.origin.clone());
        let origin = origin.unwrap_or_else(|| PolicyOrigin { owner: Arc::clone(&self.owner), field });
        lookup
            .intern_tls_policy(TlsPolicy { origin, terms: Arc::new(TlsTerms { requires_server_name: true, ..terms }) })
    }

    /// What the connections of a listener in clear text must be like.
    pub(super) fn of_clear_text(&self) -> Option<Arc<TlsPolicy>> {
        let origin = PolicyOrigin { owner: Arc::clone(&self.owner), field: "spec.enableHttp2".into() };
        let terms = Arc::new(TlsTerms { http2: self.http2, ..TlsTerms::default() });
        (!self.http2).then(|| Arc::new(TlsPolicy { origin, terms }))
    }

    /// What is asked of the Ingresses of a class. `profile`: the reference, at `field`, of the listener that is the class's default.
    pub(super) fn of_class(
        &self,
        field: &str,
        profile: Option<&Reference>,
        elements: &Elements<'_>,
        reports: &mut Reports,
    ) -> ClassTls {
        let named = self.named.iter().map(|(name, profile)| ((*name).to_owned(), profile.clone().ok()));
        ClassTls {
            clear_text: self.of_clear_text(),
            default: self.of_listener(field, profile, elements, reports).ok().cloned(),
            named: named.collect(),
        }
    }
}
