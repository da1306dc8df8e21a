//! Which hosts of Ingresses are served over TLS, and by which Secret.
//!
//! An entry of `spec.tls` covers hosts of its own Ingress: those it names, those that its wildcard takes in, and, with
//! no host in it, all. A host that it names and that only a wider host of the Ingress takes in (a rule for any host)
//! is served by that one's routes. The oldest Ingress decides on the certificate of a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::IngressTLS;

use crate::model::{CertificateId, HostPattern, ObjectRef};
use crate::report::Reason;

use super::parsed::ParsedIngress;
use crate::translate::claim::covers;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// Who asks for a host to be served over TLS.
#[derive(Debug, Clone)]
pub(super) struct TlsRequest {
    ingress: Arc<ParsedIngress>,
    /// Which entry of its `spec.tls`.
    entry: usize,
    /// The certificate in the Secret of that entry, if it can be used.
    certificate: Option<CertificateId>,
}

/// How a host comes to be served over TLS.
#[derive(Debug, Clone, Copy)]
pub(in crate::translate) struct HostTls<'a> {
    /// The Ingress that asks for it.
    pub(in crate::translate) ingress: &'a Arc<ParsedIngress>,
    entry: usize,
    /// Secret with the certificate, in the namespace of the Ingress; `None`: the listener's default is meant.
    pub(super) secret: Option<&'a str>,
    /// The certificate in that Secret, if it can be used.
    pub(in crate::translate) certificate: Option<&'a CertificateId>,
    /// Whether nobody asked for this host, but for a wider one that takes it in. Without this a request that port 80
    /// hands to the narrow host's routes would be handed to the wide one's on port 443.
    pub(super) inherited: bool,
}

impl TlsRequest {
    /// The host that was asked for.
    pub(super) fn tls(&self) -> HostTls<'_> {
        let Self { ingress, entry, certificate } = self;
        let (secret, certificate) = (ingress.tls_secret(*entry), certificate.as_ref());
        HostTls { ingress, entry: *entry, secret, certificate, inherited: false }
    }

    /// A narrower one, that nobody asked for. The certificate of `Any` is the listener's default.
    pub(super) fn inherited(&self, wide: &HostPattern) -> HostTls<'_> {
        let tls = HostTls { inherited: true, ..self.tls() };
        if *wide == HostPattern::Any { HostTls { secret: None, certificate: None, ..tls } } else { tls }
    }
}

/// Two that lead to the same, whichever version of the object asks; one that is younger may have come after others.
impl PartialEq for TlsRequest {
    fn eq(&self, other: &Self) -> bool {
        (self.ingress.age(), self.entry, &self.certificate) == (other.ingress.age(), other.entry, &other.certificate)
            && self.ingress.tls_secret(self.entry) == other.ingress.tls_secret(other.entry)
    }
}

impl HostTls<'_> {
    /// The field that asks for it.
    pub(super) fn field(&self) -> String {
        secret_field(self.entry)
    }
}

fn secret_field(entry: usize) -> String {
    format!("spec.tls[{entry}].secretName")
}

/// Who decides on the certificate of a host. `ingresses` are those that have to do with it, oldest first.
pub(super) fn decide(
    host: &HostPattern,
    ingresses: &[Arc<ParsedIngress>],
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<TlsRequest> {
    let mut held: Option<TlsRequest> = None;
    let mut first: Option<&ObjectRef> = None;
    for ingress in ingresses {
        for (_, entry) in ingress.tls_hosts().iter().filter(|(covered, _)| covered == host) {
            let Some(held) = &held else {
                match first.filter(|older| older.namespace() != ingress.owner.namespace()) {
                    Some(older) => foreign(ingress, *entry, host, older, reports),
                    None => held = Some(TlsRequest { ingress: Arc::clone(ingress), entry: *entry, certificate: None }),
                }
                continue;
            };
            let winner = &held.ingress.owner;
            let secret = held.ingress.tls_secret(held.entry);
            let same_secret = secret == ingress.tls_secret(*entry) && winner.namespace() == ingress.owner.namespace();
            if same_secret || Arc::ptr_eq(&held.ingress, ingress) && held.entry == *entry {
                continue;
            }
            let secret = secret.unwrap_or("(none)");
            reports.error(
                &ingress.owner,
                secret_field(*entry),
                Reason::Conflict,
                format!("{winner} came first and serves host {host} with Secret {}/{secret}", winner.namespace()),
                "name the same Secret, or remove the host from one of the two",
            );
        }
        first = first.or(ingress.field_of(host).map(|_| &*ingress.owner));
    }
    let mut held = held?;
    if let Some(secret) = held.ingress.tls_secret(held.entry) {
        match lookup.certificate(held.ingress.owner.namespace(), secret) {
            Ok(id) => held.certificate = Some(id),
            Err(fault) => reports.fault(&held.ingress.owner, &secret_field(held.entry), &fault),
        }
    }
    Some(held)
}

/// Nobody puts a certificate on a host that is another namespace's.
fn foreign(ingress: &ParsedIngress, entry: usize, host: &HostPattern, older: &ObjectRef, reports: &mut Reports) {
    reports.error(
        &ingress.owner,
        secret_field(entry),
        Reason::Conflict,
        format!("{older} of another namespace came first to host {host}, so it alone decides on its certificate"),
        "have that Ingress name a certificate, or remove the host from this entry",
    );
}

/// The hosts that one Ingress covers, each with the entry: what names a host exactly counts before a wildcard, and that
/// before an entry without hosts; then the first.
pub(super) fn covered(
    ingress: &ParsedIngress,
    tls: &[IngressTLS],
    reports: &mut Reports,
) -> Box<[(HostPattern, usize)]> {
    let mut entries: Vec<(u8, HostPattern, usize)> = Vec::new();
    for (place, entry) in tls.iter().enumerate() {
        if entry.secret_name.as_deref().is_none_or(str::is_empty) {
            reports.warning(
                &ingress.owner,
                secret_field(place),
                Reason::InvalidValue,
                "it names no Secret, so its hosts have no certificate of their own",
                "name a Secret of type kubernetes.io/tls",
            );
        }
        let named = entry.hosts.as_deref().unwrap_or_default();
        if named.is_empty() {
            entries.extend(ingress.hosts.iter().map(|(host, _)| (2, host.clone(), place)));
        }
        for (at, text) in named.iter().enumerate() {
            let field = format!("spec.tls[{place}].hosts[{at}]");
            cover(ingress, text, &field, place, &mut entries, reports);
        }
    }
    entries.sort_by_key(|(rank, ..)| *rank);
    let mut first: Vec<(HostPattern, usize)> = Vec::new();
    let mut last_rank: BTreeMap<HostPattern, u8> = BTreeMap::new();
    for (rank, host, place) in entries {
        // A wildcard that a closer entry makes needless is no conflict.
        if *last_rank.entry(host.clone()).or_insert(rank) == rank {
            first.push((host, place));
        }
    }
    first.into()
}

fn cover(
    ingress: &ParsedIngress,
    text: &str,
    field: &str,
    place: usize,
    entries: &mut Vec<(u8, HostPattern, usize)>,
    reports: &mut Reports,
) {
    let host = match HostPattern::ingress(text) {
        Ok(host) => host,
        Err(error) => {
            return reports.error(
                &ingress.owner,
                field,
                Reason::InvalidValue,
                format!("{text:?} is not a host, so it is left out: {error}"),
                "correct the host",
            );
        }
    };
    let count = entries.len();
    if ingress.hosts.iter().any(|(own, _)| covers(own, &host)) {
        entries.push((0, host.clone(), place));
    }
    for (own, _) in ingress.hosts.iter().filter(|(own, _)| *own != host && covers(&host, own)) {
        entries.push((1, own.clone(), place));
    }
    if entries.len() == count {
        reports.warning(
            &ingress.owner,
            field,
            Reason::InvalidValue,
            format!("no rule of this Ingress is for host {text}, so nothing is served for it over TLS"),
            "add a rule for the host, or correct it",
        );
    }
}
