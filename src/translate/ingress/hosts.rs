//! The hosts that Ingresses name: the Ingresses of each, oldest first, and the one that decides on its certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{CertificateId, HostPattern, Protocol};
use crate::report::Report;

use super::compact_if_doubled;
use super::host_tls::{self, HostTls, TlsRequest};
use super::parsed::ParsedIngress;
use crate::translate::claim::{LanguageClaims, PortProtocol, covers, wider};
use crate::translate::lookup::Lookup;
use crate::translate::report::{AllReports, Reports};

/// Every host that some Ingress names, in a rule, an annotation or `spec.tls`.
#[derive(Debug, Default)]
pub(super) struct IngressHosts {
    hosts: BTreeMap<HostPattern, HostEntry>,
    /// How many hosts there were when the map was last compacted.
    compacted_len: usize,
    /// For each port, how many hosts take it: hosts with routes, and hosts that some Ingress asks to be served over TLS.
    ports: BTreeMap<PortProtocol, usize>,
    /// Hosts with wildcards that are none of the Ingress API. There are few.
    globs: BTreeSet<HostPattern>,
    /// Hosts that stand in `spec.tls` alone at some port: the routes of a wider host serve them there.
    borrowing: BTreeSet<HostPattern>,
}

/// What is known of one host. There may be very many, so that what few have is behind a pointer.
#[derive(Debug, Default)]
struct HostEntry {
    /// The Ingresses that have to do with it, oldest first.
    ingresses: Vec<Arc<ParsedIngress>>,
    /// The request that decides at each port, in the order of the ports.
    tls_requests: Box<[TlsRequest]>,
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

/// What happens to a host that is counted.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Added,
    Removed,
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
            self.count_clear_text(ingress, &host, Counted::Added);
            if matches!(host, HostPattern::Glob(_)) {
                self.globs.insert(host.clone());
            }
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
            self.count_clear_text(ingress, &host, Counted::Removed);
            if let Some(entry) = self.hosts.get_mut(&host) {
                entry.ingresses.retain(|other| !Arc::ptr_eq(other, ingress));
            }
        }
    }

    fn count_clear_text(&mut self, ingress: &ParsedIngress, host: &HostPattern, change: Counted) {
        if let Some(port) = ingress.ports.http
            && ingress.serves_clear_text(host)
        {
            self.count(PortProtocol { port, protocol: Protocol::Http }, change);
        }
    }

    fn count(&mut self, at: PortProtocol, change: Counted) {
        let count = self.ports.entry(at).or_default();
        *count = match change {
            Counted::Added => *count + 1,
            Counted::Removed => count.saturating_sub(1),
        };
        if *count == 0 {
            self.ports.remove(&at);
        }
    }

    /// Decides again which Ingress asks for a host to be served over TLS at each port, and with which certificate.
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
        let asking = entry.ingresses.iter().filter(|ingress| ingress.tls.is_some());
        let ports: BTreeSet<u16> = asking.filter_map(|ingress| ingress.ports.https).collect();
        let requests = ports.into_iter().filter_map(|port| {
            let of_port = entry.ingresses.iter().filter(|ingress| ingress.ports.https == Some(port));
            host_tls::decide(host, of_port.filter(of_tenant), lookup, &mut reports)
        });
        let requests = requests.collect();
        let before = std::mem::replace(&mut entry.tls_requests, requests);
        let now: Vec<u16> = entry.tls_requests.iter().filter_map(TlsRequest::port).collect();
        entry.put_reports(|reports| &mut reports.tls, reports.into_sorted(), all_reports);
        let at = |port| PortProtocol { port, protocol: Protocol::Https };
        let is_served = |port| entry.ingresses.iter().any(|ingress| ingress.is_on(at(port)) && ingress.serves(host));
        if now.iter().any(|port| !is_served(*port)) {
            self.borrowing.insert(host.clone());
        } else {
            self.borrowing.remove(host);
        }
        before.iter().filter_map(TlsRequest::port).for_each(|port| self.count(at(port), Counted::Removed));
        now.into_iter().for_each(|port| self.count(at(port), Counted::Added));
    }

    /// Replaces the reports of building a host. Forgets a host that no Ingress names any more.
    pub(super) fn put_reports(&mut self, host: &HostPattern, reports: Box<[Report]>, all: &mut AllReports) {
        let Some(entry) = self.hosts.get_mut(host) else { return };
        entry.put_reports(|reports| &mut reports.build, reports, all);
        if entry.ingresses.is_empty() {
            self.hosts.remove(host);
            self.globs.remove(host);
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

    /// The Ingresses that have to do with a host at one of their ports, oldest first.
    pub(super) fn on(&self, host: &HostPattern, at: PortProtocol) -> impl Iterator<Item = &Arc<ParsedIngress>> {
        self.ingresses(host).iter().filter(move |ingress| ingress.is_on(at))
    }

    /// The ports of the Ingresses that have to do with a host.
    pub(super) fn frontends(&self, host: &HostPattern) -> BTreeSet<PortProtocol> {
        self.ingresses(host).iter().flat_map(|ingress| ingress.frontends()).collect()
    }

    /// Every port that some host takes.
    pub(super) fn ports(&self) -> impl Iterator<Item = PortProtocol> {
        self.ports.keys().copied()
    }

    /// The oldest Ingress that serves a host, at whichever port.
    pub(super) fn first(&self, host: &HostPattern) -> Option<&ParsedIngress> {
        self.ingresses(host).iter().map(|ingress| &**ingress).find(|ingress| ingress.serves(host))
    }

    /// The Ingresses that serve a host at a port, oldest first.
    pub(super) fn serving(&self, host: &HostPattern, at: PortProtocol) -> impl Iterator<Item = &ParsedIngress> {
        self.on(host, at).map(|ingress| &**ingress).filter(move |ingress| ingress.serves(host))
    }

    /// Whether a host has routes of its own at a port.
    pub(super) fn is_served(&self, host: &HostPattern, at: PortProtocol) -> bool {
        self.serving(host, at).next().is_some()
    }

    /// The wildcard hosts that cover a host, in the order of their precedence.
    pub(super) fn wider(&self, host: &HostPattern) -> Vec<HostPattern> {
        let mut all: Vec<HostPattern> = wider(host).collect();
        if !self.globs.is_empty() {
            all.extend(self.globs.iter().filter(|glob| *glob != host && covers(glob, host)).cloned());
            all.sort_by(|a, b| a.precedence().cmp(&b.precedence()));
        }
        all
    }

    /// How a host comes to be served over TLS at a port, if it does: by a request for it, or for a wider host in a namespace that
    /// names this one too.
    pub(super) fn tls(&self, host: &HostPattern, port: u16) -> Option<HostTls<'_>> {
        if let Some(request) = self.tls_request(host, port) {
            return Some(request.tls());
        }
        let at = PortProtocol { port, protocol: Protocol::Https };
        if !self.is_served(host, at) {
            return None;
        }
        let is_named_in =
            |namespace: &str| self.serving(host, at).any(|ingress| ingress.owner.namespace() == namespace);
        self.wider(host).into_iter().find_map(|wide| {
            let request = self.tls_request(&wide, port)?;
            is_named_in(request.tls().ingress.owner.namespace()).then(|| request.inherited())
        })
    }

    /// The certificate that a host shows: its own, or else that of a wider host in the same namespace.
    pub(super) fn certificate<'h>(&'h self, host: &HostPattern, tls: HostTls<'h>) -> Option<&'h CertificateId> {
        let of_wider = |wide: HostPattern| {
            let wide = self.tls_request(&wide, tls.ingress.ports.https?)?.tls();
            wide.certificate.filter(|_| wide.ingress.owner.namespace() == tls.ingress.owner.namespace())
        };
        tls.certificate.or_else(|| self.wider(host).into_iter().find_map(of_wider))
    }

    /// The request of an Ingress to serve this very host over TLS at a port.
    pub(super) fn tls_request(&self, host: &HostPattern, port: u16) -> Option<&TlsRequest> {
        self.tls_requests(host).iter().find(|request| request.port() == Some(port))
    }

    /// The requests of Ingresses to serve this very host over TLS, one for each port.
    pub(super) fn tls_requests(&self, host: &HostPattern) -> &[TlsRequest] {
        self.hosts.get(host).map_or(&[], |entry| &entry.tls_requests)
    }

    /// The hosts that are served by the routes of a wider host.
    pub(super) fn borrowing(&self) -> impl Iterator<Item = &HostPattern> {
        self.borrowing.iter()
    }
}
