//! Every gateway that is served, and the ports and hosts that their listeners claim.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Gateway, refers};
use crate::api::ApplicationGateway;
use crate::model::{HostPattern, Kind, ObjectRef, PoolId, Protocol};
use crate::report::Report;
use crate::source::Key;
use crate::translate::assembly::{Assembly, Replaced};
use crate::translate::claim::{Age, Claims, Holder, Ports, covers, key};
use crate::translate::class::Classes;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::user::{User, Users};

/// Every gateway that is served, and what it claims.
#[derive(Debug, Default)]
pub(in crate::translate) struct Frontends {
    gateways: BTreeMap<Key, Entry>,
    /// Who claims each host of a port, oldest first.
    claims: BTreeMap<Claim, Vec<Claimant>>,
    /// Hosts of ports that have a certificate, each with the gateway that gives it.
    certified: BTreeMap<HostPattern, BTreeMap<u16, Key>>,
}

/// A host of a port.
type Claim = (u16, Protocol, HostPattern);

/// A listener, by its gateway and its place there.
type Claimant = (Arc<Claiming>, usize);

#[derive(Debug, Default)]
struct Entry {
    claiming: Option<Arc<Claiming>>,
    /// What is in the index of it.
    claims: BTreeSet<Claim>,
    certified: BTreeSet<(u16, HostPattern)>,
    placed: BTreeSet<(u16, HostPattern)>,
    pools: BTreeSet<PoolId>,
    /// What was told of its class, and of all.
    of_class: Box<[Report]>,
    told: Box<[Report]>,
}

/// A gateway, as those who claim the same see it.
#[derive(Debug)]
pub(in crate::translate) struct Claiming {
    pub(in crate::translate) owner: ObjectRef,
    object: Arc<ApplicationGateway>,
    fronts: Vec<Front>,
}

/// What a listener claims.
#[derive(Debug, PartialEq)]
pub(super) struct Front {
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) hosts: Vec<HostPattern>,
    /// Whether it can serve anything.
    pub(super) serves: bool,
    pub(super) is_certified: bool,
}

impl Claiming {
    pub(in crate::translate) fn age(&self) -> Age<'_> {
        Age::of(self.object.metadata.creation_timestamp.as_ref(), &self.owner)
    }
}

impl Frontends {
    /// Every gateway that is known here.
    pub(in crate::translate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.gateways.keys()
    }

    /// Reads a gateway anew, or forgets it.
    pub(in crate::translate) fn read(
        &mut self,
        key: &Key,
        object: Option<&Arc<ApplicationGateway>>,
        classes: &Classes,
        lookup: &Lookup<'_>,
        users: &mut Users,
    ) {
        let entry = self.gateways.entry(key.clone()).or_default();
        let mut of_class = Reports::default();
        let owner = ObjectRef { kind: Kind::ApplicationGateway, key: key.clone() };
        let class = object.and_then(|object| {
            classes.of(&owner, &object.metadata, object.spec.ingress_class_name.as_deref(), &mut of_class)
        });
        let refer = |claiming: &Claiming| refers(&claiming.owner, &claiming.object);
        let before = entry.claiming.as_deref().map(refer).unwrap_or_default();
        let object = object.filter(|_| class.is_some());
        entry.claiming = object.map(|object| {
            let fronts = Gateway::read(&owner, object, lookup, &mut Reports::default()).fronts();
            Arc::new(Claiming { owner: owner.clone(), object: Arc::clone(object), fronts })
        });
        entry.of_class = of_class.into_sorted();
        let now = entry.claiming.as_deref().map(refer).unwrap_or_default();
        users.replace(&User::Gateway(key.clone()), &before, &now);
    }

    /// The ports that listeners take, oldest first.
    pub(in crate::translate) fn ports(&self) -> Vec<(Age<'_>, usize, u16, Protocol)> {
        let all = self.gateways.values().filter_map(|entry| entry.claiming.as_deref());
        let fronts = all.flat_map(|claiming| claiming.fronts.iter().enumerate().map(move |front| (claiming, front)));
        let serving = fronts.filter(|(_, (_, front))| front.serves);
        let mut ports: Vec<_> =
            serving.map(|(claiming, (place, front))| (claiming.age(), place, front.port, front.protocol)).collect();
        ports.sort();
        ports
    }

    /// Puts the claims of a gateway into the index. Gives the hosts that it claims and claimed.
    pub(in crate::translate) fn place(&mut self, gateway: &Key, ports: &Ports) -> BTreeSet<HostPattern> {
        let Some(entry) = self.gateways.get_mut(gateway) else { return BTreeSet::new() };
        let before = std::mem::take(&mut entry.claims);
        for claim in &before {
            let Some(claimants) = self.claims.get_mut(claim) else { continue };
            claimants.retain(|(claiming, _)| !is(claiming, gateway));
            if claimants.is_empty() {
                self.claims.remove(claim);
            }
        }
        if let Some(claiming) = &entry.claiming {
            for (place, front) in claiming.fronts.iter().enumerate() {
                let Front { port, protocol, hosts, serves, .. } = front;
                if *serves && ports.get(port).is_some_and(|(held, _)| held != protocol) {
                    continue;
                }
                for host in hosts {
                    let claim = (*port, *protocol, key(host));
                    let claimants = self.claims.entry(claim.clone()).or_default();
                    let at = claimants.partition_point(|(other, at)| (other.age(), *at) < (claiming.age(), place));
                    claimants.insert(at, (Arc::clone(claiming), place));
                    entry.claims.insert(claim);
                }
            }
        }
        before.union(&entry.claims).map(|(_, _, host)| host.clone()).collect()
    }

    /// The listener that came first to a host of a port.
    pub(in crate::translate) fn first(
        &self,
        port: u16,
        protocol: Protocol,
        host: &HostPattern,
    ) -> Option<(&Claiming, usize)> {
        if self.claims.is_empty() {
            return None;
        }
        let (claiming, place) = self.claims.get(&(port, protocol, key(host)))?.first()?;
        Some((claiming, *place))
    }

    /// The gateways that claim any of `hosts`.
    pub(in crate::translate) fn claimants(&self, hosts: &BTreeSet<HostPattern>) -> BTreeSet<Key> {
        if self.claims.is_empty() {
            return BTreeSet::new();
        }
        let hosts: BTreeSet<HostPattern> = hosts.iter().map(key).collect();
        let wanted = self.claims.iter().filter(|((_, _, host), _)| hosts.contains(host));
        let owners = wanted.flat_map(|(_, claimants)| claimants).map(|(claiming, _)| &claiming.owner);
        owners.map(|owner| owner.key.clone()).collect()
    }

    /// Finds out which hosts of a gateway have a certificate.
    pub(in crate::translate) fn certified_by(
        &self,
        gateway: &Key,
        claims: &Claims<'_>,
    ) -> BTreeSet<(u16, HostPattern)> {
        let claiming = self.gateways.get(gateway).and_then(|entry| entry.claiming.as_ref());
        let fronts = claiming.into_iter().flat_map(|claiming| claiming.fronts.iter().enumerate());
        let mut certified = BTreeSet::new();
        for (place, Front { port, protocol, hosts, .. }) in
            fronts.filter(|(_, front)| front.serves && front.is_certified)
        {
            let holds = |host: &&HostPattern| match claims.holder(*port, *protocol, host) {
                Some(Holder::Listener(owner, held)) => is_owner(owner, gateway) && held == place,
                _ => false,
            };
            certified.extend(hosts.iter().filter(holds).map(|host| (*port, host.clone())));
        }
        certified
    }

    /// Notes which hosts of a gateway have a certificate. Gives those for which that has changed.
    pub(in crate::translate) fn certify(
        &mut self,
        gateway: &Key,
        certified: BTreeSet<(u16, HostPattern)>,
    ) -> BTreeSet<HostPattern> {
        let Some(entry) = self.gateways.get_mut(gateway) else { return BTreeSet::new() };
        let changed: Vec<_> = entry.certified.symmetric_difference(&certified).cloned().collect();
        for (port, host) in &changed {
            let ports = self.certified.entry(host.clone()).or_default();
            if certified.contains(&(*port, host.clone())) {
                ports.insert(*port, gateway.clone());
            } else if ports.get(port) == Some(gateway) {
                // Who has taken it over meanwhile keeps it.
                ports.remove(port);
            }
            if ports.is_empty() {
                self.certified.remove(host);
            }
        }
        entry.certified = certified;
        changed.into_iter().map(|(_, host)| host).collect()
    }

    /// Whether a host of a port has a certificate of a gateway.
    pub(in crate::translate) fn is_certified(&self, port: u16, host: &HostPattern) -> bool {
        self.certified.get(host).is_some_and(|ports| ports.contains_key(&port))
    }

    /// The ports on which a host is served with a certificate of a gateway, be it as one of a wider host.
    pub(in crate::translate) fn certified_ports(&self, host: &HostPattern) -> impl Iterator<Item = u16> {
        let wide = self.certified.iter().filter(move |(wide, _)| covers(wide, host));
        wide.flat_map(|(_, ports)| ports.keys()).copied()
    }

    /// Makes a gateway.
    pub(in crate::translate) fn build(&self, gateway: &Key, claims: &Claims<'_>, lookup: &Lookup<'_>) -> Draft {
        let mut draft = Draft::default();
        let Some(Entry { claiming, of_class, .. }) = self.gateways.get(gateway) else { return draft };
        draft.reports.extend(of_class);
        if let Some(Claiming { owner, object, .. }) = claiming.as_deref() {
            let gateway = Gateway::read(owner, object, lookup, &mut draft.reports);
            gateway.claim(claims, &mut draft.reports);
            gateway.build(lookup, claims, &mut draft);
        }
        draft
    }

    /// Puts what a gateway has been made to, in the place of what it was.
    pub(in crate::translate) fn put(&mut self, gateway: &Key, draft: Draft, assembly: &mut Assembly) -> Vec<Replaced> {
        let Some(entry) = self.gateways.get_mut(gateway) else { return Vec::new() };
        let Draft { reports, hosts, pools, parts } = draft;
        assembly.told.replace(&mut entry.told, reports.into_sorted());
        assembly.gateway(gateway, entry.claiming.as_ref().map(|_| parts));
        let owner = ObjectRef { kind: Kind::ApplicationGateway, key: gateway.clone() };
        let mut replaced = Vec::new();
        let placed: BTreeSet<_> = hosts.keys().cloned().collect();
        for (port, host) in std::mem::take(&mut entry.placed).difference(&placed) {
            replaced.extend(assembly.remove_host(*port, host, Some(&owner)));
        }
        for ((port, host), drafted) in hosts {
            replaced.extend(assembly.put_host(port, host, drafted));
        }
        entry.placed = placed;
        let ids: BTreeSet<PoolId> = pools.keys().cloned().collect();
        for id in entry.pools.difference(&ids) {
            assembly.pool(id, None);
        }
        for (id, pool) in pools {
            if assembly.pool_of(&id).is_none_or(|known| **known != pool) {
                assembly.pool(&id, Some(&Arc::new(pool)));
            }
        }
        entry.pools = ids;
        if entry.claiming.is_none() && entry.told.is_empty() {
            self.gateways.remove(gateway);
        }
        replaced
    }
}

fn is(claiming: &Claiming, gateway: &Key) -> bool {
    is_owner(&claiming.owner, gateway)
}

fn is_owner(owner: &ObjectRef, gateway: &Key) -> bool {
    owner.kind == Kind::ApplicationGateway && owner.namespace() == gateway.namespace() && owner.name() == gateway.name()
}
