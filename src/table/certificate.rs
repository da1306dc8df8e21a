//! Which certificate a TLS client is shown: by server name (SNI, RFC 6066 section 3).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::model::{Certificate, CertificateId, HostPattern};

/// A certificate, ready to be shown.
#[derive(Debug)]
pub struct ServedCertificate {
    /// Where it came from.
    pub id: CertificateId,
    /// For rustls.
    pub key: Arc<CertifiedKey>,
}

impl ServedCertificate {
    /// Reads the PEM of `certificate`.
    ///
    /// # Errors
    /// It does not parse, or key and certificate do not belong together. The message holds no key material.
    pub fn new(id: &CertificateId, certificate: &Certificate) -> Result<Self, String> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.chain.expose())
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the chain is not PEM: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(certificate.key.expose())
            .map_err(|_| "the key is not a PEM private key".to_owned())?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| format!("certificate and key can't be used: {error}"))?;
        Ok(Self { id: id.clone(), key: Arc::new(key) })
    }
}

/// The certificates of a listener.
#[derive(Debug)]
pub struct Certificates {
    exact: HashMap<String, Arc<ServedCertificate>>,
    single_label: HashMap<String, Arc<ServedCertificate>>,
    globs: Vec<(HostPattern, Arc<ServedCertificate>)>,
    default: Option<Arc<ServedCertificate>>,
}

impl Certificates {
    pub(super) fn new(default: Option<Arc<ServedCertificate>>) -> Self {
        Self { exact: HashMap::new(), single_label: HashMap::new(), globs: Vec::new(), default }
    }

    pub(super) fn insert(&mut self, host: &HostPattern, certificate: Arc<ServedCertificate>) {
        match host {
            HostPattern::Exact(name) => drop(self.exact.insert(name.clone(), certificate)),
            HostPattern::SingleLabel(parent) => drop(self.single_label.insert(parent.clone(), certificate)),
            HostPattern::Glob(_) => self.globs.push((host.clone(), certificate)),
            HostPattern::Any => self.default = Some(certificate),
        }
    }

    /// The certificate for a server name (lower case), or for a client that names none.
    pub fn find(&self, name: Option<&str>) -> Option<&Arc<ServedCertificate>> {
        let named = name.and_then(|name| self.exact.get(name).or_else(|| self.find_wildcard(name)));
        named.or(self.default.as_ref())
    }

    /// In the order of precedence that routes have, so that a host is shown the certificate of those who serve it.
    fn find_wildcard(&self, name: &str) -> Option<&Arc<ServedCertificate>> {
        let single =
            name.split_once('.').and_then(|(_, parent)| Some((parent.len() + 1, self.single_label.get(parent)?)));
        let globs = self.globs.iter().filter(|(pattern, _)| pattern.matches(name));
        let globs = globs.map(|(pattern, found)| (pattern.literal_length(), found));
        single.into_iter().chain(globs).min_by_key(|(literal, _)| Reverse(*literal)).map(|(_, found)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(name: &str) -> Arc<ServedCertificate> {
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).expect("generated");
        let certificate = Certificate {
            chain: crate::model::SecretBytes::new(pair.cert.pem().as_bytes()),
            key: crate::model::SecretBytes::new(pair.signing_key.serialize_pem().as_bytes()),
        };
        Arc::new(ServedCertificate::new(&CertificateId(name.to_owned()), &certificate).expect("served"))
    }

    #[test]
    fn a_host_is_shown_the_certificate_of_those_whose_route_takes_it() {
        let mut certificates = Certificates::new(Some(served("default")));
        let hosts = [
            (HostPattern::ingress("a.foo.com"), "exact"),
            (HostPattern::ingress("*.foo.com"), "label"),
            (HostPattern::gateway("abc*.foo.com"), "glob"),
        ];
        for (host, name) in hosts {
            certificates.insert(&host.expect("a host"), served(name));
        }
        let shown = |name| certificates.find(name).map(|found| found.id.0.as_str());
        assert_eq!(shown(Some("a.foo.com")), Some("exact"));
        assert_eq!(shown(Some("b.foo.com")), Some("label"));
        assert_eq!(shown(Some("abcd.foo.com")), Some("glob"));
        assert_eq!(shown(Some("abc.x.foo.com")), Some("glob"));
        assert_eq!(shown(Some("other.com")), Some("default"));
        assert_eq!(shown(None), Some("default"));
    }
}
