//! Which certificate a TLS client is shown: by server name (SNI, RFC 6066 section 3).

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
        let named = name.and_then(|name| {
            let parent = name.split_once('.').map(|(_, parent)| parent);
            let globs = self.globs.iter().filter(|(pattern, _)| pattern.matches(name));
            self.exact
                .get(name)
                .or_else(|| self.single_label.get(parent?))
                .or_else(|| globs.max_by_key(|(pattern, _)| pattern.literal_length()).map(|(_, found)| found))
        });
        named.or(self.default.as_ref())
    }
}
