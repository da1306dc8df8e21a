//! The model, the reports and the lists of what is served, put together of parts that come and go.
//!
//! What has not changed stays the same object, so that whoever reads the model next looks only at what has. This module
//! knows no language.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use imbl::ordmap::Entry;

use crate::model::{
    Address, CertificateId, EndpointState, Host, HostPattern, Listener, Model, ObjectRef, Pool, PoolId,
};
use crate::source::Key;
use crate::status::Served;

use super::Translation;
use super::draft::DraftHost;
use super::lookup::Lookup;
use super::report::AllReports;

/// What has been put together so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    model: Model,
    /// The objects that are served. Each language keeps its own part of it.
    pub(super) served: Served,
    pub(super) reports: AllReports,
    shown_certificates: ShownCertificates,
    /// How many pools have each address.
    pool_addresses: HashMap<SocketAddr, usize>,
    /// Endpoints that are terminating, by their slice.
    terminating: BTreeMap<Key, Vec<(SocketAddr, EndpointState)>>,
}

/// A host of a port that was replaced in the model, or that came (nothing before) or went (nothing now).
pub(super) struct Replaced {
    pub(super) before: Option<Arc<Host>>,
    pub(super) now: Option<Arc<Host>>,
}

impl Assembly {
    /// Puts a host of a port into the model. Gives it with the host that was there before, if the two differ.
    pub(super) fn put_host(&mut self, port: u16, pattern: HostPattern, drafted: DraftHost) -> Option<Replaced> {
        let DraftHost { protocol, host, default_certificate: default } = drafted;
        let listener = self.model.listeners.entry(port).or_insert_with(|| Listener {
            protocol,
            hosts: Default::default(),
            default_certificate: None,
        });
        listener.protocol = protocol;
        if pattern == HostPattern::Any && listener.default_certificate != default {
            let before = std::mem::replace(&mut listener.default_certificate, default.clone());
            self.shown_certificates.replace(before.as_ref(), default.as_ref());
        }
        let (before, now) = match listener.hosts.entry(pattern) {
            Entry::Occupied(held) if **held.get() == host => return None,
            Entry::Occupied(mut held) => {
                let now = Arc::new(host);
                (Some(held.insert(Arc::clone(&now))), now)
            }
            Entry::Vacant(vacant) => (None, Arc::clone(vacant.insert(Arc::new(host)))),
        };
        let certificate = |host: &'_ Arc<Host>| host.certificate.clone();
        let (old, new) = (before.as_ref().and_then(certificate), now.certificate.as_ref());
        self.shown_certificates.replace(old.as_ref(), new);
        Some(Replaced { before, now: Some(now) })
    }

    /// Removes a host of a port from the model, if it is the caller's: `owns` decides so by the owner of its first route
    /// (`None`: the host has no route). Another object may have taken the host over meanwhile, and then keeps it.
    pub(super) fn remove_host(
        &mut self,
        port: u16,
        pattern: &HostPattern,
        owns: impl FnOnce(Option<&ObjectRef>) -> bool,
    ) -> Option<Replaced> {
        let listener = self.model.listeners.get_mut(&port)?;
        if !owns(listener.hosts.get(pattern)?.routes.first().map(|route| &*route.owner)) {
            return None;
        }
        let before = listener.hosts.remove(pattern)?;
        let default = if *pattern == HostPattern::Any { listener.default_certificate.take() } else { None };
        if listener.hosts.is_empty() {
            self.model.listeners.remove(&port);
        }
        for certificate in default.iter().chain(&before.certificate) {
            self.shown_certificates.replace(Some(certificate), None);
        }
        Some(Replaced { before: Some(before), now: None })
    }

    /// Brings the certificates of the model up to date: those that some host shows are in it, and no others.
    pub(super) fn update_certificates(&mut self, lookup: &Lookup<'_>) {
        let changed = std::mem::take(&mut self.shown_certificates.changed);
        let read = lookup.certificates.borrow_mut().take_read();
        for id in changed.into_iter().chain(read) {
            let is_shown = self.shown_certificates.counts.contains_key(&id);
            match is_shown.then(|| lookup.usable(&id)).flatten() {
                Some(new) if self.model.certificates.get(&id).is_some_and(|known| Arc::ptr_eq(known, &new)) => {}
                Some(new) => {
                    self.model.certificates.insert(id, new);
                }
                None => {
                    lookup.certificates.borrow_mut().forget(&id);
                    self.model.certificates.remove(&id);
                }
            }
        }
    }

    /// Sets the certificate that is shown where a host has none.
    pub(super) fn put_default_certificate(&mut self, id: Option<&CertificateId>) {
        self.shown_certificates.replace(self.model.default_certificate.as_ref(), id);
        self.model.default_certificate = id.cloned();
    }

    /// Puts a pool into the model in the place of the one with its id; `None`: removes that.
    pub(super) fn put_pool(&mut self, id: &PoolId, pool: Option<&Arc<Pool>>) {
        let before = self.model.pools.get(id);
        match (before, pool) {
            (None, None) => return,
            (Some(before), Some(pool)) if Arc::ptr_eq(before, pool) => return,
            _ => {}
        }
        for address in pool.into_iter().flat_map(|pool| sockets(pool)) {
            *self.pool_addresses.entry(address).or_default() += 1;
        }
        let before = match pool {
            Some(pool) => self.model.pools.insert(id.clone(), Arc::clone(pool)),
            None => self.model.pools.remove(id),
        };
        for address in before.iter().flat_map(|pool| sockets(pool)) {
            if let Some(count) = self.pool_addresses.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.pool_addresses.remove(&address);
                }
            }
        }
    }

    /// The pool of the model with this id.
    pub(super) fn pool(&self, id: &PoolId) -> Option<&Arc<Pool>> {
        self.model.pools.get(id)
    }

    /// Replaces the endpoints of an EndpointSlice that are terminating.
    pub(super) fn put_terminating(&mut self, slice: &Key, endpoints: Vec<(SocketAddr, EndpointState)>) {
        if endpoints.is_empty() {
            self.terminating.remove(slice);
        } else {
            self.terminating.insert(slice.clone(), endpoints);
        }
    }

    /// All of it, as it is now.
    pub(super) fn translation(&mut self) -> Translation {
        let terminating = self.terminating.values().flatten().copied();
        let departing = terminating.filter(|(address, _)| !self.pool_addresses.contains_key(address));
        self.model.departing = departing.collect();
        Translation { model: self.model.clone(), reports: self.reports.all(), served: self.served.clone() }
    }
}

fn sockets(pool: &Pool) -> impl Iterator<Item = SocketAddr> {
    pool.endpoints.iter().filter_map(|endpoint| match &endpoint.address {
        Address::Socket(address) => Some(*address),
        Address::Name(..) => None,
    })
}

/// How many hosts show each certificate.
#[derive(Debug, Default)]
struct ShownCertificates {
    counts: BTreeMap<CertificateId, usize>,
    /// Certificates that a first host has begun to show, or the last has ceased to, since [`Assembly::update_certificates`] was called.
    changed: BTreeSet<CertificateId>,
}

impl ShownCertificates {
    /// Counts a host that showed `before` and shows `now`.
    fn replace(&mut self, before: Option<&CertificateId>, now: Option<&CertificateId>) {
        if before == now {
            return;
        }
        if let Some(now) = now {
            let count = self.counts.entry(now.clone()).or_default();
            *count += 1;
            if *count == 1 {
                self.changed.insert(now.clone());
            }
        }
        let Some(before) = before else { return };
        let Some(count) = self.counts.get_mut(before) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(before);
            self.changed.insert(before.clone());
        }
    }
}
