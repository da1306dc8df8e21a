//! Objects by name, for translation: those of the snapshot, certificates that have been read, and parts that are
//! interned.

use std::cell::RefCell;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::Options;
use super::certificate::CertificateCache;
use super::interner::Interner;
use super::report::Fault;
use super::slice_index::SliceIndex;
use crate::model::{
    Case, Certificate, CertificateId, Endpoint, Endpoints, ErrorPages, ForwardOptions, Pattern, PatternError, Pool,
    RewriteSet, TlsPolicy,
};
use crate::source::{Key, Snapshot};

/// Objects by name. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub(super) options: &'a Options,
    pub(super) snapshot: &'a Snapshot,
    pub(super) slices: &'a SliceIndex,
    pub(super) certificates: &'a RefCell<CertificateCache>,
    pub(super) interner: &'a RefCell<Interner>,
    /// The certificate for hosts that have none of their own.
    pub(super) default_certificate: Option<&'a CertificateId>,
}

impl<'a> Lookup<'a> {
    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        self.snapshot.services.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    /// The slices of a Service, by name.
    pub(super) fn slices(&self, namespace: &str, service: &str) -> impl Iterator<Item = (&'a Key, &'a EndpointSlice)> {
        let slices = &self.snapshot.endpoint_slices;
        let names = self.slices.slices_of(&Key::new(namespace, service));
        let keys = names.map(move |name| Key::new(namespace, name));
        keys.filter_map(move |key| slices.get_key_value(&key)).map(|(key, slice)| (key, &**slice))
    }

    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<&'a Pod> {
        self.snapshot.pods.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<&'a Secret> {
        self.snapshot.secrets.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    pub(super) fn config_map(&self, namespace: &str, name: &str) -> Option<&'a ConfigMap> {
        self.snapshot.config_maps.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    /// Endpoints equal to these, shared with other pools.
    pub(super) fn intern_endpoints(&self, endpoints: Vec<Endpoint>) -> Endpoints {
        self.interner.borrow_mut().endpoints(endpoints)
    }

    /// A pool equal to this one, shared under several identities.
    pub(super) fn intern_pool(&self, pool: Pool) -> Arc<Pool> {
        self.interner.borrow_mut().pool(pool)
    }

    /// Forward options equal to these, shared with other routes.
    pub(super) fn intern_options(&self, options: ForwardOptions) -> Arc<ForwardOptions> {
        self.interner.borrow_mut().options(options)
    }

    /// A set of rewrite rules equal to this one, shared with other routes.
    pub(super) fn intern_rewrites(&self, set: RewriteSet) -> Arc<RewriteSet> {
        self.interner.borrow_mut().rewrites(set)
    }

    /// Pages equal to these, shared with other routes.
    pub(super) fn intern_pages(&self, pages: ErrorPages) -> Arc<ErrorPages> {
        self.interner.borrow_mut().pages(pages)
    }

    /// A TLS policy equal to this one, shared with other hosts.
    pub(super) fn intern_tls_policy(&self, policy: TlsPolicy) -> Arc<TlsPolicy> {
        self.interner.borrow_mut().tls_policy(policy)
    }

    /// The pattern of a text, compiled once.
    pub(super) fn pattern(&self, text: &str, case: Case) -> Result<Pattern, PatternError> {
        self.interner.borrow_mut().pattern(text, case)
    }

    /// The identity of the certificate in a Secret, if the certificate can be used.
    pub(super) fn certificate(&self, namespace: &str, name: &str) -> Result<CertificateId, Fault> {
        self.certificates.borrow_mut().read(self.secret(namespace, name), namespace, name)
    }

    /// The certificate with an identity. It is read again if no host has shown it for a while and the cache has
    /// forgotten it.
    pub(super) fn usable(&self, id: &CertificateId) -> Option<Arc<Certificate>> {
        let (namespace, name) = id.0.split_once('/')?;
        let id = self.certificate(namespace, name).ok()?;
        self.certificates.borrow().get(&id)
    }
}
