//! Hosts that Ingresses have to do with: who wants each, oldest first, and who decides on its certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::HostPattern;
use crate::report::Report;

use super::put_close;
use super::secure::{self, Asked, Secure};
use super::site::Site;
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
    asked: usize,
    /// Those that stand in `spec.tls` alone: a wider host's routes serve them.
    borrowing: BTreeSet<HostPattern>,
}

/// One host.
#[derive(Debug, Default)]
struct Named {
    sites: Vec<Arc<Site>>,
    asked: Option<Box<Asked>>,
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

    /// Adds a site to its hosts.
    pub(in crate::translate) fn add(&mut self, site: &Arc<Site>) {
        for host in site.touches() {
            let sites = &mut self.hosts.entry(host).or_default().sites;
            if sites.is_empty() {
                // There is one, nearly always.
                sites.reserve_exact(1);
            }
            let at = sites.partition_point(|other| other.age() < site.age());
            sites.insert(at, Arc::clone(site));
        }
    }

    /// Removes a site from its hosts.
    pub(in crate::translate) fn remove(&mut self, site: &Arc<Site>) {
        for host in site.touches() {
            if let Some(named) = self.hosts.get_mut(&host) {
                named.sites.retain(|other| !Arc::ptr_eq(other, site));
            }
        }
    }

    /// Decides anew who asks for a host over TLS; forgets one that nobody has to do with any more.
    pub(in crate::translate) fn decide(&mut self, host: &HostPattern, lookup: &Lookup<'_>, told: &mut Told) {
        let Some(named) = self.hosts.get_mut(host) else { return };
        let mut reports = Reports::default();
        let before = named.asked.is_some();
        named.asked = secure::decide(host, &named.sites, lookup, &mut reports).map(Box::new);
        named.tell(0, reports.into_sorted(), told);
        self.asked = self.asked + usize::from(named.asked.is_some()) - usize::from(before);
        let borrows = named.asked.is_some() && !named.sites.iter().any(|site| site.serves(host));
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
        if named.sites.is_empty() {
            self.hosts.remove(host);
        }
    }

    /// Every host.
    pub(in crate::translate) fn all(&self) -> impl Iterator<Item = &HostPattern> {
        self.hosts.keys()
    }

    /// The sites that have to do with a host, oldest first.
    pub(super) fn sites(&self, host: &HostPattern) -> &[Arc<Site>] {
        self.hosts.get(host).map_or(&[], |named| &named.sites)
    }

    /// The oldest site that serves a host.
    pub(in crate::translate) fn first(&self, host: &HostPattern) -> Option<&Site> {
        self.sites(host).iter().find(|site| site.serves(host)).map(|site| &**site)
    }

    /// How a host comes to be served over TLS, if it does.
    pub(in crate::translate) fn secure(&self, host: &HostPattern) -> Option<Secure<'_>> {
        if let Some(asked) = self.asked(host) {
            return Some(asked.secure());
        }
        self.first(host)?;
        wider(host).find_map(|wide| Some(self.asked(&wide)?.within(&wide)))
    }

    /// The oldest Ingress that takes ports 80 and 443.
    pub(in crate::translate) fn first_of_ports(&self) -> [Option<&Site>; 2] {
        let clear = self.hosts.keys().filter_map(|host| self.first(host));
        let secure = self.hosts.keys().filter_map(|host| Some(&**self.secure(host)?.site));
        [clear.min_by_key(|site| site.age()), secure.min_by_key(|site| site.age())]
    }

    /// Whether some Ingress takes ports 80 and 443.
    pub(in crate::translate) fn take_ports(&self) -> [bool; 2] {
        [self.hosts.keys().any(|host| self.first(host).is_some()), self.asked > 0]
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
    pub(super) fn asked(&self, host: &HostPattern) -> Option<&Asked> {
        self.hosts.get(host)?.asked.as_deref()
    }
}
