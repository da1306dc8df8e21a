//! The model, reports and what is served, put together of parts that come and go. What has not changed stays the same
//! object, so that those who come after look only at what has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use imbl::ordmap::Entry;

use crate::model::{
    Address, CertificateId, EndpointState, Host, HostPattern, Kind, Listener, Model, ObjectRef, Pool, PoolId,
};
use crate::source::Key;
use crate::status::{GatewayParts, Served};

use super::Translation;
use super::draft::DraftHost;
use super::lookup::Lookup;
use super::report::Told;

/// What has been put together so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    model: Model,
    served: Served,
    pub(super) told: Told,
    shown: Shown,
    /// How many pools have each address.
    known: HashMap<SocketAddr, usize>,
    /// Endpoints that go away, by their slice.
    leaving: BTreeMap<Key, Vec<(SocketAddr, EndpointState)>>,
}

/// A host that has taken the place of another, or of none; or is gone.
pub(super) struct Replaced {
    pub(super) before: Option<Arc<Host>>,
    pub(super) now: Option<Arc<Host>>,
}

impl Assembly {
    /// Puts a host in its place.
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
            self.shown.replace(before.as_ref(), default.as_ref());
        }
        let (before, now) = match listener.hosts.entry(pattern) {
            Entry::Occupied(held) if **held.get() == host => return None,
            Entry::Occupied(mut held) => {
                let now = Arc::new(host);
                (Some(held.insert(Arc::clone(&now))), now)
            }
            Entry::Vacant(place) => (None, Arc::clone(place.insert(Arc::new(host)))),
        };
        let certificate = |host: &'_ Arc<Host>| host.certificate.clone();
        let (shown, shows) = (before.as_ref().and_then(certificate), now.certificate.as_ref());
        self.shown.replace(shown.as_ref(), shows);
        Some(Replaced { before, now: Some(now) })
    }

    /// Removes a host that `gateway` has put there; or the Ingresses, without one.
    pub(super) fn remove_host(
        &mut self,
        port: u16,
        pattern: &HostPattern,
        gateway: Option<&ObjectRef>,
    ) -> Option<Replaced> {
        let listener = self.model.listeners.get_mut(&port)?;
        let first = listener.hosts.get(pattern)?.routes.first().map(|route| &*route.owner);
        // Who has taken it over meanwhile keeps it.
        if first.filter(|owner| owner.kind != Kind::Ingress) != gateway {
            return None;
        }
        let before = listener.hosts.remove(pattern)?;
        let default = if *pattern == HostPattern::Any { listener.default_certificate.take() } else { None };
        if listener.hosts.is_empty() {
            self.model.listeners.remove(&port);
        }
        for shown in default.iter().chain(&before.certificate) {
            self.shown.replace(Some(shown), None);
        }
        Some(Replaced { before: Some(before), now: None })
    }

    /// Puts the certificates in place that are shown now, and forgets those that are not any more.
    pub(super) fn settle(&mut self, lookup: &Lookup<'_>) {
        let turned = std::mem::take(&mut self.shown.turned);
        let read = lookup.certificates.borrow_mut().take_read();
        for id in turned.into_iter().chain(read) {
            let is_shown = self.shown.counts.contains_key(&id);
            match is_shown.then(|| lookup.usable(&id)).flatten() {
                Some(new) if self.model.certificates.get(&id).is_some_and(|known| Arc::ptr_eq(known, &new)) => {}
                Some(new) => drop(self.model.certificates.insert(id, new)),
                None => {
                    lookup.certificates.borrow_mut().forget(&id);
                    self.model.certificates.remove(&id);
                }
            }
        }
    }

    /// Puts a pool in its place, or removes it.
    pub(super) fn pool(&mut self, id: &PoolId, pool: Option<&Arc<Pool>>) {
        let before = self.model.pools.get(id);
        match (before, pool) {
            (None, None) => return,
            (Some(before), Some(pool)) if Arc::ptr_eq(before, pool) => return,
            _ => {}
        }
        for address in pool.into_iter().flat_map(|pool| sockets(pool)) {
            *self.known.entry(address).or_default() += 1;
        }
        let before = match pool {
            Some(pool) => self.model.pools.insert(id.clone(), Arc::clone(pool)),
            None => self.model.pools.remove(id),
        };
        for address in before.iter().flat_map(|pool| sockets(pool)) {
            if let Some(count) = self.known.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.known.remove(&address);
                }
            }
        }
    }

    /// The pool that stands in its place.
    pub(super) fn pool_of(&self, id: &PoolId) -> Option<&Arc<Pool>> {
        self.model.pools.get(id)
    }

    /// Notes that an Ingress is ours, and whether it has a route; or that it is not.
    pub(super) fn ingress(&mut self, key: &Key, has_route: Option<bool>) {
        let served = &mut self.served.ingresses;
        match has_route {
            None => drop(served.remove(key)),
            Some(has_route) if served.get(key) == Some(&has_route) => {}
            Some(has_route) => drop(served.insert(key.clone(), has_route)),
        }
    }

    /// Notes that a gateway is ours, and what came of its parts; or that it is not.
    pub(super) fn gateway(&mut self, key: &Key, parts: Option<GatewayParts>) {
        let served = &mut self.served.gateways;
        match parts {
            None => drop(served.remove(key)),
            Some(parts) if served.get(key).is_some_and(|known| **known == parts) => {}
            Some(parts) => drop(served.insert(key.clone(), Arc::new(parts))),
        }
    }

    /// Notes which endpoints of a slice go away.
    pub(super) fn leave(&mut self, slice: &Key, leaving: Vec<(SocketAddr, EndpointState)>) {
        if leaving.is_empty() {
            self.leaving.remove(slice);
        } else {
            self.leaving.insert(slice.clone(), leaving);
        }
    }

    /// All of it, as it is now.
    pub(super) fn translation(&mut self) -> Translation {
        let leaving = self.leaving.values().flatten().copied();
        self.model.departing = leaving.filter(|(address, _)| !self.known.contains_key(address)).collect();
        Translation { model: self.model.clone(), reports: self.told.all(), served: self.served.clone() }
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
struct Shown {
    counts: BTreeMap<CertificateId, usize>,
    /// Those that somebody shows, or nobody any more, since this was looked at.
    turned: BTreeSet<CertificateId>,
}

impl Shown {
    fn replace(&mut self, before: Option<&CertificateId>, now: Option<&CertificateId>) {
        if before == now {
            return;
        }
        if let Some(now) = now {
            let count = self.counts.entry(now.clone()).or_default();
            *count += 1;
            if *count == 1 {
                self.turned.insert(now.clone());
            }
        }
        let Some(before) = before else { return };
        let Some(count) = self.counts.get_mut(before) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(before);
            self.turned.insert(before.clone());
        }
    }
}
