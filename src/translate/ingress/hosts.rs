//! Hosts that Ingresses have to do with: who wants each, oldest first, and who decides on its certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::HostPattern;
use crate::report::Report;

use super::host_tls::{self, HostTls, TlsRequest};
use super::parsed::ParsedIngress;
use super::put_close;
use crate::translate::claim::wider;
use crate::translate::lookup::Lookup;
use crate::translate::report::{Reports, Told};

/// Every host that an Ingress has to do with.
#[derive(Debug, Default)]
pub(in crate::translate) struct Hosts {
    hosts: BTreeMap<HostPattern, Named>,
    /// How many there were when they were last put close together.
    close: usize,
    /// How many of them are asked for over TLS.
    tls_requests: usize,
    /// Those that stand in `spec.tls` alone: a wider host's routes serve them.
    borrowing: BTreeSet<HostPattern>,
}

/// One host.
#[derive(Debug, Default)]
struct Named {
    ingresses: Vec<Arc<ParsedIngress>>,
    tls_request: Option<Box<TlsRequest>>,
    /// What was said of who asks, and of what was made: nothing, of most.
    told: Option<Box<[Box<[Report]>; 2]>>,
}

impl Named {
    /// Puts what is said now in the place of what was said before.
    fn tell(&mut self, of: usize, now: Box<[Report]>, told: &mut Told) {
        if self.told.is_none() && now.is_empty() {
            return;
        }
        let all = self.told.get_or_insert_default();
        told.replace(&mut all[of], now);
        if all.iter().all(|reports| reports.is_empty()) {
            self.told = None;
        }
    }
}

impl Hosts {
    /// Puts them close together, now that there may be many more.
    pub(in crate::translate) fn settle(&mut self) {
        put_close(&mut self.hosts, &mut self.close);
    }

    /// Adds an Ingress to its hosts.
    pub(in crate::translate) fn add(&mut self, ingress: &Arc<ParsedIngress>) {
        for host in ingress.all_hosts() {
            let ingresses = &mut self.hosts.entry(host).or_default().ingresses;
            if ingresses.is_empty() {
                // There is one, nearly always.
                ingresses.reserve_exact(1);
            }
            let at = ingresses.partition_point(|other| other.age() < ingress.age());
            ingresses.insert(at, Arc::clone(ingress));
        }
    }

    /// Removes an Ingress from its hosts.
    pub(in crate::translate) fn remove(&mut self, ingress: &Arc<ParsedIngress>) {
        for host in ingress.all_hosts() {
            if let Some(named) = self.hosts.get_mut(&host) {
                named.ingresses.retain(|other| !Arc::ptr_eq(other, ingress));
            }
        }
    }

    /// Decides anew who asks for a host over TLS; forgets one that nobody has to do with any more.
    pub(in crate::translate) fn decide(&mut self, host: &HostPattern, lookup: &Lookup<'_>, told: &mut Told) {
        let Some(named) = self.hosts.get_mut(host) else { return };
        let mut reports = Reports::default();
        let before = named.tls_request.is_some();
        named.tls_request = host_tls::decide(host, &named.ingresses, lookup, &mut reports).map(Box::new);
        named.tell(0, reports.into_sorted(), told);
        self.tls_requests = self.tls_requests + usize::from(named.tls_request.is_some()) - usize::from(before);
        let borrows = named.tls_request.is_some() && !named.ingresses.iter().any(|ingress| ingress.serves(host));
        if borrows {
            self.borrowing.insert(host.clone())
        } else {
            self.borrowing.remove(host)
        };
    }

    /// Puts what was said in making a host in the place of what was said before.
    pub(in crate::translate) fn tell(&mut self, host: &HostPattern, reports: Box<[Report]>, told: &mut Told) {
        let Some(named) = self.hosts.get_mut(host) else { return };
        named.tell(1, reports, told);
        if named.ingresses.is_empty() {
            self.hosts.remove(host);
        }
    }

    /// Every host.
    pub(in crate::translate) fn all(&self) -> impl Iterator<Item = &HostPattern> {
        self.hosts.keys()
    }

    /// The Ingresses that have to do with a host, oldest first.
    pub(super) fn ingresses(&self, host: &HostPattern) -> &[Arc<ParsedIngress>] {
        self.hosts.get(host).map_or(&[], |named| &named.ingresses)
    }

    /// The oldest Ingress that serves a host.
    pub(in crate::translate) fn first(&self, host: &HostPattern) -> Option<&ParsedIngress> {
        self.ingresses(host).iter().find(|ingress| ingress.serves(host)).map(|ingress| &**ingress)
    }

    /// How a host comes to be served over TLS, if it does.
    pub(in crate::translate) fn tls(&self, host: &HostPattern) -> Option<HostTls<'_>> {
        if let Some(request) = self.tls_request(host) {
            return Some(request.tls());
        }
        self.first(host)?;
        wider(host).find_map(|wide| Some(self.tls_request(&wide)?.inherited(&wide)))
    }

    /// The oldest Ingress that takes ports 80 and 443.
    pub(in crate::translate) fn first_of_ports(&self) -> [Option<&ParsedIngress>; 2] {
        let clear = self.hosts.keys().filter_map(|host| self.first(host));
        let tls = self.hosts.keys().filter_map(|host| Some(&**self.tls(host)?.ingress));
        [clear.min_by_key(|ingress| ingress.age()), tls.min_by_key(|ingress| ingress.age())]
    }

    /// Whether some Ingress takes ports 80 and 443.
    pub(in crate::translate) fn take_ports(&self) -> [bool; 2] {
        [self.hosts.keys().any(|host| self.first(host).is_some()), self.tls_requests > 0]
    }

    /// Whether a host has routes of its own.
    pub(super) fn is_served(&self, host: &HostPattern) -> bool {
        self.first(host).is_some()
    }

    /// The hosts that a wider one's routes serve.
    pub(super) fn borrowing(&self) -> impl Iterator<Item = &HostPattern> {
        self.borrowing.iter()
    }

    /// Who asks for a host over TLS.
    pub(super) fn tls_request(&self, host: &HostPattern) -> Option<&TlsRequest> {
        self.hosts.get(host)?.tls_request.as_deref()
    }
}
