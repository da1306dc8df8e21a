//! ApplicationGateways: from listeners, rules, pools and settings to hosts and routes.
//!
//! A reference that leads nowhere damages the rule that makes it, and nothing else. A gateway is built as a whole, whenever
//! something changes that it refers to, or that others claim too.

mod backend;
mod client_certificates;
mod element;
mod error_page;
mod gateway;
mod guard;
mod listener;
mod load_distribution;
mod parameters;
mod pool;
mod probe;
mod redirect;
mod reference;
mod rule;
mod settings;
mod ssl_policy;
mod ssl_profile;
mod stream;
mod stream_settings;
mod token;
mod websocket;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::ApplicationGateway;
use crate::model::{HostPattern, Kind, ObjectRef, PoolId, Protocol};
use crate::report::Report;
use crate::source::{Key, Snapshot};
use crate::status::ServedElements;

use super::assembly::{Assembly, Replaced};
use super::change::Changes;
use super::claim::{CertifiedHost, Claims, LanguageClaims, ListenerClaims, ObjectClaims, PortProtocol};
use super::class::{ClassGateway, Classes};
use super::draft::Draft;
use super::language::{BuildUnit, ChangedObjects, Language, ReadContext, TouchedHosts};
use super::lookup::Lookup;
use super::refs::Refs;
use super::report::Reports;
use gateway::{Gateway, IdleListeners};

/// Every gateway that is served, and those that have a report.
#[derive(Debug, Default)]
pub(super) struct ApplicationGateways {
    entries: BTreeMap<Key, GatewayEntry>,
    claims: ListenerClaims,
}

/// What is kept of one gateway.
#[derive(Debug, Default)]
struct GatewayEntry {
    /// `None`: it is not served.
    object: Option<Arc<ApplicationGateway>>,
    /// What it refers to, and may refer to.
    refs: Refs,
    idle_listeners: IdleListeners,
    /// The reports on its class.
    class_reports: Box<[Report]>,
    /// All its reports.
    reports: Box<[Report]>,
    built: BuiltGateway,
}

/// What a gateway was built to the last time.
#[derive(Debug, Default)]
struct BuiltGateway {
    /// Its hosts, each with its port.
    hosts: BTreeSet<(u16, HostPattern)>,
    /// Those of the hosts that have a certificate.
    certified: BTreeSet<CertifiedHost>,
    pools: BTreeSet<PoolId>,
}

impl ApplicationGateways {
    /// Reads a new version of a gateway, or forgets one that is gone. Gives the hosts that it claims or claimed, where its
    /// claims have changed.
    fn replace(&mut self, key: &Key, context: &mut ReadContext<'_>) -> BTreeSet<HostPattern> {
        let ReadContext { classes, lookup, refs, .. } = context;
        let entry = self.entries.entry(key.clone()).or_default();
        let owner = owner(key);
        let mut reports = Reports::default();
        let now = lookup
            .snapshot
            .application_gateways
            .get(key)
            .filter(|object| is_served(&owner, object, classes, &mut reports));
        entry.object = now.cloned();
        entry.idle_listeners = IdleListeners::of(&owner, classes);
        entry.class_reports = reports.into_sorted();
        let now = entry.object.as_ref().map(|object| gateway::refs(&owner, object, lookup.snapshot));
        let before = std::mem::replace(&mut entry.refs, now.unwrap_or_default());
        refs.replace(&owner, &before, &entry.refs);
        let claims = entry.object.as_ref().map(|object| ObjectClaims {
            owner: owner.clone(),
            created: object.metadata.creation_timestamp.clone(),
            listeners: Gateway::read(&owner, object, entry.idle_listeners, lookup, &mut Reports::default()).claims(),
        });
        self.claims.replace(key, claims)
    }

    /// The hosts of a gateway that have a certificate if its claims are built now.
    fn certified_hosts(&self, key: &Key, claims: &Claims<'_>) -> BTreeSet<CertifiedHost> {
        let mut certified = self.claims.certified_hosts(key);
        certified.retain(|CertifiedHost { port, host }| {
            let at = PortProtocol { port: *port, protocol: Protocol::Https };
            claims.speaks(at) && claims.holder(at, host).is_some_and(|claim| *claim.owner() == owner(key))
        });
        certified
    }
}

impl Language for ApplicationGateways {
    fn kind(&self) -> Kind {
        Kind::ApplicationGateway
    }

    fn changed<'c>(&self, changes: &'c Changes, snapshot: &Snapshot) -> Cow<'c, BTreeSet<Key>> {
        // A grant that comes or goes changes what gateways may refer to.
        if !changes.classes && changes.reference_grants.is_empty() {
            return Cow::Borrowed(&changes.application_gateways);
        }
        Cow::Owned(snapshot.application_gateways.keys().chain(self.entries.keys()).cloned().collect())
    }

    fn class_gateway(&self, key: &Key, snapshot: &Snapshot, reports: &mut Reports) -> Option<ClassGateway> {
        Some(parameters::read(&owner(key), snapshot.application_gateways.get(key)?, snapshot, reports))
    }

    fn refs(&self, key: &Key, snapshot: &Snapshot, classes: &Classes) -> Refs {
        let owner = owner(key);
        let object = snapshot.application_gateways.get(key);
        let object = object.filter(|object| is_served(&owner, object, classes, &mut Reports::default()));
        object.map(|object| gateway::refs(&owner, object, snapshot)).unwrap_or_default()
    }

    fn read(
        &mut self,
        changed: &ChangedObjects<'_>,
        context: &mut ReadContext<'_>,
        units: &mut BTreeSet<BuildUnit>,
    ) -> BTreeSet<HostPattern> {
        let mut touched = BTreeSet::new();
        for key in changed.all() {
            touched.extend(self.replace(key, context));
            units.insert(BuildUnit::Object(key.clone()));
        }
        touched
    }

    fn claims(&self) -> &dyn LanguageClaims {
        &self.claims
    }

    fn all_units(&self) -> BTreeSet<BuildUnit> {
        self.entries.keys().cloned().map(BuildUnit::Object).collect()
    }

    fn mark_dependents(
        &self,
        touched: &TouchedHosts,
        claims: &Claims<'_>,
        units: &mut BTreeSet<BuildUnit>,
    ) -> TouchedHosts {
        units.extend(self.claims.claimants(&touched.hosts).into_iter().map(BuildUnit::Object));
        let mut marked = TouchedHosts::default();
        for unit in &*units {
            let BuildUnit::Object(key) = unit else { continue };
            let Some(entry) = self.entries.get(key) else { continue };
            let now = self.certified_hosts(key, claims);
            let changed = entry.built.certified.symmetric_difference(&now);
            marked.certified.extend(changed.map(|certified| certified.host.clone()));
        }
        marked
    }

    fn build(&self, unit: &BuildUnit, claims: &Claims<'_>, lookup: &Lookup<'_>) -> Draft {
        let mut draft = Draft::default();
        let BuildUnit::Object(key) = unit else { return draft };
        let Some(GatewayEntry { object, idle_listeners, class_reports, .. }) = self.entries.get(key) else {
            return draft;
        };
        draft.reports.extend(class_reports);
        if let Some(object) = object {
            let owner = owner(key);
            let gateway = Gateway::read(&owner, object, *idle_listeners, lookup, &mut draft.reports);
            gateway.report_lost_claims(claims, &mut draft.reports);
            gateway.build(lookup, claims, &mut draft);
        }
        draft
    }

    fn put(&mut self, unit: &BuildUnit, draft: Draft, assembly: &mut Assembly, replaced: &mut Vec<Replaced>) {
        let BuildUnit::Object(key) = unit else { return };
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Draft { reports, hosts, pools, parts, listeners: _ } = draft;
        assembly.reports.replace(&mut entry.reports, reports.into_sorted());
        note_served(key, entry.object.as_ref().map(|_| parts), assembly);

        let mut certified = self.claims.certified_hosts(key);
        certified.retain(|CertifiedHost { port, host }| {
            hosts.get(&(*port, host.clone())).is_some_and(|built| built.protocol == Protocol::Https)
        });
        let now =
            BuiltGateway { hosts: hosts.keys().cloned().collect(), certified, pools: pools.keys().cloned().collect() };
        let before = std::mem::replace(&mut entry.built, now);

        let owner = owner(key);
        for (port, host) in before.hosts.difference(&entry.built.hosts) {
            replaced.extend(assembly.remove_host(*port, host, |first| first == Some(&owner)));
        }
        for ((port, host), built) in hosts {
            replaced.extend(assembly.put_host(port, host, built));
        }
        for id in before.pools.difference(&entry.built.pools) {
            assembly.put_pool(id, None);
        }
        for (id, pool) in pools {
            if assembly.pool(&id).is_none_or(|known| **known != pool) {
                assembly.put_pool(&id, Some(&Arc::new(pool)));
            }
        }
        if entry.object.is_none() && entry.reports.is_empty() {
            self.entries.remove(key);
        }
    }
}

fn owner(key: &Key) -> ObjectRef {
    ObjectRef { kind: Kind::ApplicationGateway, key: key.clone() }
}

fn is_served(owner: &ObjectRef, object: &ApplicationGateway, classes: &Classes, reports: &mut Reports) -> bool {
    classes.of(owner, &object.metadata, object.spec.ingress_class_name.as_deref(), reports).is_some()
}

/// Notes that a gateway is served, and which of its parts are; `None`: it is not served.
fn note_served(key: &Key, parts: Option<ServedElements>, assembly: &mut Assembly) {
    let served = &mut assembly.served.application_gateways;
    match parts {
        None => {
            served.remove(key);
        }
        Some(parts) if served.get(key).is_some_and(|known| **known == parts) => {}
        Some(parts) => {
            served.insert(key.clone(), Arc::new(parts));
        }
    }
}
