//! Server certificates from Secrets (type kubernetes.io/tls), with a cache. The key of a certificate that comes from here can
//! be used, and belongs to it. What else a certificate is like, its clients judge.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

use super::pem::{self, PemProblem};
use super::report::Fault;
use super::x509::Leaf;
use crate::model::{Certificate, CertificateId, SecretBytes};
use crate::report::Reason;
use crate::source::Key;

/// The certificates that can be used and have been read since their Secret changed.
#[derive(Debug, Default)]
pub(super) struct CertificateCache {
    certificates: BTreeMap<CertificateId, Arc<Certificate>>,
    /// Certificates whose Secret has changed in this update. A Secret that still holds the certificate keeps the
    /// object, so that the table does not take it for a new one.
    invalidated: BTreeMap<CertificateId, Arc<Certificate>>,
    /// Certificates that have been read since the last [`Self::take_read`].
    read: Vec<CertificateId>,
}

impl CertificateCache {
    /// Notes that a Secret has changed: its certificate has to be read again.
    pub(super) fn invalidate(&mut self, secret: &Key) {
        self.invalidated.extend(self.certificates.remove_entry(&CertificateId(secret.to_string())));
    }

    /// Reads the certificate of the Secret `namespace/name`, unless it is in the cache.
    pub(super) fn read(
        &mut self,
        secret: Option<&Secret>,
        namespace: &str,
        name: &str,
    ) -> Result<CertificateId, Fault> {
        let id = CertificateId(format!("{namespace}/{name}"));
        if self.certificates.contains_key(&id) {
            return Ok(id);
        }
        let Some(secret) = secret else {
            return Err(Fault {
                reason: Reason::SecretNotFound,
                part: "",
                message: format!("there is no Secret {namespace}/{name}"),
                remedy: "create it (type kubernetes.io/tls, with tls.crt and tls.key) or correct the name".to_owned(),
            });
        };
        let certificate = read_pair(secret).map_err(|problem| Fault {
            reason: Reason::InvalidCertificate,
            part: "",
            message: format!("Secret {namespace}/{name}: {}", problem.message),
            remedy: problem.remedy.to_owned(),
        })?;
        let unchanged = self.invalidated.remove(&id).filter(|before| **before == certificate);
        self.certificates.insert(id.clone(), unchanged.unwrap_or_else(|| Arc::new(certificate)));
        self.read.push(id.clone());
        Ok(id)
    }

    /// A certificate that has been read.
    pub(super) fn get(&self, id: &CertificateId) -> Option<Arc<Certificate>> {
        self.certificates.get(id).cloned()
    }

    /// Removes a certificate that no host shows any more.
    pub(super) fn forget(&mut self, id: &CertificateId) {
        self.certificates.remove(id);
    }

    /// The certificates that have been read in this update, which ends with this call.
    pub(super) fn take_read(&mut self) -> Vec<CertificateId> {
        self.invalidated.clear();
        std::mem::take(&mut self.read)
    }
}

/// Why a Secret holds no usable pair of certificate and key. It says nothing about the key but what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PairProblem {
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

/// Reads the certificate and key of a Secret.
pub(super) fn read_pair(secret: &Secret) -> Result<Certificate, PairProblem> {
    const CHAIN: &str = "put the certificate, leaf first, into tls.crt as PEM";
    const KEY: &str = "put the certificate's private key into tls.key as PEM, without a passphrase";
    let problem = |message: &str, remedy| PairProblem { message: message.to_owned(), remedy };
    let chain_pem = secret_value(secret, "tls.crt").ok_or_else(|| problem("it has no tls.crt", CHAIN))?;
    let key_pem = secret_value(secret, "tls.key").ok_or_else(|| problem("it has no tls.key", KEY))?;
    let chain = pem::certificates(chain_pem).map_err(|why| problem(&format!("tls.crt is not PEM: {why}"), CHAIN))?;
    let leaf = chain.first().ok_or_else(|| problem("tls.crt has no certificate in it", CHAIN))?;
    let leaf = Leaf::read(leaf).ok_or_else(|| problem("the certificate in tls.crt can't be read", CHAIN))?;
    let key = match pem::private_key(key_pem) {
        Ok(Some(key)) => key,
        Ok(None) => return Err(problem("tls.key has no private key in PEM in it", KEY)),
        Err(PemProblem::Encrypted) => {
            return Err(problem("the key in tls.key is encrypted, and nobody is there to type its passphrase", KEY));
        }
        Err(why) => return Err(problem(&format!("tls.key is not PEM: {why}"), KEY)),
    };
    let loaded = PrivateKeyDer::try_from(&*key).ok().map(|key| key.clone_key());
    let loaded = loaded.and_then(|key| aws_lc_rs::default_provider().key_provider.load_private_key(key).ok());
    let Some(loaded) = loaded else {
        return Err(problem(
            "the key in tls.key can't be used",
            "use an RSA, ECDSA (P-256, P-384, P-521) or Ed25519 key",
        ));
    };
    if loaded.public_key().is_some_and(|key| !leaf.has_key(&key)) {
        return Err(problem("tls.key is not the key of the certificate in tls.crt", "replace one of the two"));
    }
    Ok(Certificate { chain: chain.iter().map(|der| SecretBytes::new(der)).collect(), key: SecretBytes::new(&key) })
}

/// A value of a Secret. Only manifests that no API server has seen have `stringData`.
pub(super) fn secret_value<'s>(secret: &'s Secret, key: &str) -> Option<&'s [u8]> {
    let text = secret.string_data.as_ref().and_then(|data| data.get(key)).map(|text| text.as_bytes());
    text.or_else(|| Some(secret.data.as_ref()?.get(key)?.0.as_slice()))
}
