//! The TLS policies of hosts, ready to be followed in handshakes.

use std::sync::{Arc, OnceLock, Weak};

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;

use super::{ListenerTable, Target};
use crate::model::{TlsPolicy, TlsTerms};

/// What a policy asks of a connection, with the configuration that is made of it for one port. It lives on in the next tables as long as
/// a host of the port asks for equal terms. Its tickets are its own: no session that was opened on other terms is resumed on these.
#[derive(Debug)]
pub struct ServedTls {
    /// What it asks for.
    pub terms: Arc<TlsTerms>,
    config: OnceLock<Option<TlsConfig>>,
}

/// How the handshakes of a policy are answered.
#[derive(Debug)]
pub struct TlsConfig {
    /// The configuration of rustls.
    pub server: Arc<ServerConfig>,
    /// Who verifies the certificates of clients. `None`: they are not asked for any.
    pub verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl ServedTls {
    /// The configuration. `make` is called for the first handshake alone. `None`: none can be made.
    pub fn config(&self, make: impl FnOnce(&TlsTerms) -> Option<TlsConfig>) -> Option<&TlsConfig> {
        self.config.get_or_init(|| make(&self.terms)).as_ref()
    }
}

/// The different policies of a port. A port has few.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsPolicies(Vec<Weak<ServedTls>>);

impl TlsPolicies {
    /// Forgets those that no host has any more.
    pub(super) fn sweep(&mut self) {
        self.0.retain(|policy| policy.strong_count() > 0);
    }

    /// The policy with these terms. Equal terms give the same one.
    pub(super) fn shared(&mut self, terms: &Arc<TlsTerms>) -> Arc<ServedTls> {
        let known = self.0.iter().filter_map(Weak::upgrade).find(|policy| policy.terms == *terms);
        known.unwrap_or_else(|| {
            let policy = Arc::new(ServedTls { terms: Arc::clone(terms), config: OnceLock::new() });
            self.0.push(Arc::downgrade(&policy));
            policy
        })
    }
}

impl ListenerTable {
    /// Whether a host of the listener has a policy. If not, there is nothing to look up.
    pub fn has_tls_policies(&self) -> bool {
        !self.tls_policies.0.is_empty()
    }

    /// The policy for connections that name this host (lower case), or none: that of the host whose certificate they are shown.
    pub fn tls_policy(&self, name: Option<&str>) -> Option<&Arc<ServedTls>> {
        let named = |name: &str| self.exact.get(name).or_else(|| self.wildcards(name).next());
        name.and_then(named).or(self.any.as_ref())?.tls.as_ref()
    }

    /// What the host that a route belongs to asks of connections, and who asked for it.
    pub fn tls_policy_asked_of(&self, target: &Target) -> Option<&TlsPolicy> {
        self.host(target.host())?.host.tls.as_deref()
    }

    /// The policy of the host that a route belongs to.
    pub fn tls_policy_of(&self, target: &Target) -> Option<&Arc<ServedTls>> {
        self.host(target.host())?.tls.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use imbl::OrdMap;

    use super::*;
    use crate::model::{Host, HostPattern, Kind, Listener, Model, ObjectRef, PolicyOrigin, Protocol};
    use crate::table::{RoutingTable, compile};

    fn host(http2: Option<bool>) -> Arc<Host> {
        let owner = Arc::new(ObjectRef::new(Kind::ApplicationGateway, "default", "edge"));
        let tls = http2.map(|http2| {
            let origin = PolicyOrigin { owner, field: "spec".into() };
            Arc::new(TlsPolicy { origin, terms: Arc::new(TlsTerms { http2, ..TlsTerms::default() }) })
        });
        Arc::new(Host { certificate: None, tls, routes: Vec::new() })
    }

    fn model(hosts: &[(HostPattern, Option<bool>)]) -> Model {
        let hosts = hosts.iter().map(|(pattern, http2)| (pattern.clone(), host(*http2))).collect();
        let listener = Listener { protocol: Protocol::Https, hosts, default_certificate: None };
        Model { listeners: BTreeMap::from([(443, listener)]), ..Model::default() }
    }

    fn policy(table: &RoutingTable, name: Option<&str>) -> Option<Arc<ServedTls>> {
        table.listener(443).and_then(|listener| listener.tls_policy(name)).cloned()
    }

    #[test]
    fn a_connection_has_the_policy_of_the_host_that_it_names() {
        let exact = |name: &str| HostPattern::Exact(name.into());
        let table = compile(
            &model(&[
                (exact("a.example"), Some(false)),
                (exact("plain.example"), None),
                (HostPattern::gateway("*.example").expect("a host"), Some(true)),
                (HostPattern::Any, Some(false)),
            ]),
            1,
            &OrdMap::new(),
        );
        let http2 = |name| policy(&table, name).map(|policy| policy.terms.http2);
        assert_eq!(http2(Some("a.example")), Some(false));
        assert_eq!(http2(Some("b.example")), Some(true));
        assert_eq!(http2(Some("plain.example")), None, "a wider host's policy is not its own");
        assert_eq!(http2(Some("other.test")), Some(false));
        assert_eq!(http2(None), Some(false));
    }

    #[test]
    fn equal_terms_are_one_policy_also_in_the_next_table() {
        let exact = |name: &str, http2| (HostPattern::Exact(name.into()), http2);
        let first = compile(&model(&[exact("a", Some(false)), exact("b", Some(false))]), 1, &OrdMap::new());
        let before = policy(&first, Some("a")).expect("a policy");
        assert!(Arc::ptr_eq(&before, &policy(&first, Some("b")).expect("a policy")));
        let second = first.update(&model(&[exact("a", Some(true)), exact("b", Some(false))]), 2, &OrdMap::new());
        assert!(!Arc::ptr_eq(&before, &policy(&second, Some("a")).expect("a policy")), "new terms, new tickets");
        assert!(Arc::ptr_eq(&before, &policy(&second, Some("b")).expect("a policy")));
        drop((first, before));
        let none = second.update(&model(&[exact("a", None)]), 3, &OrdMap::new());
        drop(second);
        let none = none.update(&model(&[exact("a", None)]), 4, &OrdMap::new());
        assert!(!none.listener(443).expect("a listener").has_tls_policies());
    }
}
