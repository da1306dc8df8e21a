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

use super::site::Site;
use crate::translate::claim::covers;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// Who asks for a host to be served over TLS.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    site: Arc<Site>,
    /// Which entry of its `spec.tls`.
    entry: usize,
    /// The certificate in the Secret of that entry, if it can be used.
    certificate: Option<CertificateId>,
}

/// How a host comes to be served over TLS.
#[derive(Debug, Clone, Copy)]
pub(in crate::translate) struct Secure<'a> {
    /// The site that asks for it.
    pub(in crate::translate) site: &'a Arc<Site>,
    entry: usize,
    /// Secret with the certificate, in the namespace of the site; `None`: the listener's default is meant.
    pub(super) secret: Option<&'a str>,
    /// The certificate in that Secret, if it can be used.
    pub(in crate::translate) certificate: Option<&'a CertificateId>,
    /// Whether nobody asked for this host, but for a wider one that takes it in. Without this a request that port 80
    /// hands to the narrow host's routes would be handed to the wide one's on port 443.
    pub(super) within: bool,
}

impl Asked {
    /// The host that was asked for.
    pub(super) fn secure(&self) -> Secure<'_> {
        let Self { site, entry, certificate } = self;
        let (secret, certificate) = (site.secret(*entry), certificate.as_ref());
        Secure { site, entry: *entry, secret, certificate, within: false }
    }

    /// A narrower one, that nobody asked for. The certificate of `Any` is the listener's default.
    pub(super) fn within(&self, wide: &HostPattern) -> Secure<'_> {
        let secure = Secure { within: true, ..self.secure() };
        if *wide == HostPattern::Any { Secure { secret: None, certificate: None, ..secure } } else { secure }
    }
}

/// Two that lead to the same, whichever version of the object asks; one that is younger may have come after others.
impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        (self.site.age(), self.entry, &self.certificate) == (other.site.age(), other.entry, &other.certificate)
            && self.site.secret(self.entry) == other.site.secret(other.entry)
    }
}

impl Secure<'_> {
    /// The field that asks for it.
    pub(super) fn field(&self) -> String {
        secret_field(self.entry)
    }
}

fn secret_field(entry: usize) -> String {
    format!("spec.tls[{entry}].secretName")
}

/// Who decides on the certificate of a host. `sites` are those that have to do with it, oldest first.
pub(super) fn decide(
    host: &HostPattern,
    sites: &[Arc<Site>],
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<Asked> {
    let mut held: Option<Asked> = None;
    let mut first: Option<&ObjectRef> = None;
    for site in sites {
        for (_, entry) in site.covers().iter().filter(|(covered, _)| covered == host) {
            let Some(held) = &held else {
                match first.filter(|older| older.namespace() != site.owner.namespace()) {
                    Some(older) => foreign(site, *entry, host, older, reports),
                    None => held = Some(Asked { site: Arc::clone(site), entry: *entry, certificate: None }),
                }
                continue;
            };
            let winner = &held.site.owner;
            let secret = held.site.secret(held.entry);
            let same_secret = secret == site.secret(*entry) && winner.namespace() == site.owner.namespace();
            if same_secret || Arc::ptr_eq(&held.site, site) && held.entry == *entry {
                continue;
            }
            let secret = secret.unwrap_or("(none)");
            reports.error(
                &site.owner,
                secret_field(*entry),
                Reason::Conflict,
                format!("{winner} came first and serves host {host} with Secret {}/{secret}", winner.namespace()),
                "name the same Secret, or remove the host from one of the two",
            );
        }
        first = first.or(site.names(host).map(|_| &*site.owner));
    }
    let mut held = held?;
    if let Some(secret) = held.site.secret(held.entry) {
        match lookup.certificate(held.site.owner.namespace(), secret) {
            Ok(id) => held.certificate = Some(id),
            Err(fault) => reports.fault(&held.site.owner, &secret_field(held.entry), &fault),
        }
    }
    Some(held)
}

/// Nobody puts a certificate on a host that is another namespace's.
fn foreign(site: &Site, entry: usize, host: &HostPattern, older: &ObjectRef, reports: &mut Reports) {
    reports.error(
        &site.owner,
        secret_field(entry),
        Reason::Conflict,
        format!("{older} of another namespace came first to host {host}, so it alone decides on its certificate"),
        "have that Ingress name a certificate, or remove the host from this entry",
    );
}

/// The hosts that one site covers, each with the entry: what names a host exactly counts before a wildcard, and that
/// before an entry without hosts; then the first.
pub(super) fn covered(site: &Site, tls: &[IngressTLS], reports: &mut Reports) -> Box<[(HostPattern, usize)]> {
    let mut entries: Vec<(u8, HostPattern, usize)> = Vec::new();
    for (place, entry) in tls.iter().enumerate() {
        if entry.secret_name.as_deref().is_none_or(str::is_empty) {
            reports.warning(
                &site.owner,
                secret_field(place),
                Reason::InvalidValue,
                "it names no Secret, so its hosts have no certificate of their own",
                "name a Secret of type kubernetes.io/tls",
            );
        }
        let named = entry.hosts.as_deref().unwrap_or_default();
        if named.is_empty() {
            entries.extend(site.hosts.iter().map(|(host, _)| (2, host.clone(), place)));
        }
        for (at, text) in named.iter().enumerate() {
            let field = format!("spec.tls[{place}].hosts[{at}]");
            cover(site, text, &field, place, &mut entries, reports);
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
    site: &Site,
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
                &site.owner,
                field,
                Reason::InvalidValue,
                format!("{text:?} is not a host, so it is left out: {error}"),
                "correct the host",
            );
        }
    };
    let count = entries.len();
    if site.hosts.iter().any(|(own, _)| covers(own, &host)) {
        entries.push((0, host.clone(), place));
    }
    for (own, _) in site.hosts.iter().filter(|(own, _)| *own != host && covers(&host, own)) {
        entries.push((1, own.clone(), place));
    }
    if entries.len() == count {
        reports.warning(
            &site.owner,
            field,
            Reason::InvalidValue,
            format!("no rule of this Ingress is for host {text}, so nothing is served for it over TLS"),
            "add a rule for the host, or correct it",
        );
    }
}
