//! What is asked of the connections of clients, before the CA certificates that it names have been read.

use std::sync::Arc;

use super::lookup::Lookup;
use super::report::Fault;
use super::tls;
use crate::model::{CaCertificate, ClientCertificates, ObjectRef, PolicyOrigin, TlsPolicy, TlsTerms};

/// What the connections of a listener have to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsProfile {
    /// The object and field that ask for it.
    pub(super) origin: PolicyOrigin,
    /// All of it but client certificates.
    pub(super) terms: TlsTerms,
    /// `None`: clients are not asked for certificates.
    pub(super) client_cas: Option<ClientCas>,
}

/// What is asked of connections can't be set up, which has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotSetUp;

/// The CA certificates that client certificates have to come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientCas {
    pub(super) authorities: Vec<CaRef>,
    /// Whether the immediate issuer has to be the last CA of a chain of these, by its name.
    pub(super) issuer_is_last_ca: bool,
}

/// The Secret or ConfigMap with CA certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CaRef {
    /// The field that names it.
    pub(super) field: String,
    pub(super) object: ObjectRef,
}

impl TlsProfile {
    /// The objects that it refers to.
    pub(super) fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.client_cas.iter().flat_map(|cas| &cas.authorities).map(|authority| &authority.object)
    }

    /// The policy. `Ok(None)`: it asks for nothing but what holds anyway.
    ///
    /// # Errors
    /// CA certificates that can't be read, and why.
    pub(super) fn read(&self, lookup: &Lookup<'_>) -> Result<Option<Arc<TlsPolicy>>, (&CaRef, Fault)> {
        let Self { origin, terms, client_cas } = self;
        let mut terms = terms.clone();
        if let Some(ClientCas { authorities, issuer_is_last_ca }) = client_cas {
            let mut certificates = Vec::new();
            for authority in authorities {
                let read = tls::ca_certificates(lookup, &authority.object);
                let read = read.map_err(|fault| (authority, fault.of_name()))?;
                certificates.extend(read.into_iter().map(CaCertificate));
            }
            let issuer_is_last_ca = *issuer_is_last_ca;
            terms.client_certificates = Some(ClientCertificates { authorities: certificates, issuer_is_last_ca });
        }
        let is_asked = terms != TlsTerms::default();
        Ok(is_asked.then(|| lookup.intern_tls_policy(TlsPolicy { origin: origin.clone(), terms: Arc::new(terms) })))
    }
}
