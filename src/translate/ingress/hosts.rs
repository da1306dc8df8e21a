//! The hosts that Ingresses name: the Ingresses of each, oldest first, and the one that decides on its certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{CertificateId, HostPattern};
use crate::report::Report;

use super::compact_if_doubled;
use super::host_tls::{self, HostTls, TlsRequest};
use super::parsed::ParsedIngress;
use crate::translate::claim::{LanguageClaims, wider};
use crate::translate::lookup::Lookup;
use crate::translate::report::{AllReports, Reports};

/// Every host that some Ingress names, in a rule, an annotation or `spec.tls`.
#[derive(Debug, Default)]
pub(super) struct IngressHosts {
    hosts: BTreeMap<HostPattern, HostEntry>,
    /// How many hosts there were when the map was last compacted.
    compacted_len: usize,
    /// How many of the hosts some Ingress asks to be served over TLS.
    tls_requests: usize,
    /// Hosts that stand in `spec.tls` alone: the routes of a wider host serve them.
    borrowing: BTreeSet<HostPattern>,
}

/// What is known of one host. There may be very many, so that what few have is behind a pointer.
#[derive(Debug, Default)]
struct HostEntry {
    /// The Ingresses that have to do with it, oldest first.
    ingresses: Vec<Arc<ParsedIngress>>,
    tls_request: Option<Box<TlsRequest>>,
    reports: Option<Box<HostReports>>,
}

/// The reports that a host gave rise to.
#[derive(Debug, Default)]
struct HostReports {
    /// By the decision on its certificate.
    tls: Box<[Report]>,
    /// By the last time that it was built.
    build: Box<[Report]>,
}

impl HostEntry {
    /// Replaces the reports of one step, which `step` chooses.
    fn put_reports(
        &mut self,
        step: impl FnOnce(&mut HostReports) -> &mut Box<[Report]>,
        now: Box<[Report]>,
        all: &mut AllReports,
    ) {
        if self.reports.is_none() && now.is_empty() {
            return;
        }
        let reports = self.reports.get_or_insert_default();
        all.replace(step(reports), now);
        if reports.tls.is_empty() && reports.build.is_empty() {
            self.reports = None;
        }
    }
}

impl IngressHosts {
    /// Gives back memory that the map took while it grew.
    pub(super) fn compact(&mut self) {
        compact_if_doubled(&mut self.hosts, &mut self.compacted_len);
    }

    /// Adds an Ingress to its hosts.
    pub(super) fn add(&mut self, ingress: &Arc<ParsedIngress>) {
        for host in ingress.all_hosts() {
            let ingresses = &mut self.hosts.entry(host).or_default().ingresses;
            if ingresses.is_empty() {
                // Nearly all hosts have one Ingress.
                ingresses.reserve_exact(1);
            }
            let position = ingresses.partition_point(|other| other.age() < ingress.age());
            ingresses.insert(position, Arc::clone(ingress));
        }
    }

    /// Removes an Ingress from its hosts. A host that has none then stays until it was built without.
    pub(super) fn remove(&mut self, ingress: &Arc<ParsedIngress>) {
        for host in ingress.all_hosts() {
            if let Some(entry) = self.hosts.get_mut(&host) {
                entry.ingresses.retain(|other| !Arc::ptr_eq(other, ingress));
            }
        }
    }

    /// Decides again which Ingress asks for a host to be served over TLS, and with which certificate.
    pub(super) fn decide_tls(&mut self, host: &HostPattern, lookup: &Lookup<'_>, all_reports: &mut AllReports) {
        // If hosts belong to namespaces, the Ingresses of others have no say.
        let is_owned = lookup.options.has_strict_tenancy() && *host != HostPattern::Any;
        let tenant = is_owned.then(|| self.first_to_name(host)).flatten();
        let tenant = tenant.map(|claim| claim.owner().namespace().to_owned());
        let Some(entry) = self.hosts.get_mut(host) else { return };
        let mut reports = Reports::default();
        let of_tenant = |ingress: &&Arc<ParsedIngress>| {
            tenant.as_ref().is_none_or(|namespace| ingress.owner.namespace() == namespace)
        };
        let before = entry.tls_request.is_some();
        entry.tls_request =
            host_tls::decide(host, entry.ingresses.iter().filter(of_tenant), lookup, &mut reports).map(Box::new);
        entry.put_reports(|reports| &mut reports.tls, reports.into_sorted(), all_reports);
        self.tls_requests = self.tls_requests + usize::from(entry.tls_request.is_some()) - usize::from(before);
        if entry.tls_request.is_some() && !entry.ingresses.iter().any(|ingress| ingress.serves(host)) {
            self.borrowing.insert(host.clone());
        } else {
            self.borrowing.remove(host);
        }
    }

    /// Replaces the reports of building a host. Forgets a host that no Ingress names any more.
    pub(super) fn put_reports(&mut self, host: &HostPattern, reports: Box<[Report]>, all: &mut AllReports) {
        let Some(entry) = self.hosts.get_mut(host) else { return };
        entry.put_reports(|reports| &mut reports.build, reports, all);
        if entry.ingresses.is_empty() {
            self.hosts.remove(host);
        }
    }

    /// Every host.
    pub(super) fn all(&self) -> impl Iterator<Item = &HostPattern> {
        self.hosts.keys()
    }

    /// Whether some Ingress names the host, or named it until now.
    pub(super) fn contains(&self, host: &HostPattern) -> bool {
        self.hosts.contains_key(host)
    }

    /// The Ingresses that have to do with a host, oldest first.
    pub(super) fn ingresses(&self, host: &HostPattern) -> &[Arc<ParsedIngress>] {
        self.hosts.get(host).map_or(&[], |entry| &entry.ingresses)
    }

    /// The oldest Ingress that serves a host.
    pub(super) fn first(&self, host: &HostPattern) -> Option<&ParsedIngress> {
        self.serving(host).next()
    }

    /// The Ingresses that serve a host, oldest first.
    pub(super) fn serving(&self, host: &HostPattern) -> impl Iterator<Item = &ParsedIngress> {
        let ingresses = self.ingresses(host).iter().map(|ingress| &**ingress);
        ingresses.filter(move |ingress| ingress.serves(host))
    }

    /// Whether a host has routes of its own.
    pub(super) fn is_served(&self, host: &HostPattern) -> bool {
        self.first(host).is_some()
    }

    /// How a host comes to be served over TLS, if it does: by a request for it, or for a wider host in a namespace that names this
    /// one too.
    pub(super) fn tls(&self, host: &HostPattern) -> Option<HostTls<'_>> {
        if let Some(request) = self.tls_request(host) {
            return Some(request.tls());
        }
        self.first(host)?;
        let is_named_in = |namespace: &str| {
            self.ingresses(host).iter().any(|ingress| ingress.owner.namespace() == namespace && ingress.serves(host))
        };
        wider(host).find_map(|wide| {
            let request = self.tls_request(&wide)?;
            is_named_in(request.tls().ingress.owner.namespace()).then(|| request.inherited())
        })
    }

    /// The certificate that a host shows: its own, or else that of a wider host in the same namespace.
    pub(super) fn certificate<'h>(&'h self, host: &HostPattern, tls: HostTls<'h>) -> Option<&'h CertificateId> {
        let of_wider = |wide: HostPattern| {
            let wide = self.tls_request(&wide)?.tls();
            wide.certificate.filter(|_| wide.ingress.owner.namespace() == tls.ingress.owner.namespace())
        };
        tls.certificate.or_else(|| wider(host).find_map(of_wider))
    }

    /// The request of an Ingress to serve this very host over TLS.
    pub(super) fn tls_request(&self, host: &HostPattern) -> Option<&TlsRequest> {
        self.hosts.get(host)?.tls_request.as_deref()
    }

    /// Whether some Ingress asks for some host to be served over TLS.
    pub(super) fn has_tls_requests(&self) -> bool {
        self.tls_requests > 0
    }

    /// The hosts that are served by the routes of a wider host.
    pub(super) fn borrowing(&self) -> impl Iterator<Item = &HostPattern> {
        self.borrowing.iter()
    }
}
