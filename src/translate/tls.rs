//! TLS for all languages: whether a certificate is for a host, and CA certificates from Secrets and ConfigMaps.

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use super::certificate::secret_value;
use super::lookup::Lookup;
use super::report::{Fault, Reports};
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
/// be decided (a pattern, any host, a name that is not valid), the certificate is accepted.
fn is_for_host(certificate: &Certificate, host: &HostPattern) -> bool {
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

/// The CA certificates in the key `ca.crt` of a Secret or ConfigMap, as PEM.
pub(super) fn trusted_roots(lookup: &Lookup<'_>, object: &ObjectRef) -> Result<Vec<u8>, Fault> {
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
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| refuse("ca.crt is not PEM"))?;
    let mut store = rustls::RootCertStore::empty();
    if certificates.is_empty() || certificates.into_iter().any(|certificate| store.add(certificate).is_err()) {
        return Err(refuse("ca.crt has no certificate, or one that can't be read"));
    }
    Ok(pem.to_vec())
}
