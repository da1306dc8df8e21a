//! The hosts that `spec.tls` of one Ingress covers. Which Ingress then decides on a host is `host_tls`'s to say.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::IngressTLS;

use super::host_field::HostField;
use crate::model::{HostPattern, ObjectRef};
use crate::report::Reason;
use crate::translate::claim::covers;
use crate::translate::class::DefaultCertificate;
use crate::translate::report::Reports;

/// A host that an entry of `spec.tls` covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsHost {
    pub(super) host: HostPattern,
    /// The index of the entry in `spec.tls`.
    pub(super) entry: usize,
    /// Whether the entry covers the host only if its certificate is for it: an annotation added the host, and no entry names it.
    pub(super) needs_certificate: bool,
}

/// How an entry comes to cover a host, the closest way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// The entry names the host.
    Exact,
    /// The entry names a wildcard that takes in the host.
    Wildcard,
    /// The entry names no host, so it covers all hosts of the Ingress.
    All,
}

/// The field that names the Secret of an entry.
pub(super) fn secret_field(entry: usize) -> String {
    format!("spec.tls[{entry}].secretName")
}

/// Reads the entries of an Ingress whose rules are for `own_hosts`. Of the entries that cover a host, the closest ones
/// are given; several of these are a conflict, which is reported where the certificate of the host is decided.
pub(super) fn read(
    owner: &ObjectRef,
    own_hosts: &[(HostPattern, HostField)],
    entries: &[IngressTLS],
    default: DefaultCertificate,
    reports: &mut Reports,
) -> Box<[TlsHost]> {
    let mut reader = TlsReader { owner, own_hosts, default, reports, covered: Vec::new() };
    for (index, entry) in entries.iter().enumerate() {
        reader.read_entry(index, entry);
    }
    let mut covered = reader.covered;
    covered.sort_by_key(|(closeness, _)| *closeness);
    let mut closest: BTreeMap<HostPattern, Closeness> = BTreeMap::new();
    // A wildcard that a closer entry makes needless is no conflict.
    let is_closest = |(closeness, covered): &(Closeness, TlsHost)| {
        *closest.entry(covered.host.clone()).or_insert(*closeness) == *closeness
    };
    let mut covered: Vec<TlsHost> = covered.into_iter().filter(is_closest).map(|(_, covered)| covered).collect();
    // The hosts that annotations added are often not named again in `spec.tls`.
    let is_added = |(host, field): &&(HostPattern, HostField)| {
        matches!(field, HostField::Annotation(_)) && !closest.contains_key(host)
    };
    for (host, _) in own_hosts.iter().filter(is_added) {
        let each = (0..entries.len()).map(|entry| TlsHost { host: host.clone(), entry, needs_certificate: true });
        covered.extend(each);
    }
    covered.into()
}

struct TlsReader<'a> {
    owner: &'a ObjectRef,
    own_hosts: &'a [(HostPattern, HostField)],
    default: DefaultCertificate,
    reports: &'a mut Reports,
    covered: Vec<(Closeness, TlsHost)>,
}

impl TlsReader<'_> {
    fn read_entry(&mut self, index: usize, entry: &IngressTLS) {
        if self.default == DefaultCertificate::None && entry.secret_name.as_deref().is_none_or(str::is_empty) {
            self.reports.warning(
                self.owner,
                secret_field(index),
                Reason::InvalidValue,
                "it names no Secret, so its hosts have no certificate of their own",
                "name a Secret of type kubernetes.io/tls",
            );
        }
        let hosts = entry.hosts.as_deref().unwrap_or_default();
        if hosts.is_empty() {
            self.cover(Closeness::All, index, |_| true);
        }
        for (position, text) in hosts.iter().enumerate() {
            self.read_host(index, &format!("spec.tls[{index}].hosts[{position}]"), text);
        }
    }

    /// Reads a host of an entry, which covers itself where a rule is for it or for a wider host, and the hosts of rules
    /// that it takes in as a wildcard.
    fn read_host(&mut self, entry: usize, field: &str, text: &str) {
        let host = match HostPattern::ingress(text) {
            Ok(host) => host,
            Err(error) => {
                return self.reports.error(
                    self.owner,
                    field,
                    Reason::InvalidValue,
                    format!("{text:?} is not a host, so it is left out: {error}"),
                    "correct the host",
                );
            }
        };
        let before = self.covered.len();
        if self.own_hosts.iter().any(|(own, _)| covers(own, &host)) {
            self.covered.push((Closeness::Exact, TlsHost { host: host.clone(), entry, needs_certificate: false }));
        }
        self.cover(Closeness::Wildcard, entry, |own| *own != host && covers(&host, own));
        if self.covered.len() == before {
            self.reports.warning(
                self.owner,
                field,
                Reason::InvalidValue,
                format!("no rule of this Ingress is for host {text}, so nothing is served for it over TLS"),
                "add a rule for the host, or correct it",
            );
        }
    }

    /// Notes that an entry covers those hosts of rules that `takes_in` accepts.
    fn cover(&mut self, closeness: Closeness, entry: usize, takes_in: impl Fn(&HostPattern) -> bool) {
        let hosts = self.own_hosts.iter().map(|(host, _)| host).filter(|host| takes_in(host));
        let covered = hosts.map(|host| TlsHost { host: host.clone(), entry, needs_certificate: false });
        self.covered.extend(covered.map(|covered| (closeness, covered)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn an_entry_with_the_host_is_closer_than_a_wildcard_and_a_wildcard_closer_than_an_entry_without_hosts() {
        let own_hosts = ["a.example", "b.example", "other"]
            .map(|host| (HostPattern::ingress(host).expect("valid"), HostField::Host(0)));
        let entries = [None, Some("*.example"), Some("a.example")].map(|host| IngressTLS {
            hosts: host.map(|host| vec![host.to_owned()]),
            secret_name: Some("certificate".to_owned()),
        });
        let owner = ObjectRef::new(Kind::Ingress, "default", "site");
        let mut reports = Reports::default();
        let covered = read(&owner, &own_hosts, &entries, DefaultCertificate::None, &mut reports);
        let covered: BTreeMap<_, _> = covered.iter().map(|each| (each.host.to_string(), each.entry)).collect();
        let expected = [("a.example", 2), ("b.example", 1), ("other", 0)];
        assert_eq!(covered, expected.map(|(host, entry)| (host.to_owned(), entry)).into());
        assert!(reports.into_sorted().is_empty());
    }
}
