//! The certificate that a TLS client is shown, by server name (SNI, RFC 6066 section 3).

use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::ListenerTable;
use crate::model::{Certificate, CertificateId, Protocol};

/// A certificate that is ready to be shown.
#[derive(Debug)]
pub struct ServedCertificate {
    /// Identity in the model.
    pub id: CertificateId,
    /// Chain and key, as rustls takes them.
    pub key: Arc<CertifiedKey>,
}

impl ServedCertificate {
    /// Loads the key of `certificate`. The certificate itself is shown as it is: clients judge it.
    ///
    /// # Errors
    /// The key can't be used. The message holds no key material.
    pub fn new(id: &CertificateId, certificate: &Certificate) -> Result<Self, String> {
        let Certificate { chain, key } = certificate;
        let chain = chain.iter().map(|der| CertificateDer::from(der.expose().to_vec())).collect();
        let key =
            PrivateKeyDer::try_from(key.expose().to_vec()).map_err(|_| "the key is of no known form".to_owned())?;
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(key);
        let key = key.map_err(|error| format!("the key can't be used: {error}"))?;
        Ok(Self { id: id.clone(), key: Arc::new(CertifiedKey::new(chain, key)) })
    }

    /// Whether a client that was shown one has been shown the other, whichever Secret each is from.
    fn is_same(&self, other: &Self) -> bool {
        self.id == other.id || self.key.cert.first() == other.key.cert.first()
    }

    /// The namespace of its Secret.
    fn namespace(&self) -> &str {
        self.id.0.split('/').next().unwrap_or_default()
    }
}

/// All certificates of a table. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Certificates {
    /// The certificates of the model that they were parsed from.
    read: OrdMap<CertificateId, Arc<Certificate>>,
    pub(super) served: OrdMap<CertificateId, Arc<ServedCertificate>>,
}

impl Certificates {
    /// Parses the certificates of a model; those that have not changed are shared.
    pub(super) fn update(&self, certificates: &OrdMap<CertificateId, Arc<Certificate>>) -> Self {
        let mut served = self.served.clone();
        for change in self.read.diff(certificates) {
            let (id, made) = match change {
                DiffItem::Add(id, certificate) | DiffItem::Update { new: (id, certificate), .. } => {
                    (id, ServedCertificate::new(id, certificate).map(Some))
                }
                DiffItem::Remove(id, _) => (id, Ok(None)),
            };
            let made = made.unwrap_or_else(|error| {
                tracing::error!(certificate = %id, %error, "certificate can't be served");
                None
            });
            match made {
                Some(certificate) => served.insert(id.clone(), Arc::new(certificate)),
                None => served.remove(id),
            };
        }
        Self { read: certificates.clone(), served }
    }
}

impl ListenerTable {
    /// Whether what a client was shown, who asked for `server_name`, is what `host` shows, so that the client's connection may ask
    /// for `host`. A client that sent no server name can't be shown more than a default: that of the gateway is for all hosts, that
    /// of a listener for the hosts of its namespace.
    pub fn is_shown_for(&self, server_name: Option<&str>, host: &str) -> bool {
        if self.protocol == Protocol::Http || server_name == Some(host) {
            return true;
        }
        match (self.certificate(server_name), self.certificate(Some(host))) {
            (Some(shown), Some(wanted)) if server_name.is_some() => shown.is_same(wanted),
            (Some(shown), Some(wanted)) => {
                Some(&shown.id) == self.fallback_certificate.as_ref() || shown.namespace() == wanted.namespace()
            }
            (shown, wanted) => shown.is_none() && wanted.is_none(),
        }
    }

    /// The certificate for a server name (lower case), or for a client that sends none.
    pub fn certificate(&self, name: Option<&str>) -> Option<&Arc<ServedCertificate>> {
        let of = |id: &Option<CertificateId>| self.certificates.get(id.as_ref()?);
        // In the precedence of the routes, so that a client is shown the certificate of the host that takes its requests. One that has
        // none is not shown under that of a wider host, which may be another tenant's.
        let named = |name: &str| self.exact.get(name).or_else(|| self.wildcards(name).next());
        let shown = match name.and_then(named) {
            Some(routes) => of(&routes.host.certificate),
            None => of(&self.default_certificate),
        };
        shown.or_else(|| of(&self.fallback_certificate))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Host, HostPattern, Listener, Model, SecretBytes};
    use crate::table::{RoutingTable, compile};

    fn certificate() -> Arc<Certificate> {
        let pair = rcgen::generate_simple_self_signed(["a.foo.com".to_owned()]).expect("generated");
        Arc::new(Certificate {
            chain: vec![SecretBytes::new(pair.cert.der())],
            key: SecretBytes::new(&pair.signing_key.serialize_der()),
        })
    }

    fn id(name: &str) -> CertificateId {
        CertificateId(name.to_owned())
    }

    /// A listener with a certificate of its own for each of these hosts, and one for all others.
    fn model(hosts: &[(HostPattern, &str)]) -> Model {
        let host = |(pattern, name): &(HostPattern, &str)| {
            (pattern.clone(), Arc::new(Host { certificate: Some(id(name)), tls: None, routes: Vec::new() }))
        };
        let names = hosts.iter().map(|(_, name)| *name).chain(["default"]);
        let listener = Listener {
            protocol: Protocol::Https,
            hosts: hosts.iter().map(host).collect(),
            default_certificate: Some(id("default")),
        };
        Model {
            listeners: BTreeMap::from([(443, listener)]),
            certificates: names.map(|name| (id(name), certificate())).collect(),
            ..Model::default()
        }
    }

    fn shown<'t>(table: &'t RoutingTable, name: Option<&str>) -> Option<&'t Arc<ServedCertificate>> {
        table.listener(443).and_then(|listener| listener.certificate(name))
    }

    #[test]
    fn a_host_is_shown_the_certificate_of_those_whose_route_takes_it() {
        let table = compile(
            &model(&[
                (HostPattern::ingress("a.foo.com").expect("a host"), "exact"),
                (HostPattern::ingress("*.foo.com").expect("a host"), "label"),
                (HostPattern::gateway("abc*.foo.com").expect("a host"), "glob"),
            ]),
            1,
            &OrdMap::new(),
        );
        for (name, expected) in [
            (Some("a.foo.com"), "exact"),
            (Some("b.foo.com"), "label"),
            (Some("abcd.foo.com"), "glob"),
            (Some("abc.x.foo.com"), "glob"),
            (Some("other.com"), "default"),
            (None, "default"),
        ] {
            assert_eq!(shown(&table, name).map(|found| found.id.0.as_str()), Some(expected), "{name:?}");
        }
    }

    #[test]
    fn copies_of_a_certificate_are_the_same_whatever_secret_they_are_from() {
        let (one, other) = (certificate(), certificate());
        let served = |name, certificate| ServedCertificate::new(&id(name), certificate).expect("usable");
        assert!(served("a", &one).is_same(&served("b", &one)));
        assert!(!served("a", &one).is_same(&served("b", &other)));
    }

    #[test]
    fn a_client_without_a_server_name_gets_the_hosts_of_whose_default_it_was_shown() {
        let mut model = model(&[]);
        let own = Host { certificate: Some(id("a/own")), tls: None, routes: Vec::new() };
        model
            .certificates
            .extend(["a/own", "a/default", "b/default", "gate/default"].map(|name| (id(name), certificate())));
        let listener = model.listeners.get_mut(&443).expect("there");
        listener.hosts.insert(HostPattern::Exact("a.example".into()), Arc::new(own));
        let mut is_shown = |listeners: Option<&str>, gateways: Option<&str>| {
            model.listeners.get_mut(&443).expect("there").default_certificate = listeners.map(id);
            model.default_certificate = gateways.map(id);
            let table = compile(&model, 1, &OrdMap::new());
            table.listener(443).is_some_and(|listener| listener.is_shown_for(None, "a.example"))
        };
        assert!(is_shown(Some("a/default"), None));
        assert!(!is_shown(Some("b/default"), None));
        assert!(!is_shown(Some("b/default"), Some("gate/default")));
        assert!(is_shown(None, Some("gate/default")));
    }

    #[test]
    fn one_that_has_not_changed_is_not_made_again() {
        let mut model = model(&[(HostPattern::Exact("a".into()), "a"), (HostPattern::Exact("b".into()), "b")]);
        let before = compile(&model, 1, &OrdMap::new());
        model.certificates.insert(id("a"), certificate());
        model.certificates.remove(&id("default"));
        let after = before.update(&model, 2, &OrdMap::new());
        let same = |name| match (shown(&before, name), shown(&after, name)) {
            (Some(before), Some(after)) => Some(Arc::ptr_eq(before, after)),
            _ => None,
        };
        assert_eq!([same(Some("a")), same(Some("b")), same(None)], [Some(false), Some(true), None]);
    }
}
