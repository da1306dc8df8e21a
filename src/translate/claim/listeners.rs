//! An index of the claims of listeners, for languages whose objects have listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::model::{HostPattern, ObjectRef, Protocol};
use crate::source::Key;

use super::host::{canonical, covers};
use super::{Age, Claim, LanguageClaims, PortProtocol, Ports};

/// What one listener claims.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::translate) struct ListenerClaim {
    pub(in crate::translate) at: PortProtocol,
    pub(in crate::translate) hosts: Vec<HostPattern>,
    /// Whether it can serve anything. One that can't keeps its hosts from others, but takes no port.
    pub(in crate::translate) serves: bool,
    /// Whether it has a certificate that can be used.
    pub(in crate::translate) is_certified: bool,
}

/// What the listeners of one object claim.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::translate) struct ObjectClaims {
    pub(in crate::translate) owner: ObjectRef,
    /// `metadata.creationTimestamp`
    pub(in crate::translate) created: Option<Time>,
    /// In the order listed.
    pub(in crate::translate) listeners: Vec<ListenerClaim>,
}

/// A host of a port that has a certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::translate) struct CertifiedHost {
    pub(in crate::translate) port: u16,
    pub(in crate::translate) host: HostPattern,
}

/// The claims of all listeners of one language, by object and by host.
#[derive(Debug, Default)]
pub(in crate::translate) struct ListenerClaims {
    objects: BTreeMap<Key, Arc<ObjectClaims>>,
    /// The listeners that claim each host, oldest first. Hosts are in their canonical form.
    by_host: BTreeMap<HostOfPort, Vec<Claimant>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct HostOfPort {
    at: PortProtocol,
    host: HostPattern,
}

/// A listener that claims a host.
#[derive(Debug)]
struct Claimant {
    object: Arc<ObjectClaims>,
    /// The index of the listener in its object.
    listener: usize,
}

impl ObjectClaims {
    fn claim(&self, listener: usize) -> Claim<'_> {
        Claim { age: Age::of(self.created.as_ref(), &self.owner), listener }
    }

    fn by_host(&self) -> impl Iterator<Item = (usize, HostOfPort)> {
        self.listeners.iter().enumerate().flat_map(|(index, listener)| {
            listener.hosts.iter().map(move |host| (index, HostOfPort { at: listener.at, host: canonical(host) }))
        })
    }
}

impl ListenerClaim {
    /// Whether it can serve clients over TLS.
    fn serves_tls(&self) -> bool {
        self.serves && self.is_certified
    }
}

impl Claimant {
    /// Whether its object is of a namespace. `None`: of any.
    fn is_of(&self, namespace: Option<&str>) -> bool {
        namespace.is_none_or(|namespace| self.object.owner.namespace() == namespace)
    }

    fn claim(&self) -> Claim<'_> {
        self.object.claim(self.listener)
    }

    fn listener(&self) -> &ListenerClaim {
        &self.object.listeners[self.listener]
    }
}

impl ListenerClaims {
    /// Puts the claims of an object in the place of those that it had; `None`: it claims nothing any more. Gives the hosts
    /// that it claims or claimed, where that has changed.
    pub(in crate::translate) fn replace(&mut self, key: &Key, claims: Option<ObjectClaims>) -> BTreeSet<HostPattern> {
        if self.objects.get(key).map(|object| &**object) == claims.as_ref() {
            return BTreeSet::new();
        }
        let mut changed = BTreeSet::new();
        if let Some(before) = self.objects.remove(key) {
            for (_, at) in before.by_host() {
                if let Some(claimants) = self.by_host.get_mut(&at) {
                    claimants.retain(|claimant| !Arc::ptr_eq(&claimant.object, &before));
                    if claimants.is_empty() {
                        self.by_host.remove(&at);
                    }
                }
                changed.insert(at.host);
            }
        }
        if let Some(now) = claims.map(Arc::new) {
            for (listener, at) in now.by_host() {
                changed.insert(at.host.clone());
                let claimants = self.by_host.entry(at).or_default();
                let position = claimants.partition_point(|other| other.claim() < now.claim(listener));
                claimants.insert(position, Claimant { object: Arc::clone(&now), listener });
            }
            self.objects.insert(key.clone(), now);
        }
        changed
    }

    /// The objects that claim any of `hosts`.
    pub(in crate::translate) fn claimants(&self, hosts: &BTreeSet<HostPattern>) -> BTreeSet<Key> {
        if self.by_host.is_empty() {
            return BTreeSet::new();
        }
        let hosts: BTreeSet<HostPattern> = hosts.iter().map(canonical).collect();
        let claimed = self.by_host.iter().filter(|(at, _)| hosts.contains(&at.host));
        claimed.flat_map(|(_, claimants)| claimants).map(|claimant| claimant.object.owner.key.clone()).collect()
    }

    /// The hosts for which the listeners of an object bring a certificate, whether or not other objects came first. Of two
    /// listeners of the object that claim one host, the first has it.
    pub(in crate::translate) fn certified_hosts(&self, key: &Key) -> BTreeSet<CertifiedHost> {
        let mut seen = BTreeSet::new();
        let mut certified = BTreeSet::new();
        for listener in self.objects.get(key).iter().flat_map(|object| &object.listeners) {
            for host in &listener.hosts {
                let at = HostOfPort { at: listener.at, host: canonical(host) };
                if seen.insert(at) && listener.serves_tls() {
                    certified.insert(CertifiedHost { port: listener.at.port, host: host.clone() });
                }
            }
        }
        certified
    }

    fn serving(&self) -> impl Iterator<Item = (Claim<'_>, PortProtocol)> {
        self.objects.values().flat_map(|object| {
            let listeners = object.listeners.iter().enumerate().filter(|(_, listener)| listener.serves);
            listeners.map(|(index, listener)| (object.claim(index), listener.at))
        })
    }
}

impl LanguageClaims for ListenerClaims {
    fn ports(&self) -> Vec<PortProtocol> {
        let ports: BTreeSet<PortProtocol> = self.serving().map(|(_, at)| at).collect();
        ports.into_iter().collect()
    }

    fn first_on_port(&self, at: PortProtocol) -> Option<Claim<'_>> {
        self.serving().filter(|(_, taken)| *taken == at).map(|(claim, _)| claim).min()
    }

    fn first_on_host(
        &self,
        at: PortProtocol,
        host: &HostPattern,
        ports: &Ports,
        tenant: Option<&str>,
    ) -> Option<Claim<'_>> {
        if self.by_host.is_empty() {
            return None;
        }
        let is_open = ports.speaks(at);
        let claimants = self.by_host.get(&HostOfPort { at, host: canonical(host) })?;
        let counts = |claimant: &&Claimant| claimant.is_of(tenant) && (is_open || !claimant.listener().serves);
        claimants.iter().find(counts).map(Claimant::claim)
    }

    fn first_to_name(&self, host: &HostPattern) -> Option<Claim<'_>> {
        let names = |wide: &HostPattern| *wide != HostPattern::Any && covers(wide, host) || *wide == canonical(host);
        let naming = self.by_host.iter().filter(|(at, _)| names(&at.host));
        naming.filter_map(|(_, claimants)| claimants.first()).map(Claimant::claim).min()
    }

    fn certified_claim(&self, port: u16, host: &HostPattern, tenant: Option<&str>) -> Option<Claim<'_>> {
        if self.by_host.is_empty() {
            return None;
        }
        let at = PortProtocol { port, protocol: Protocol::Https };
        let claimants = self.by_host.get(&HostOfPort { at, host: host.clone() })?;
        let counts = |claimant: &&Claimant| claimant.is_of(tenant) && claimant.listener().serves_tls();
        claimants.iter().find(counts).map(Claimant::claim)
    }

    fn certified_covers(&self, host: &HostPattern) -> Vec<CertifiedHost> {
        let covering = self.by_host.iter().filter(|(at, _)| covers(&at.host, host));
        let certified =
            covering.filter(|(_, claimants)| claimants.iter().any(|claimant| claimant.listener().serves_tls()));
        certified.map(|(at, _)| CertifiedHost { port: at.at.port, host: at.host.clone() }).collect()
    }
}
