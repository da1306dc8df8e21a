//! Ingresses: from all of them together to hosts and routes.
//!
//! Port 80 serves every host in clear text. Port 443 serves the hosts that some Ingress covers in `spec.tls`, with
//! the same routes. Several Ingresses share a host; of two routes with the same host and path the oldest stays.
//!
//! An Ingress is read once a version (`site`), and what its backends lead to is found out again only where one of their
//! Services changes. Hosts are what is made (`build`), each by itself.

mod backend;
mod build;
mod hosts;
mod merge;
mod redirect;
mod secure;
mod session;
mod site;
mod wide;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::Ingress;

use crate::model::{Action, Host, HostPattern, Kind, ObjectRef, PoolId, alternating};
use crate::report::Report;
use crate::source::Key;

use super::assembly::{Assembly, Replaced};
use super::class::Classes;
use super::lookup::Lookup;
use super::report::Reports;
use super::user::{User, Users};
use backend::Leads;
use site::Alike;

pub(super) use build::Builder;
pub(super) use hosts::Hosts;
pub(super) use session::websocket;
pub(super) use site::Site;
pub(super) use wide::Wide;

pub(super) const HTTP: u16 = 80;
pub(super) const HTTPS: u16 = 443;

/// Every Ingress that is served, and those of which something is told.
#[derive(Debug, Default)]
pub(super) struct Sites {
    entries: BTreeMap<Key, Entry>,
    /// How many there were when they were last put close together.
    close: usize,
    alike: Alike,
}

#[derive(Debug, Default)]
struct Entry {
    site: Option<Arc<Site>>,
    /// Where its places lead, each with how many routes go there.
    leads: Box<[(Leads, usize)]>,
    /// How many routes it has.
    routes: usize,
    told: Box<[Report]>,
}

impl Sites {
    /// Every Ingress that is known here.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys()
    }

    /// Puts them close together, now that there may be many more.
    pub(super) fn settle(&mut self) {
        put_close(&mut self.entries, &mut self.close);
    }

    /// The hosts that an Ingress covers in `spec.tls`.
    pub(super) fn covered(&self, key: &Key) -> impl Iterator<Item = &HostPattern> {
        let site = self.entries.get(key).and_then(|entry| entry.site.as_ref());
        site.into_iter().flat_map(|site| site.covers()).map(|(host, _)| host)
    }

    /// Reads a new version of an Ingress, or forgets it. Gives the hosts that it has and had to do with.
    pub(super) fn replace(
        &mut self,
        key: &Key,
        object: Option<&Ingress>,
        classes: &Classes,
        lookup: &Lookup<'_>,
        (hosts, users, assembly): (&mut Hosts, &mut Users, &mut Assembly),
    ) -> BTreeSet<HostPattern> {
        let (key, mut entry) = self.entries.remove_entry(key).unwrap_or_else(|| (key.clone(), Entry::default()));
        let mut reports = Reports::default();
        let site = object.and_then(|object| {
            // The same for as long as there is one: whoever counts routes holds it.
            let known = entry.site.as_ref().map(|site| Arc::clone(&site.owner));
            let owner = known.unwrap_or_else(|| Arc::new(ObjectRef { kind: Kind::Ingress, key: key.clone() }));
            let named = object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
            let class = classes.of(&owner, &object.metadata, named, &mut reports)?;
            Some(Arc::new(Site::read(owner, object, class, &mut self.alike, &mut reports)))
        });
        assembly.told.replace(&mut entry.told, reports.into_sorted());
        let before = std::mem::replace(&mut entry.site, site);
        let refers = |site: &Option<Arc<Site>>| site.as_ref().map(|site| site.refers()).unwrap_or_default();
        users.replace(&User::Ingress(key.clone()), &refers(&before), &refers(&entry.site));
        let mut touched = BTreeSet::new();
        if let Some(site) = &before {
            hosts.remove(site);
            touched.extend(site.touches());
        }
        if let Some(site) = &entry.site {
            hosts.add(site);
            touched.extend(site.touches());
        }
        entry.follow(lookup, assembly);
        if entry.site.is_none() {
            entry.routes = 0;
        }
        assembly.ingress(&key, entry.site.as_ref().map(|_| entry.routes > 0));
        if entry.site.is_some() || !entry.told.is_empty() {
            self.entries.insert(key, entry);
        }
        touched
    }

    /// Finds out anew where an Ingress leads. Gives the hosts whose routes change by it.
    pub(super) fn follow(&mut self, key: &Key, lookup: &Lookup<'_>, assembly: &mut Assembly) -> BTreeSet<HostPattern> {
        let Some(entry) = self.entries.get_mut(key) else { return BTreeSet::new() };
        let changed = entry.follow(lookup, assembly);
        entry.site.as_ref().filter(|_| changed).map(|site| site.touches()).unwrap_or_default()
    }

    /// Where a place of a site leads.
    fn leads(&self, site: &Site, place: usize) -> Option<&Leads> {
        self.entries.get(&site.owner.key)?.leads.get(place).map(|(leads, _)| leads)
    }

    /// Counts the routes that have come and gone, and puts the pools in place that they lead to.
    pub(super) fn count(&mut self, replaced: &[Replaced], assembly: &mut Assembly) {
        let mut touched = BTreeSet::new();
        let sides = |Replaced { before, now }: &'_ Replaced| [(now.clone(), true), (before.clone(), false)];
        for (host, comes) in replaced.iter().flat_map(sides) {
            for (owner, pool) in host.iter().flat_map(|host| routes(host)) {
                if let Some(entry) = self.entries.get_mut(&owner.key) {
                    entry.count(pool, comes);
                    touched.insert(owner.key.clone());
                }
            }
        }
        for key in alternating(touched) {
            let known = self.entries.get_key_value(&key).filter(|(_, entry)| entry.site.is_some());
            let Some((key, entry)) = known else { continue };
            entry.put_pools(assembly);
            assembly.ingress(key, Some(entry.routes > 0));
        }
    }
}

/// Makes a map anew that has more than twice what it had when this was last done, `before`: one that grows is half empty.
fn put_close<K: Ord, V>(map: &mut BTreeMap<K, V>, before: &mut usize) {
    if map.len() > *before * 2 {
        *before = map.len();
        *map = std::mem::take(map).into_iter().collect();
    }
}

/// The routes of Ingresses: whose each is, and which pool it leads to.
fn routes(host: &Host) -> impl Iterator<Item = (&ObjectRef, Option<&PoolId>)> {
    let routes = host.routes.iter().filter(|route| route.owner.kind == Kind::Ingress);
    routes.map(|route| match &route.action {
        Action::Forward(backend) => (&*route.owner, Some(&backend.pool)),
        _ => (&*route.owner, None),
    })
}

impl Entry {
    /// Whether routes change by it. Pools do at once.
    fn follow(&mut self, lookup: &Lookup<'_>, assembly: &mut Assembly) -> bool {
        let before = std::mem::take(&mut self.leads);
        let site = self.site.iter();
        let places = site.flat_map(|site| site.places.iter().map(|place| backend::follow(site, place, lookup)));
        self.leads = places.map(|leads| (leads, 0)).collect();
        let mut seen = BTreeSet::new();
        for (Leads { pool, .. }, used) in &before {
            let Ok((id, known)) = pool else { continue };
            // Routes are counted at the first place that leads to a pool, and that one's is served.
            if !seen.insert(id) {
                continue;
            }
            if let Some((new, count)) = self.leads_to(id) {
                if **new == **known {
                    *new = Arc::clone(known);
                }
                *count += used;
            } else {
                assembly.pool(id, None);
            }
        }
        self.put_pools(assembly);
        let same = |(a, b): (&(Leads, usize), &(Leads, usize))| {
            let id = |leads: &Leads| leads.pool.as_ref().map(|(id, _)| id.clone()).map_err(|reason| *reason);
            a.0.reports == b.0.reports && id(&a.0) == id(&b.0)
        };
        before.len() != self.leads.len() || !before.iter().zip(&self.leads).all(same)
    }

    /// The first place that leads to a pool: its routes are counted there.
    fn leads_to(&mut self, id: &PoolId) -> Option<(&mut Arc<crate::model::Pool>, &mut usize)> {
        self.leads.iter_mut().find_map(|(leads, count)| match &mut leads.pool {
            Ok((own, pool)) if own == id => Some((pool, count)),
            _ => None,
        })
    }

    fn count(&mut self, pool: Option<&PoolId>, comes: bool) {
        let count = |count: &mut usize| *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        count(&mut self.routes);
        if let Some((_, used)) = pool.and_then(|id| self.leads_to(id)) {
            count(used);
        }
    }

    fn put_pools(&self, assembly: &mut Assembly) {
        let mut seen = BTreeSet::new();
        for (leads, used) in &self.leads {
            if let Ok((id, pool)) = &leads.pool
                && seen.insert(id)
            {
                assembly.pool(id, Some(pool).filter(|_| *used > 0));
            }
        }
    }
}
