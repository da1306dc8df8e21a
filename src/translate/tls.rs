//! TLS for all languages: whether a certificate is for a host, and CA certificates from Secrets and ConfigMaps.

use rustls::pki_types::CertificateDer;

use super::certificate::secret_value;
use super::lookup::Lookup;
use super::pem;
use super::report::{Fault, Reports};
use super::x509::Leaf;
use crate::model::{Certificate, CertificateId, HostPattern, Kind, ObjectRef};
use crate::report::Reason;

/// Reports a certificate that is not for the host that shows it.
pub(super) fn check_names(
    lookup: &Lookup<'_>,
    id: &CertificateId,
    host: &HostPattern,
    owner: &ObjectRef,
    field: &str,
    reports: &mut Reports,
) {
    if lookup.usable(id).is_none_or(|certificate| is_for_host(&certificate, host)) {
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

/// Whether a client that asks for `host` would accept the certificate, as far as the names in it go. Where this can't
/// be decided (a pattern, any host), the certificate is accepted.
pub(super) fn is_for_host(certificate: &Certificate, host: &HostPattern) -> bool {
    let name = match host {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::SingleLabel(parent) => format!("any.{parent}"),
        HostPattern::Glob(_) | HostPattern::Any => return true,
    };
    let leaf = certificate.chain.first().and_then(|der| Leaf::read(der.expose()));
    leaf.is_some_and(|leaf| leaf.is_for(&name))
}

/// The CA certificates in the key `ca.crt` of a Secret or ConfigMap, as PEM.
pub(super) fn trusted_roots(lookup: &Lookup<'_>, object: &ObjectRef) -> Result<Vec<u8>, Fault> {
    let certificates = ca_certificates(lookup, object)?;
    Ok(certificates.iter().map(|der| pem::encode_certificate(der)).collect::<String>().into_bytes())
}

/// The CA certificates in the key `ca.crt` of a Secret or ConfigMap, as DER. There is one at the least.
pub(super) fn ca_certificates(lookup: &Lookup<'_>, object: &ObjectRef) -> Result<Vec<Vec<u8>>, Fault> {
    let fault = |reason, message, remedy: &str| Fault { reason, part: "", message, remedy: remedy.to_owned() };
    let missing =
        |reason| fault(reason, format!("there is no {object}"), "create it, with the key ca.crt, or correct the name");
    let (namespace, name) = (object.namespace(), object.name());
    let pem: Option<&[u8]> = if object.kind == Kind::Secret {
        let secret = lookup.secret(namespace, name).ok_or_else(|| missing(Reason::SecretNotFound))?;
        secret_value(secret, "ca.crt")
    } else {
        let map = lookup.config_map(namespace, name).ok_or_else(|| missing(Reason::ConfigMapNotFound))?;
        map.data.as_ref().and_then(|data| data.get("ca.crt")).map(|text| text.as_bytes())
    };
    let refuse = |problem: &str| {
        let message = format!("{object}: {problem}");
        fault(Reason::InvalidCertificate, message, "put the CA certificates into ca.crt as PEM")
    };
    let pem = pem.ok_or_else(|| refuse("it has no ca.crt"))?;
    let certificates = pem::certificates(pem).map_err(|problem| refuse(&format!("ca.crt is not PEM: {problem}")))?;
    let mut store = rustls::RootCertStore::empty();
    let mut is_root = |der: &Vec<u8>| store.add(CertificateDer::from(der.clone())).is_ok();
    if certificates.is_empty() || !certificates.iter().all(&mut is_root) {
        return Err(refuse("ca.crt has no certificate, or one that can't be read"));
    }
    Ok(certificates)
}
