//! Certificates from Secrets and ConfigMaps. What is taken in here parses, and key and certificate belong together.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use k8s_openapi::api::core::v1::Secret;

use crate::model::{Certificate, CertificateId, HostPattern, ObjectRef, SecretBytes};
use crate::report::Reason;
use crate::source::Key;

use super::lookup::Lookup;
use super::report::{Fault, Reports};

/// Certificates that have been read and can be used, until their Secret changes.
#[derive(Debug, Default)]
pub(super) struct CertificateCache {
    good: BTreeMap<CertificateId, Arc<Certificate>>,
    /// Those whose Secret has just changed: it may hold the same still.
    before: BTreeMap<CertificateId, Arc<Certificate>>,
    /// Those that have been read since the last [`Self::settle`].
    read: Vec<CertificateId>,
}

impl CertificateCache {
    /// Notes that a Secret has changed.
    pub(super) fn invalidate(&mut self, secret: &Key) {
        self.before.extend(self.good.remove_entry(&CertificateId(secret.to_string())));
    }

    /// The certificate of a Secret.
    pub(super) fn read(
        &mut self,
        secret: Option<&Secret>,
        namespace: &str,
        name: &str,
    ) -> Result<CertificateId, Fault> {
        let id = CertificateId(format!("{namespace}/{name}"));
        if self.good.contains_key(&id) {
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
        let refuse = |message: &str, remedy: &str| Fault {
            reason: Reason::InvalidCertificate,
            part: "",
            message: format!("Secret {namespace}/{name}: {message}"),
            remedy: remedy.to_owned(),
        };
        let certificate = read_pair(secret).map_err(|(message, remedy)| refuse(&message, remedy))?;
        let before = self.before.remove(&id).filter(|before| **before == certificate);
        self.good.insert(id.clone(), before.unwrap_or_else(|| Arc::new(certificate)));
        self.read.push(id.clone());
        Ok(id)
    }

    /// One that has been read.
    pub(super) fn get(&self, id: &CertificateId) -> Option<Arc<Certificate>> {
        self.good.get(id).cloned()
    }

    /// Forgets one that nobody shows.
    pub(super) fn forget(&mut self, id: &CertificateId) {
        self.good.remove(id);
    }

    /// What has been read since this was called last.
    pub(super) fn take_read(&mut self) -> Vec<CertificateId> {
        self.before.clear();
        std::mem::take(&mut self.read)
    }
}

/// The certificate and key of a Secret, or what is wrong and what to do. Says nothing of the key but its state.
pub(super) fn read_pair(secret: &Secret) -> Result<Certificate, (String, &'static str)> {
    const CHAIN: &str = "put the certificate, leaf first, into tls.crt as PEM";
    const KEY: &str = "put the certificate's private key into tls.key as PEM, without a passphrase";
    let chain_pem = value(secret, "tls.crt").ok_or_else(|| ("it has no tls.crt".to_owned(), CHAIN))?;
    let key_pem = value(secret, "tls.key").ok_or_else(|| ("it has no tls.key".to_owned(), KEY))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem).collect();
    let chain = chain.map_err(|_| ("tls.crt is not PEM".to_owned(), CHAIN))?;
    if chain.is_empty() {
        return Err(("tls.crt has no certificate in it".to_owned(), CHAIN));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem);
    let key = key.map_err(|_| ("tls.key has no private key in PEM in it".to_owned(), KEY))?;
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(_) => Ok(Certificate { chain: SecretBytes::new(chain_pem), key: SecretBytes::new(key_pem) }),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(("tls.key is not the key of the certificate in tls.crt".to_owned(), "replace one of the two"))
        }
        Err(rustls::Error::InvalidCertificate(why)) => {
            Err((format!("the certificate in tls.crt can't be read ({why:?})"), CHAIN))
        }
        Err(_) => {
            Err(("the key in tls.key can't be used".to_owned(), "use an RSA, ECDSA (P-256, P-384) or Ed25519 key"))
        }
    }
}

/// Warns of a certificate that is for other names than the host it is shown for.
pub(super) fn check_names(
    lookup: &Lookup<'_>,
    id: &CertificateId,
    host: &HostPattern,
    owner: &ObjectRef,
    field: &str,
    reports: &mut Reports,
) {
    if lookup.usable(id).is_none_or(|certificate| names(&certificate, host)) {
        return;
    }
    reports.warning(
        owner,
        field,
        Reason::InvalidCertificate,
        format!("no DNS name of the certificate in Secret {id} covers host {host}, so clients will refuse it"),
        "name a Secret whose certificate is for this host",
    );
}

/// Whether a client that asks for `host` would take the certificate for it, going by the names in it.
fn names(certificate: &Certificate, host: &HostPattern) -> bool {
    let name = match host {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::SingleLabel(parent) => format!("any.{parent}"),
        HostPattern::Glob(_) | HostPattern::Any => return true,
    };
    let Ok(name) = ServerName::try_from(name) else { return true };
    let leaf = CertificateDer::from_pem_slice(certificate.chain.expose());
    let Ok(leaf) = leaf else { return true };
    ParsedCertificate::try_from(&leaf).is_ok_and(|leaf| verify_server_name(&leaf, &name).is_ok())
}

/// A value of a Secret. `stringData` is there only in manifests that no API server has seen.
pub(super) fn value<'s>(secret: &'s Secret, key: &str) -> Option<&'s [u8]> {
    let text = secret.string_data.as_ref().and_then(|data| data.get(key)).map(|text| text.as_bytes());
    text.or_else(|| Some(secret.data.as_ref()?.get(key)?.0.as_slice()))
}

/// The CA certificates in the key `ca.crt` of a Secret or ConfigMap.
pub(super) fn trusted_roots(
    lookup: &Lookup<'_>,
    kind: &'static str,
    namespace: &str,
    name: &str,
) -> Result<Vec<u8>, Fault> {
    let fault = |reason, message: String, remedy: &str| Fault { reason, part: "", message, remedy: remedy.to_owned() };
    let missing = |reason| {
        fault(
            reason,
            format!("there is no {kind} {namespace}/{name}"),
            "create it, with the key ca.crt, or correct the name",
        )
    };
    let pem: Option<&[u8]> = if kind == "Secret" {
        let secret = lookup.secret(namespace, name).ok_or_else(|| missing(Reason::SecretNotFound))?;
        value(secret, "ca.crt")
    } else {
        let map = lookup.config_map(namespace, name).ok_or_else(|| missing(Reason::ConfigMapNotFound))?;
        map.data.as_ref().and_then(|data| data.get("ca.crt")).map(|text| text.as_bytes())
    };
    let refuse = |what: &str| {
        let message = format!("{kind} {namespace}/{name}: {what}");
        fault(Reason::InvalidCertificate, message, "put the CA certificates into ca.crt as PEM")
    };
    let pem = pem.ok_or_else(|| refuse("it has no ca.crt"))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| refuse("ca.crt is not PEM"))?;
    let mut store = rustls::RootCertStore::empty();
    if certificates.is_empty() || certificates.into_iter().any(|certificate| store.add(certificate).is_err()) {
        return Err(refuse("ca.crt has no certificate, or one that can't be read"));
    }
    Ok(pem.to_vec())
}
