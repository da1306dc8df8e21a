//! From one snapshot to the next: what has changed, what that leads to, and what is made anew of it.
//!
//! An object that has changed touches hosts (its own) and gateways (those that refer to it). A host touches the gateways
//! that claim it, a gateway the hosts that it claims, and a wide host the narrow ones that go by it. What is touched is
//! made anew, and counts only where it differs from what it was.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::model::{HostPattern, Kind, ObjectRef, Protocol, alternating};
use crate::report::Report;
use crate::source::{Key, Snapshot};

use super::application_gateway::Frontends;
use super::assembly::Assembly;
use super::certificate::CertificateCache;
use super::change::Changes;
use super::claim::{Claims, Ports, covers, of_ingress};
use super::class::Classes;
use super::draft::Draft;
use super::ingress::{Builder, HTTP, HTTPS, Hosts, Ingresses, Wide};
use super::interner::Interner;
use super::lookup::Lookup;
use super::report::Reports;
use super::service;
use super::slice_index::{SliceIndex, TouchedEndpoints};
use super::user::{User, Users};
use super::{Options, Translation};

/// Translates snapshot after snapshot, at the cost of what has changed.
#[derive(Debug)]
pub struct Translator {
    options: Options,
    snapshot: Snapshot,
    /// `None`: nothing has been translated yet.
    classes: Option<Classes>,
    told_of_classes: Box<[Report]>,
    slices: SliceIndex,
    certificates: RefCell<CertificateCache>,
    interner: RefCell<Interner>,
    users: Users,
    ingresses: Ingresses,
    hosts: Hosts,
    frontends: Frontends,
    ports: Ports,
    wide: Wide,
    assembly: Assembly,
    work: Work,
}

/// How much has been made anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Ingresses that were read.
    pub ingresses: usize,
    /// Ingresses whose backends were followed, though they had not changed.
    pub backends: usize,
    /// Hosts of Ingresses.
    pub hosts: usize,
    /// ApplicationGateways.
    pub gateways: usize,
}

impl Translator {
    /// One that has translated nothing.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            snapshot: Snapshot::default(),
            classes: None,
            told_of_classes: Box::default(),
            slices: SliceIndex::default(),
            certificates: RefCell::default(),
            interner: RefCell::default(),
            users: Users::default(),
            ingresses: Ingresses::default(),
            hosts: Hosts::default(),
            frontends: Frontends::default(),
            ports: Ports::default(),
            wide: Wide::default(),
            assembly: Assembly::default(),
            work: Work::default(),
        }
    }

    /// What the last update made anew.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Translates a snapshot. What has not changed since the one before is the same object in the model.
    pub fn update(&mut self, snapshot: &Snapshot) -> Translation {
        let old = std::mem::replace(&mut self.snapshot, snapshot.clone());
        let mut changes = Changes::between(&old, snapshot);
        if changes.classes || self.classes.is_none() {
            let mut reports = Reports::default();
            self.classes = Some(Classes::read(snapshot, &self.options, &mut reports));
            self.assembly.told.replace(&mut self.told_of_classes, reports.into_sorted());
            changes.ingresses.extend(snapshot.ingresses.keys().chain(self.ingresses.keys()).cloned());
            changes.gateways.extend(snapshot.gateways.keys().chain(self.frontends.keys()).cloned());
        }
        self.work = Work { ingresses: changes.ingresses.len(), ..Work::default() };
        let (hosts, gateways) = self.read(&old, changes);
        let (hosts, gateways) = self.claim(hosts, gateways);
        self.make(&hosts, &gateways);
        self.interner.get_mut().remove_unused();
        self.ingresses.settle();
        self.hosts.settle();
        let Self { snapshot, slices, certificates, interner, assembly, .. } = self;
        assembly.settle(&Lookup { snapshot, slices, certificates, interner });
        self.assembly.translation()
    }

    /// Reads what has changed. Gives the hosts and gateways that this touches.
    fn read(&mut self, old: &Snapshot, changes: Changes) -> (BTreeSet<HostPattern>, BTreeSet<Key>) {
        let Self { snapshot, slices, certificates, interner, users, ingresses, hosts, frontends, assembly, .. } = self;
        changes.secrets.iter().for_each(|secret| certificates.get_mut().invalidate(secret));
        let TouchedEndpoints { slices: touched_slices, services } = slices.update(old, snapshot, &changes);
        let lookup = Lookup { snapshot, slices, certificates, interner };
        for key in &touched_slices {
            let slice = snapshot.endpoint_slices.get(key);
            assembly.leave(key, slice.map(|slice| service::terminating(key, slice, &lookup)).unwrap_or_default());
        }
        let Some(classes) = &self.classes else { return Default::default() };
        let mut touched = BTreeSet::new();
        for key in alternating(&changes.ingresses) {
            let object = snapshot.ingresses.get(key).map(|object| object.unpack());
            touched.extend(ingresses.replace(key, object.as_ref(), classes, &lookup, (hosts, users, assembly)));
        }
        let mut gateways = changes.gateways;
        let by_service: BTreeSet<&User> = services.iter().filter_map(|key| users.services.get(key)).flatten().collect();
        for user in by_service {
            match user {
                User::Ingress(key) if changes.ingresses.contains(key) => {}
                User::Ingress(key) => {
                    self.work.backends += 1;
                    touched.extend(ingresses.resolve(key, &lookup, assembly));
                }
                User::Gateway(key) => drop(gateways.insert(key.clone())),
            }
        }
        let by_secret = changes.secrets.iter().filter_map(|key| users.secrets.get(key));
        let by_map = changes.config_maps.iter().filter_map(|key| users.config_maps.get(key));
        for user in by_secret.chain(by_map).flatten() {
            match user {
                User::Ingress(key) => touched.extend(ingresses.covered(key).cloned()),
                User::Gateway(key) => drop(gateways.insert(key.clone())),
            }
        }
        for key in &gateways {
            frontends.read(key, snapshot.gateways.get(key), classes, &lookup, users);
        }
        for host in &touched {
            hosts.decide(host, &lookup, &mut assembly.told);
        }
        (touched, gateways)
    }

    /// Brings ports and claims up to date. Gives all hosts and gateways that have to be made anew.
    fn claim(
        &mut self,
        mut hosts: BTreeSet<HostPattern>,
        mut gateways: BTreeSet<Key>,
    ) -> (BTreeSet<HostPattern>, BTreeSet<Key>) {
        let ports = self.take_ports();
        if ports != self.ports {
            self.ports = ports;
            hosts.extend(self.hosts.all().cloned());
            gateways.extend(self.frontends.keys().cloned());
        }
        let mut claimed = BTreeSet::new();
        for gateway in &gateways {
            claimed.extend(self.frontends.place(gateway, &self.ports));
        }
        hosts.extend(claimed.iter().filter_map(of_ingress));
        gateways.extend(self.frontends.claimants(&claimed));
        let mut new = gateways.clone();
        loop {
            for gateway in &new {
                let certified = self.frontends.certified_by(gateway, &self.claims());
                for pattern in self.frontends.certify(gateway, certified) {
                    hosts.extend(self.hosts.all().filter(|host| covers(&pattern, host)).cloned());
                }
            }
            let claims = Claims { hosts: &self.hosts, frontends: &self.frontends, ports: &self.ports };
            self.wide.widen(&mut hosts, &claims);
            new = self.frontends.claimants(&hosts).difference(&gateways).cloned().collect();
            if new.is_empty() {
                return (hosts, gateways);
            }
            gateways.extend(new.iter().cloned());
        }
    }

    /// Makes hosts and gateways, and puts them in their places.
    fn make(&mut self, hosts: &BTreeSet<HostPattern>, gateways: &BTreeSet<Key>) {
        self.work = Work { hosts: hosts.len(), gateways: gateways.len(), ..self.work };
        let mut replaced = Vec::new();
        for host in alternating(hosts) {
            let builder = Builder { ingresses: &self.ingresses, claims: self.claims(), lookup: self.lookup() };
            let Draft { reports, hosts: mut drafted, .. } = builder.build(host);
            for port in [HTTP, HTTPS] {
                replaced.extend(match drafted.remove(&(port, host.clone())) {
                    Some(drafted) => self.assembly.put_host(port, host.clone(), drafted),
                    None => self.assembly.remove_host(port, host, None),
                });
            }
            self.hosts.tell(host, reports.into_sorted(), &mut self.assembly.told);
        }
        for gateway in gateways {
            let draft = self.frontends.build(gateway, &self.claims(), &self.lookup());
            replaced.extend(self.frontends.put(gateway, draft, &mut self.assembly));
        }
        self.ingresses.count(&replaced, &mut self.assembly);
    }

    /// The protocol of each port: that of whoever came first to it.
    fn take_ports(&self) -> Ports {
        let mut taken = self.frontends.ports();
        let ours = [(HTTP, Protocol::Http), (HTTPS, Protocol::Https)];
        let others = [(HTTP, Protocol::Https), (HTTPS, Protocol::Http)];
        let contested = taken.iter().any(|(.., port, protocol)| others.contains(&(*port, *protocol)));
        let first = if contested { self.hosts.first_of_ports() } else { [None, None] };
        for ((port, protocol), ingress) in ours.into_iter().zip(first) {
            taken.extend(ingress.map(|ingress| (ingress.age(), 0, port, protocol)));
        }
        taken.sort();
        let mut ports = Ports::new();
        for (age, _, port, protocol) in taken {
            ports.entry(port).or_insert_with(|| (protocol, age.object().clone()));
        }
        // Where nobody wants it for anything else, it does not matter who was first.
        for ((port, protocol), takes) in ours.into_iter().zip(self.hosts.take_ports()) {
            if takes && !contested {
                ports.insert(port, (protocol, ObjectRef::new(Kind::Ingress, "", "")));
            }
        }
        ports
    }

    fn claims(&self) -> Claims<'_> {
        Claims { hosts: &self.hosts, frontends: &self.frontends, ports: &self.ports }
    }

    fn lookup(&self) -> Lookup<'_> {
        let Self { snapshot, slices, certificates, interner, .. } = self;
        Lookup { snapshot, slices, certificates, interner }
    }
}
