//! Which hosts of Ingresses are served over TLS, and by which Secret.
//!
//! An entry of `spec.tls` covers hosts of its own Ingress: those it names, those that its wildcard takes in, and, with
//! no host in it, all. A host that it names and that only a wider host of the Ingress takes in (a rule for any host)
//! is served by that one's routes. The oldest Ingress decides on the certificate of a host.

use std::collections::BTreeMap;

use crate::model::{CertificateId, HostPattern, ObjectRef};
use crate::status::Reason;

use super::site::{Path, Site};
use crate::translate::claim::covers;
use crate::translate::report::Reports;

/// How a host comes to be served over TLS.
#[derive(Debug, Clone)]
pub(super) struct Secure {
    /// Secret with the certificate, in the namespace of the site; `None`: the listener's default is meant.
    pub(super) secret: Option<String>,
    /// The certificate in that Secret, if it can be used.
    pub(super) certificate: Option<CertificateId>,
    /// The site that asks for it.
    pub(super) site: usize,
    /// The field that asks for it.
    pub(super) field: String,
    /// Whether nobody asked for this host, but for a wider one that takes it in. Without this a request that port 80
    /// hands to the narrow host's routes would be handed to the wide one's on port 443.
    pub(super) within: bool,
}

/// Reads `spec.tls` of all sites, oldest first. `hosts` are those that have routes.
pub(super) fn read(
    sites: &[Site<'_>],
    hosts: &BTreeMap<HostPattern, Vec<(usize, Path<'_>)>>,
    reports: &mut Reports,
) -> BTreeMap<HostPattern, Secure> {
    let mut first: BTreeMap<&HostPattern, usize> = BTreeMap::new();
    for (index, site) in sites.iter().enumerate() {
        for (host, _) in &site.hosts {
            first.entry(host).or_insert(index);
        }
    }
    let mut secure: BTreeMap<HostPattern, Secure> = BTreeMap::new();
    for (index, site) in sites.iter().enumerate() {
        for (host, new) in covered(site, index, reports) {
            let Some(held) = secure.get(&host) else {
                let older = first.get(&host).filter(|first| **first < index).map(|first| &sites[*first].owner);
                match older.filter(|older| older.namespace != site.owner.namespace) {
                    Some(older) => foreign(site, &new, &host, older, reports),
                    None => drop(secure.insert(host, new)),
                }
                continue;
            };
            let same_secret = held.secret == new.secret && sites[held.site].owner.namespace == site.owner.namespace;
            if same_secret || held.site == index && held.field == new.field {
                continue;
            }
            let winner = &sites[held.site].owner;
            let secret = held.secret.as_deref().unwrap_or("(none)");
            reports.error(
                &site.owner,
                &new.field,
                Reason::Conflict,
                format!("{winner} came first and serves host {host} with Secret {}/{secret}", winner.namespace),
                "name the same Secret, or remove the host from one of the two",
            );
        }
    }
    let wide = secure.iter().filter(|(host, _)| !matches!(host, HostPattern::Exact(_)));
    let wide: Vec<_> = wide.map(|(host, held)| (host.clone(), held.clone())).collect();
    for host in hosts.keys() {
        if secure.contains_key(host) {
            continue;
        }
        let wider = wide.iter().filter(|(wide, _)| covers(wide, host));
        if let Some((wide, held)) = wider.max_by_key(|(wide, _)| wide.literal_length()) {
            // The certificate of `Any` is the listener's default.
            let secret = held.secret.clone().filter(|_| *wide != HostPattern::Any);
            let within = Secure { secret, within: true, ..held.clone() };
            secure.insert(host.clone(), within);
        }
    }
    secure
}

/// Nobody puts a certificate on a host that is another namespace's.
fn foreign(site: &Site<'_>, new: &Secure, host: &HostPattern, older: &ObjectRef, reports: &mut Reports) {
    reports.error(
        &site.owner,
        &new.field,
        Reason::Conflict,
        format!("{older} of another namespace came first to host {host}, so it alone decides on its certificate"),
        "have that Ingress name a certificate, or remove the host from this entry",
    );
}

/// The hosts that one site covers: what names a host exactly counts before a wildcard, and that before an entry without
/// hosts; then the first.
fn covered(site: &Site<'_>, index: usize, reports: &mut Reports) -> Vec<(HostPattern, Secure)> {
    let mut entries: Vec<(u8, HostPattern, Secure)> = Vec::new();
    let tls = site.object.spec.iter().flat_map(|spec| spec.tls.iter().flatten());
    for (place, entry) in tls.enumerate() {
        let field = format!("spec.tls[{place}]");
        if entry.secret_name.as_deref().is_none_or(str::is_empty) {
            reports.warning(
                &site.owner,
                format!("{field}.secretName"),
                Reason::InvalidValue,
                "it names no Secret, so its hosts have no certificate of their own",
                "name a Secret of type kubernetes.io/tls",
            );
        }
        let secret = entry.secret_name.clone().filter(|name| !name.is_empty());
        let secure =
            Secure { secret, certificate: None, site: index, field: format!("{field}.secretName"), within: false };
        let named = entry.hosts.as_deref().unwrap_or_default();
        if named.is_empty() {
            entries.extend(site.hosts.iter().map(|(host, _)| (2, host.clone(), secure.clone())));
        }
        for (at, text) in named.iter().enumerate() {
            let field = format!("{field}.hosts[{at}]");
            cover(site, text, &field, &secure, &mut entries, reports);
        }
    }
    entries.sort_by_key(|(rank, ..)| *rank);
    let mut first: Vec<(HostPattern, Secure)> = Vec::new();
    let mut last_rank: BTreeMap<HostPattern, u8> = BTreeMap::new();
    for (rank, host, secure) in entries {
        // A wildcard that a closer entry makes needless is no conflict.
        if *last_rank.entry(host.clone()).or_insert(rank) == rank {
            first.push((host, secure));
        }
    }
    first
}

fn cover(
    site: &Site<'_>,
    text: &str,
    field: &str,
    secure: &Secure,
    entries: &mut Vec<(u8, HostPattern, Secure)>,
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
        entries.push((0, host.clone(), secure.clone()));
    }
    for (own, _) in site.hosts.iter().filter(|(own, _)| *own != host && covers(&host, own)) {
        entries.push((1, own.clone(), secure.clone()));
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
