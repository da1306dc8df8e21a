//! An Ingress as translation reads it: its hosts, paths, backends and settings. Plain data, which knows no other
//! object; `read` makes it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::backend_ref::{BackendRef, BackendTarget};
use super::host_field::HostField;
use super::tls_hosts::TlsHost;
use crate::api::annotations::{AnnotationSettings, ObjectValue};
use crate::model::{HostPattern, ObjectRef, PathMatch, Policies, WebSocket};
use crate::source::Key;
use crate::translate::claim::Age;
use crate::translate::refs::Refs;
use crate::translate::websocket;

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
    /// Whether its class is taken over from ingress-nginx, whose defaults then hold.
    pub(super) ingress_nginx: bool,
    /// Hosts of its rules, each once and in the order of the rules, with the field that first names it.
    pub(super) hosts: Box<[(HostPattern, HostField)]>,
    /// Whether its default backend also serves hosts that no rule names.
    pub(super) catches_all: bool,
    /// The paths of its rules for each of their hosts, and the default backend for each host.
    pub(super) paths: Box<[IngressPath]>,
    /// The backends of the paths: one for each path of a rule, and the default backend.
    pub(super) backends: Box<[BackendRef]>,
    /// `spec.tls`, if it has entries. It is in a box, since most Ingresses have none.
    pub(super) tls: Option<Box<TlsEntries>>,
}

/// `spec.tls`, as read.
#[derive(Debug)]
pub(super) struct TlsEntries {
    /// The hosts that the entries cover.
    pub(super) hosts: Box<[TlsHost]>,
    /// The name of each entry's Secret.
    pub(super) secrets: Box<[Option<Box<str>>]>,
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
        websocket::request_timeout(&self.settings, self.ingress_nginx)
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

    /// The name of the Secret of an entry of `spec.tls`.
    pub(super) fn tls_secret(&self, entry: usize) -> Option<&str> {
        self.tls.as_ref()?.secrets.get(entry)?.as_deref()
    }

    /// Everything that it refers to, wherever it is written. What is not in it is neither fetched from a cluster nor
    /// followed when it changes.
    pub(super) fn refs(&self) -> Refs {
        let key = |name: &str| Key::new(self.owner.namespace(), name);
        let services = self.backends.iter().filter_map(|backend| match &*backend.target {
            BackendTarget::Service(name, _) => Some(key(name)),
            BackendTarget::Resource | BackendTarget::Nothing => None,
        });
        let token = self.settings.token.as_deref();
        let object = |value: Option<&ObjectValue>| value.map(|value| key(&value.name));
        let secrets = self.tls.iter().flat_map(|tls| &tls.secrets).flatten().map(|name| key(name));
        Refs {
            services: services.collect(),
            secrets: secrets.chain(token.and_then(|token| object(token.keys_secret.as_ref()))).collect(),
            config_maps: token.and_then(|token| object(token.keys_config_map.as_ref())).into_iter().collect(),
        }
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
