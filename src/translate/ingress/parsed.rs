//! An Ingress as translation reads it: its hosts, paths, backends and settings. Plain data, which knows no other
//! object; `read` makes it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::acme;
use super::backend_ref::{BackendRef, BackendTarget};
use super::canary::CanaryShare;
use super::host_field::HostField;
use super::tls_hosts::{TlsHost, secret_field};
use crate::api::annotations::{AnnotationSettings, ObjectValue, SslRedirect};
use crate::model::{HostPattern, Kind, ObjectRef, PathMatch, Policies, Protocol, Redirect, RewriteSet, WebSocket};
use crate::report::Reason;
use crate::source::Key;
use crate::translate::claim::{Age, PortProtocol};
use crate::translate::class::{Class, ClassGateway, ClassOrigin, FrontendPorts, Parameters, annotation_field};
use crate::translate::refs::Refs;
use crate::translate::tls_profile::{NotSetUp, TlsProfile};

/// An Ingress that is served.
#[derive(Debug)]
pub(in crate::translate) struct ParsedIngress {
    pub(in crate::translate) owner: Arc<ObjectRef>,
    pub(super) created: Option<Time>,
    /// The settings of its annotations and those of its class. Ingresses with equal settings share them.
    pub(super) settings: Arc<AnnotationSettings>,
    /// The part of the settings that is for WebSocket sessions, with defaults.
    pub(super) websocket: Arc<WebSocket>,
    /// What else may happen to its requests on their way.
    pub(super) policies: Option<Arc<Policies>>,
    /// What it asks for if it is the canary of another Ingress. It then has no hosts of its own.
    pub(super) canary: Option<Box<CanaryShare>>,
    /// Where all of its requests are redirected, if they are.
    pub(super) redirect: Option<Arc<Redirect>>,
    /// What is rewritten of the requests for each backend; empty where nothing is.
    pub(super) rewrites: Box<[Option<Arc<RewriteSet>>]>,
    /// Its class, whose defaults hold.
    pub(super) class: Arc<Class>,
    /// The ports on which it is served.
    pub(super) ports: FrontendPorts,
    /// Why all of its paths are closed, if they are.
    pub(super) closed: Option<Reason>,
    /// Hosts of its rules, each once and in the order of the rules, with the field that first names it.
    pub(super) hosts: Box<[(HostPattern, HostField)]>,
    /// Whether its default backend also serves hosts that no rule names.
    pub(super) catches_all: bool,
    /// The paths of its rules for each of their hosts, and the default backend for each host.
    pub(super) paths: Box<[IngressPath]>,
    /// The backends of the paths: one for each path of a rule, and the default backend.
    pub(super) backends: Box<[BackendRef]>,
    /// `spec.tls`, or the annotation in its place, if it has either. It is in a box, since most Ingresses have none.
    pub(super) tls: Option<Box<TlsEntries>>,
}

/// `spec.tls`, as read. The annotation that names a certificate for all hosts is one entry, without a Secret of its own.
#[derive(Debug)]
pub(super) struct TlsEntries {
    /// The hosts that the entries cover.
    pub(super) hosts: Box<[TlsHost]>,
    /// The name of each entry's Secret; empty for the annotation.
    pub(super) secrets: Box<[Option<Box<str>>]>,
    /// The Secret for entries that name none: an element of the class's ApplicationGateway.
    pub(super) fallback: Option<Key>,
}

/// A Secret, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SecretName<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// One path of one host. The two indexes take 8 bytes together (they would take 24 as `usize`), since there is one of
/// these for each route.
#[derive(Debug)]
pub(super) struct IngressPath {
    /// `None`: the hosts that no rule names.
    host: Option<HostIndex>,
    backend: u32,
    pub(super) path: PathMatch,
}

/// An index in [`ParsedIngress::hosts`]. It is kept as one more than it is, so that `Option<HostIndex>` takes 4 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostIndex(NonZeroU32);

impl HostIndex {
    pub(super) fn new(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(narrow(index)))
    }

    fn get(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl IngressPath {
    /// The path of a host, or of all hosts that no rule names; `backend` is an index in [`ParsedIngress::backends`].
    pub(super) fn new(host: Option<HostIndex>, path: PathMatch, backend: usize) -> Self {
        Self { host, backend: narrow(backend), path }
    }

    /// The index of its backend in [`ParsedIngress::backends`].
    pub(super) fn backend(&self) -> usize {
        self.backend as usize
    }
}

/// An index within an Ingress, in 4 bytes.
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("an Ingress of 1.5 MiB, which is etcd's limit, has fewer elements")
}

impl ParsedIngress {
    /// Time for the header of a backend's answer.
    pub(super) fn request_timeout(&self) -> Duration {
        self.settings.request_timeout.unwrap_or_else(|| self.class.origin.request_timeout())
    }

    /// The ApplicationGateway that the parameters of its class name.
    pub(super) fn gateway(&self) -> Option<&ClassGateway> {
        self.class.parameters.gateway()
    }

    /// Whether it is served on this port, for this protocol.
    pub(super) fn is_on(&self, at: PortProtocol) -> bool {
        let FrontendPorts { http, https } = self.ports;
        Some(at.port)
            == match at.protocol {
                Protocol::Http => http,
                Protocol::Https => https,
                Protocol::Tcp | Protocol::Tls => None,
            }
    }

    /// Its ports with their protocols.
    pub(super) fn frontends(&self) -> impl Iterator<Item = PortProtocol> {
        let FrontendPorts { http, https } = self.ports;
        let http = http.map(|port| PortProtocol { port, protocol: Protocol::Http });
        http.into_iter().chain(https.map(|port| PortProtocol { port, protocol: Protocol::Https }))
    }

    /// Whether a path of a host is not for clear text, since its class is AGIC's: there, a host with TLS has no HTTP listener
    /// unless it redirects. The challenge of a certificate authority comes in clear text.
    pub(super) fn is_tls_only(&self, host: &HostPattern, path: &PathMatch) -> bool {
        self.class.origin == ClassOrigin::Agic
            && matches!(self.settings.redirect, None | Some(SslRedirect::Off))
            && self.settings.force_redirect != Some(true)
            && self.settings.allow_http != Some(true)
            && self.tls_hosts().iter().any(|covered| covered.host == *host)
            && !acme::is_challenge(path)
    }

    /// Whether it answers anything but 404 in clear text for a host.
    pub(super) fn serves_clear_text(&self, host: &HostPattern) -> bool {
        self.serves(host)
            && (self.class.origin != ClassOrigin::Agic
                || self.paths_of(host).any(|path| !self.is_tls_only(host, &path.path)))
    }

    /// The paths of a host.
    pub(super) fn paths_of(&self, host: &HostPattern) -> impl Iterator<Item = &IngressPath> {
        self.paths.iter().filter(move |path| self.host_of(path) == host)
    }

    /// The age of the Ingress, which decides conflicts.
    pub(in crate::translate) fn age(&self) -> Age<'_> {
        Age::of(self.created.as_ref(), &self.owner)
    }

    /// The host of a path.
    pub(super) fn host_of(&self, path: &IngressPath) -> &HostPattern {
        path.host.and_then(|index| self.hosts.get(index.get())).map_or(&HostPattern::Any, |(host, _)| host)
    }

    /// The backend of a path.
    pub(super) fn backend_of(&self, path: &IngressPath) -> &BackendRef {
        &self.backends[path.backend()]
    }

    /// What is rewritten of the requests of a path.
    pub(super) fn rewrites_of(&self, path: &IngressPath) -> Option<&Arc<RewriteSet>> {
        self.rewrites.get(path.backend())?.as_ref()
    }

    /// The field that names a host. `None`: no field does; the default backend may serve it nevertheless.
    pub(super) fn field_of(&self, host: &HostPattern) -> Option<HostField> {
        self.hosts.iter().find(|(named, _)| named == host).map(|(_, field)| *field)
    }

    /// Whether it has routes for a host.
    pub(super) fn serves(&self, host: &HostPattern) -> bool {
        self.catches_all && *host == HostPattern::Any || self.field_of(host).is_some()
    }

    /// The hosts that it serves or covers by `spec.tls`: those that may change when the Ingress does.
    pub(super) fn all_hosts(&self) -> BTreeSet<HostPattern> {
        let any = self.catches_all.then_some(&HostPattern::Any);
        let named = self.hosts.iter().map(|(host, _)| host);
        named.chain(self.tls_hosts().iter().map(|covered| &covered.host)).chain(any).cloned().collect()
    }

    /// The hosts that the entries of `spec.tls` cover.
    pub(super) fn tls_hosts(&self) -> &[TlsHost] {
        self.tls.as_ref().map_or(&[], |tls| &tls.hosts)
    }

    /// The Secret of an entry of `spec.tls`.
    pub(super) fn tls_secret(&self, entry: usize) -> Option<SecretName<'_>> {
        let tls = self.tls.as_ref()?;
        let own = tls.secrets.get(entry).and_then(Option::as_deref);
        let own = own.map(|name| SecretName { namespace: self.owner.namespace(), name });
        own.or(tls.fallback.as_ref().map(|key| SecretName { namespace: key.namespace(), name: key.name() }))
    }

    /// The field that names the Secret of an entry of `spec.tls`.
    pub(super) fn tls_field(&self, entry: usize) -> String {
        if self.tls.as_ref().is_some_and(|tls| tls.secrets.is_empty()) {
            return annotation_field("appgw.ingress.kubernetes.io/appgw-ssl-certificate");
        }
        secret_field(entry)
    }

    /// Everything that it refers to, wherever it is written. What is not in it is neither fetched from a cluster nor
    /// followed when it changes.
    pub(super) fn refs(&self) -> Refs {
        let key = |name: &str| Key::new(self.owner.namespace(), name);
        let services = self.backends.iter().filter_map(|backend| match &*backend.target {
            BackendTarget::Service(name, _) => Some(key(name)),
            BackendTarget::Resource | BackendTarget::Nothing => None,
        });
        let tls = self.tls.iter();
        let secrets = tls.clone().flat_map(|tls| &tls.secrets).flatten().map(|name| key(name));
        let fallback = tls.filter_map(|tls| tls.fallback.clone());
        let (root_secrets, root_maps): (Vec<&ObjectRef>, _) =
            self.trusted_roots().partition(|root| root.kind == Kind::Secret);
        let token = self.settings.token.as_deref();
        let object = |value: Option<&ObjectValue>| value.map(|value| key(&value.name));
        let token_secret = token.and_then(|token| object(token.keys_secret.as_ref()));
        let token_map = token.and_then(|token| object(token.keys_config_map.as_ref()));
        let (ca_secrets, ca_maps): (Vec<&ObjectRef>, _) = self
            .tls_profile()
            .into_iter()
            .flatten()
            .flat_map(TlsProfile::objects)
            .partition(|object| object.kind == Kind::Secret);
        let pages = self.gateway().into_iter().flat_map(|gateway| gateway.pages.config_maps()).cloned();
        let roots = |roots: Vec<&ObjectRef>| roots.into_iter().map(|root| root.key.clone()).collect::<Vec<_>>();
        Refs {
            services: services.collect(),
            secrets: secrets
                .chain(fallback)
                .chain(roots(root_secrets))
                .chain(roots(ca_secrets))
                .chain(token_secret)
                .collect(),
            config_maps: roots(root_maps).into_iter().chain(roots(ca_maps)).chain(token_map).chain(pages).collect(),
            application_gateways: self.class.parameters.gateway_key().cloned().into_iter().collect(),
            azure_rewrites: self.settings.agic.rewrite_resource.iter().map(|name| key(name)).collect(),
        }
    }

    /// What the connections of its hosts over TLS must be like. `Ok(None)`: its class has no ApplicationGateway.
    ///
    /// # Errors
    /// It can't be set up, which closes the Ingress.
    pub(super) fn tls_profile(&self) -> Result<Option<&TlsProfile>, NotSetUp> {
        let profile = match (&self.class.parameters, &self.settings.agic.ssl_profile) {
            (Parameters::None, None) => return Ok(None),
            (Parameters::Gateway(gateway), None) => gateway.tls.default.as_ref(),
            (Parameters::Gateway(gateway), Some(name)) => gateway.tls.named.get(name).and_then(Option::as_ref),
            (Parameters::None | Parameters::Broken(_), _) => None,
        };
        profile.map(Some).ok_or(NotSetUp)
    }

    /// The Secrets and ConfigMaps with the CA certificates that verify its backends, as far as its class has them.
    fn trusted_roots(&self) -> impl Iterator<Item = &ObjectRef> {
        let names = self.settings.agic.trusted_roots.iter();
        names.filter_map(|name| self.gateway()?.roots.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_eight_bytes_beside_its_condition() {
        assert_eq!(size_of::<IngressPath>(), 8 + size_of::<PathMatch>());
        assert_eq!(HostIndex::new(0).get(), 0);
        assert_eq!(HostIndex::new(7).get(), 7);
    }
}
