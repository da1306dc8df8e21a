//! Which hosts of Ingresses are served over TLS, and with which certificate.
//!
//! An entry of `spec.tls` covers hosts of its own Ingress: those that it names, those that its wildcard takes in, and,
//! where it names no host, all. A host that it names and that only a wider host of the Ingress takes in (a rule for any
//! host) is served by the routes of that wider host. The oldest Ingress decides on the certificate of a host.

use std::sync::Arc;

use crate::model::{CertificateId, HostPattern, ObjectRef};
use crate::report::Reason;

use super::parsed::{ParsedIngress, SecretName};
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls;

/// The request of an Ingress that a host be served over TLS, by an entry of its `spec.tls`.
#[derive(Debug, Clone)]
pub(super) struct TlsRequest {
    ingress: Arc<ParsedIngress>,
    /// The index of the entry.
    entry: usize,
    /// The certificate in the Secret of the entry, if it can be used.
    certificate: Option<CertificateId>,
}

/// How a host is served over TLS: by its own request, or by that of a wider host.
#[derive(Debug, Clone, Copy)]
pub(in crate::translate) struct HostTls<'a> {
    /// The Ingress with the request.
    pub(in crate::translate) ingress: &'a Arc<ParsedIngress>,
    entry: usize,
    /// The certificate in the Secret of the entry, if it can be used.
    pub(in crate::translate) certificate: Option<&'a CertificateId>,
    /// Whether the request is for a wider host, which takes in this one. Such a host is served over TLS with its own
    /// routes; otherwise a request would meet the routes of the narrow host on port 80 and those of the wide host on
    /// port 443.
    pub(super) inherited: bool,
}

impl TlsRequest {
    /// The port that it asks for.
    pub(super) fn port(&self) -> Option<u16> {
        self.ingress.ports.https
    }

    /// TLS of the host that the request is for.
    pub(super) fn tls(&self) -> HostTls<'_> {
        let Self { ingress, entry, certificate } = self;
        HostTls { ingress, entry: *entry, certificate: certificate.as_ref(), inherited: false }
    }

    /// TLS of a narrower host, which the host of the request takes in.
    pub(super) fn inherited(&self) -> HostTls<'_> {
        HostTls { inherited: true, ..self.tls() }
    }
}

/// Two requests are equal if they give the same TLS, even if the Ingress has a newer version. The age counts, since an
/// Ingress that is younger than it was may lose a host to another.
impl PartialEq for TlsRequest {
    fn eq(&self, other: &Self) -> bool {
        (self.ingress.age(), self.entry, &self.certificate) == (other.ingress.age(), other.entry, &other.certificate)
            && self.port() == other.port()
            && self.ingress.tls_secret(self.entry) == other.ingress.tls_secret(other.entry)
    }
}

impl HostTls<'_> {
    /// The field that names the Secret.
    pub(super) fn field(&self) -> String {
        self.ingress.tls_field(self.entry)
    }
}

/// The request that decides on the certificate of a host at one port, if there is one. `ingresses` are those of the port that serve
/// or cover the host, oldest first.
pub(super) fn decide<'i>(
    host: &HostPattern,
    ingresses: impl Iterator<Item = &'i Arc<ParsedIngress>>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<TlsRequest> {
    let mut decided: Option<TlsRequest> = None;
    let mut oldest: Option<&ObjectRef> = None;
    for ingress in ingresses {
        for covered in ingress.tls_hosts().iter().filter(|covered| covered.host == *host) {
            let entry = covered.entry;
            let foreign = oldest.filter(|older| older.namespace() != ingress.owner.namespace());
            if covered.needs_certificate
                && (decided.is_some() || foreign.is_some() || !has_certificate_for(ingress, entry, host, lookup))
            {
                continue;
            }
            let Some(winner) = &decided else {
                match foreign {
                    Some(older) => refuse_foreign(ingress, entry, host, older, reports),
                    None => decided = Some(TlsRequest { ingress: Arc::clone(ingress), entry, certificate: None }),
                }
                continue;
            };
            refuse_other_secret(winner, ingress, entry, host, reports);
        }
        oldest = oldest.or(ingress.field_of(host).map(|_| &*ingress.owner));
    }
    let mut decided = decided?;
    if let Some(SecretName { namespace, name }) = decided.ingress.tls_secret(decided.entry) {
        match lookup.certificate(namespace, name) {
            Ok(id) => decided.certificate = Some(id),
            Err(fault) => reports.fault(&decided.ingress.owner, &decided.tls().field(), &fault),
        }
    }
    Some(decided)
}

/// Whether the certificate of an entry can be used, and is for a host.
fn has_certificate_for(ingress: &ParsedIngress, entry: usize, host: &HostPattern, lookup: &Lookup<'_>) -> bool {
    let Some(SecretName { namespace, name }) = ingress.tls_secret(entry) else { return false };
    let id = lookup.certificate(namespace, name).ok();
    let certificate = id.and_then(|id| lookup.usable(&id));
    certificate.is_some_and(|certificate| tls::is_for_host(&certificate, host))
}

/// Reports an entry for a host that an older Ingress of another namespace serves: an Ingress may not put a certificate
/// on the host of another namespace.
fn refuse_foreign(ingress: &ParsedIngress, entry: usize, host: &HostPattern, older: &ObjectRef, reports: &mut Reports) {
    reports.error(
        &ingress.owner,
        ingress.tls_field(entry),
        Reason::Conflict,
        format!("{older} of another namespace came first to host {host}, so it alone decides on its certificate"),
        "have that Ingress name a certificate, or remove the host from this entry",
    );
}

/// Reports an entry that names another Secret for a host than the entry that decides. Nothing is reported where both
/// name one Secret.
fn refuse_other_secret(
    winner: &TlsRequest,
    ingress: &Arc<ParsedIngress>,
    entry: usize,
    host: &HostPattern,
    reports: &mut Reports,
) {
    let (owner, secret) = (&winner.ingress.owner, winner.ingress.tls_secret(winner.entry));
    let same_secret =
        secret == ingress.tls_secret(entry) && (secret.is_some() || owner.namespace() == ingress.owner.namespace());
    if same_secret || Arc::ptr_eq(&winner.ingress, ingress) && winner.entry == entry {
        return;
    }
    let secret = secret.unwrap_or(SecretName { namespace: owner.namespace(), name: "(none)" });
    reports.error(
        &ingress.owner,
        ingress.tls_field(entry),
        Reason::Conflict,
        format!("{owner} came first and serves host {host} with Secret {}/{}", secret.namespace, secret.name),
        "name the same Secret, or remove the host from one of the two",
    );
}
