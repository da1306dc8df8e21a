//! What an ApplicationGateway gives to the Ingresses of a class whose parameters name it. Plain data: the language of
//! ApplicationGateways makes it, and the language of Ingresses uses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::annotations::AnnotationSettings;
use crate::api::application_gateway::RewriteRuleSet;
use crate::model::{ObjectRef, Probe, TlsPolicy};
use crate::source::Key;
use crate::translate::error_page::PageRefs;
use crate::translate::tls_profile::TlsProfile;

/// The defaults of the Ingresses of a class, and the elements that their annotations may name.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::translate) struct ClassGateway {
    /// The ApplicationGateway.
    pub(in crate::translate) object: ObjectRef,
    /// The ports of its first listener of each protocol.
    pub(in crate::translate) ports: FrontendPorts,
    /// The Secret of the certificate of its first listener of protocol Https, for hosts of `spec.tls` that name none.
    pub(in crate::translate) certificate: Option<Key>,
    /// Its first settings, as annotations would have them.
    pub(in crate::translate) settings: Arc<AnnotationSettings>,
    /// The probe of its first settings, or else its first probe: for backends whose pods declare none.
    pub(in crate::translate) probe: Option<Probe>,
    /// The Secrets of `sslCertificates`, by their names.
    pub(in crate::translate) certificates: BTreeMap<String, Key>,
    /// The Secrets and ConfigMaps of `trustedRootCertificates`, by their names.
    pub(in crate::translate) roots: BTreeMap<String, ObjectRef>,
    /// Its `rewriteRuleSets`, by their names. They are read where an Ingress names them.
    pub(in crate::translate) rewrites: BTreeMap<String, ClassRewrites>,
    /// Its pages for errors.
    pub(in crate::translate) pages: ClassPages,
    /// What it asks of connections.
    pub(in crate::translate) tls: ClassTls,
    /// Its `frontendIPConfigurations`.
    pub(in crate::translate) frontends: ClassFrontends,
}

/// What a gateway asks of the connections of the class's Ingresses.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::translate) struct ClassTls {
    /// In clear text.
    pub(in crate::translate) clear_text: Option<Arc<TlsPolicy>>,
    /// Over TLS, as its first listener of protocol Https asks for it. `None`: it can't be set up.
    pub(in crate::translate) default: Option<TlsProfile>,
    /// Its `sslProfiles`, by their names. `None`: it can't be set up.
    pub(in crate::translate) named: BTreeMap<String, Option<TlsProfile>>,
}

/// A set of rewrite rules, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::translate) struct ClassRewrites {
    /// Its field: `spec.rewriteRuleSets[0]`.
    pub(in crate::translate) field: String,
    pub(in crate::translate) set: RewriteRuleSet,
}

/// Where the pages for errors are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::translate) struct ClassPages {
    /// Those of the gateway, for all listeners.
    pub(in crate::translate) gateway: PageRefs,
    /// Those of its first listener of protocol Http, which go before.
    pub(in crate::translate) http: PageRefs,
    /// Those of its first listener of protocol Https, which go before.
    pub(in crate::translate) https: PageRefs,
}

impl ClassPages {
    /// The ConfigMaps that have them.
    pub(in crate::translate) fn config_maps(&self) -> impl Iterator<Item = &Key> {
        let Self { gateway, http, https } = self;
        gateway.values().chain(http.values()).chain(https.values()).map(|page| &page.map.key)
    }
}

/// The kinds of addresses that a gateway listens on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::translate) struct ClassFrontends {
    /// Whether some are private.
    pub(in crate::translate) has_private: bool,
    /// Whether some are public.
    pub(in crate::translate) has_public: bool,
}

/// The frontend ports of an Ingress. `None`: it is not served over that protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::translate) struct FrontendPorts {
    /// The port that serves in clear text.
    pub(in crate::translate) http: Option<u16>,
    /// The port that serves over TLS.
    pub(in crate::translate) https: Option<u16>,
}

impl Default for FrontendPorts {
    fn default() -> Self {
        Self { http: Some(80), https: Some(443) }
    }
}
