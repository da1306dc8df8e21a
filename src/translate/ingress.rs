//! Ingresses: from all of them together to hosts and routes.
//!
//! Port 80 serves every host in clear text. Port 443 serves the hosts that some Ingress covers in `spec.tls`, with
//! the same routes. A class or an annotation may give other ports (`ParsedIngress::ports`). Several Ingresses share a host of a port; of
//! two routes with the same host and path the oldest stays.
//!
//! An Ingress is parsed once a version (`parsed`), and its backends are resolved again only where an object that they name
//! changes. Hosts are what is built (`build`), each by itself.

mod acme;
mod backend;
mod backend_ref;
mod build;
mod canaries;
mod canary;
mod claims;
mod class_headers;
mod cors;
mod elements;
mod entry;
mod error_pages;
mod host_field;
mod host_tls;
mod hosts;
mod limits;
mod merge;
mod parsed;
mod path;
mod policies;
mod prohibited;
mod read;
mod recent;
mod redirect;
mod rewrite_target;
mod rewrites;
mod roots;
mod session;
mod tenants;
mod tls_hosts;
mod tls_policy;
mod token;
mod variables;
mod wildcard;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Host, HostPattern, Kind, ObjectRef, Route, alternating};
use crate::source::{Key, Snapshot};

use super::assembly::{Assembly, Replaced};
use super::change::Changes;
use super::claim::{Claims, LanguageClaims, covers, equivalents};
use super::class::Classes;
use super::draft::Draft;
use super::language::{BuildUnit, ChangedObjects, Language, ReadContext, TouchedHosts};
use super::lookup::Lookup;
use super::refs::Refs;
use super::report::Reports;
use backend::ResolvedBackend;
use build::HostBuilder;
use canaries::Canaries;
use entry::IngressEntry;
use hosts::IngressHosts;
use parsed::ParsedIngress;
use policies::ResolvedPolicies;
use prohibited::Prohibitions;
use recent::RecentSettings;
use wildcard::{WildcardHosts, WildcardState};

/// Every Ingress that is served, and those that have a report.
#[derive(Debug, Default)]
pub(super) struct Ingresses {
    entries: BTreeMap<Key, IngressEntry>,
    /// How many entries there were when the map was last compacted.
    compacted_len: usize,
    recent: RecentSettings,
    hosts: IngressHosts,
    canaries: Canaries,
    wildcards: WildcardHosts,
    prohibitions: Prohibitions,
    /// Every port on which some host has been built so far. There are few.
    built_ports: BTreeSet<u16>,
}

impl Ingresses {
    /// Reads a new version of an Ingress, or forgets one that is gone. Gives the hosts that it names or named.
    fn replace(&mut self, key: &Key, context: &mut ReadContext<'_>) -> BTreeSet<HostPattern> {
        let ReadContext { classes, lookup, refs, assembly, .. } = context;
        let (key, mut entry) = self.entries.remove_entry(key).unwrap_or_else(|| (key.clone(), IngressEntry::default()));
        // One object for all versions: whoever counts routes by their owner holds it.
        let owner = entry.ingress.as_ref().map(|ingress| Arc::clone(&ingress.owner));
        let owner = owner.unwrap_or_else(|| Arc::new(ObjectRef { kind: Kind::Ingress, key: key.clone() }));
        let mut reports = Reports::default();
        let object = lookup.snapshot.ingresses.get(&key).map(|object| object.unpack());
        let now = object.and_then(|object| {
            entry::parse(Arc::clone(&owner), &object, classes, &mut self.recent, &mut reports).map(Arc::new)
        });
        assembly.reports.replace(&mut entry.reports, reports.into_sorted());
        let before = std::mem::replace(&mut entry.ingress, now);

        // Take the old version out of what others look up, and put the new one in.
        let refs_of = |ingress: &Option<Arc<ParsedIngress>>| ingress.as_ref().map(|it| it.refs()).unwrap_or_default();
        refs.replace(&owner, &refs_of(&before), &refs_of(&entry.ingress));
        let mut touched = BTreeSet::new();
        if let Some(ingress) = &before {
            match ingress.canary {
                None => self.hosts.remove(ingress),
                Some(_) => self.canaries.remove(ingress),
            }
            touched.extend(ingress.all_hosts());
        }
        if let Some(ingress) = &entry.ingress {
            match ingress.canary {
                None => self.hosts.add(ingress),
                Some(_) => self.canaries.add(ingress),
            }
            touched.extend(ingress.all_hosts());
        }

        entry.resolve(lookup, assembly);
        if entry.ingress.is_none() {
            entry.routes = 0;
        }
        entry.note_served(&key, assembly);
        if !entry.is_empty() {
            self.entries.insert(key, entry);
        }
        touched
    }

    /// Resolves the backends of an Ingress again. Gives the hosts whose routes change by that.
    fn resolve(&mut self, key: &Key, context: &mut ReadContext<'_>) -> BTreeSet<HostPattern> {
        let Some(entry) = self.entries.get_mut(key) else { return BTreeSet::new() };
        if entry.resolve(&context.lookup, context.assembly) { entry.all_hosts() } else { BTreeSet::new() }
    }

    /// What one of an Ingress's backends was resolved to.
    fn resolved(&self, ingress: &ParsedIngress, backend: usize) -> Option<&ResolvedBackend> {
        self.entries.get(&ingress.owner.key)?.resolved(backend)
    }

    /// What an Ingress's policies were resolved to.
    fn policies(&self, ingress: &ParsedIngress) -> Option<&ResolvedPolicies> {
        Some(&self.entries.get(&ingress.owner.key)?.policies)
    }

    /// Takes in that a Secret or ConfigMap that an Ingress refers to has changed, whatever it is for: it may be a
    /// certificate, or part of the backends or of the routes. Gives all hosts of the Ingress.
    fn refresh(&mut self, key: &Key, context: &mut ReadContext<'_>) -> BTreeSet<HostPattern> {
        self.resolve(key, context);
        self.entries.get(key).map(IngressEntry::all_hosts).unwrap_or_default()
    }
}

impl Language for Ingresses {
    fn kind(&self) -> Kind {
        Kind::Ingress
    }

    fn changed<'c>(&self, changes: &'c Changes, snapshot: &Snapshot) -> Cow<'c, BTreeSet<Key>> {
        if !changes.classes {
            return Cow::Borrowed(&changes.ingresses);
        }
        Cow::Owned(snapshot.ingresses.keys().chain(self.entries.keys()).cloned().collect())
    }

    fn refs(&self, key: &Key, snapshot: &Snapshot, classes: &Classes) -> Refs {
        let Some(object) = snapshot.ingresses.get(key).map(|object| object.unpack()) else { return Refs::default() };
        let owner = Arc::new(ObjectRef { kind: Kind::Ingress, key: key.clone() });
        let recent = &mut RecentSettings::default();
        let ingress = entry::parse(owner, &object, classes, recent, &mut Reports::default());
        ingress.map(|ingress| ingress.refs()).unwrap_or_default()
    }

    fn read(
        &mut self,
        changed: &ChangedObjects<'_>,
        context: &mut ReadContext<'_>,
        _units: &mut BTreeSet<BuildUnit>,
    ) -> BTreeSet<HostPattern> {
        let ChangedObjects { changes, objects, by_service, by_config } = changed;
        context.work.ingresses = objects.len();
        context.work.backends = by_service.len();
        let mut touched = BTreeSet::new();
        for key in alternating(&**objects) {
            touched.extend(self.replace(key, context));
        }
        for key in by_service {
            touched.extend(self.resolve(key, context));
        }
        for key in by_config {
            touched.extend(self.refresh(key, context));
        }
        for key in &changes.azure_prohibited_targets {
            let prohibited = self.prohibitions.replace(key, context.lookup.snapshot, context.assembly);
            let is_met = |host: &&HostPattern| prohibited.iter().any(|target| prohibited::overlaps(target, host));
            touched.extend(self.hosts.all().filter(is_met).cloned());
        }
        // A wildcard's tenant has every host below it.
        let is_wide = |host: &HostPattern| !matches!(host, HostPattern::Exact(_));
        let decided: Vec<HostPattern> = if context.lookup.options.has_strict_tenancy() && touched.iter().any(is_wide) {
            self.hosts.all().cloned().collect()
        } else {
            touched.iter().cloned().collect()
        };
        for host in &decided {
            self.hosts.decide_tls(host, &context.lookup, &mut context.assembly.reports);
        }
        touched
    }

    fn claims(&self) -> &dyn LanguageClaims {
        &self.hosts
    }

    fn all_units(&self) -> BTreeSet<BuildUnit> {
        self.hosts.all().cloned().map(BuildUnit::Host).collect()
    }

    fn mark_dependents(
        &self,
        touched: &TouchedHosts,
        claims: &Claims<'_>,
        units: &mut BTreeSet<BuildUnit>,
    ) -> TouchedHosts {
        // Hosts that Ingresses share with what was touched, and those that may be redirected otherwise.
        let shared = touched.hosts.iter().flat_map(equivalents).filter(|host| self.hosts.contains(host));
        let mut new: BTreeSet<HostPattern> = shared.collect();
        if !touched.certified.is_empty() {
            let is_covered = |host: &&HostPattern| touched.certified.iter().any(|wide| covers(wide, host));
            new.extend(self.hosts.all().filter(is_covered).cloned());
        }
        // Of the wildcards among them, the hosts below; a wildcard may be below another.
        let mut marked = TouchedHosts::default();
        while !new.is_empty() {
            new.retain(|host| units.insert(BuildUnit::Host(host.clone())));
            let below = self.wildcards.dependents(&new, self, claims);
            marked.hosts.extend(new);
            new = below;
        }
        marked
    }

    fn build(&self, unit: &BuildUnit, claims: &Claims<'_>, lookup: &Lookup<'_>) -> Draft {
        let BuildUnit::Host(host) = unit else { return Draft::default() };
        HostBuilder { ingresses: self, claims, lookup }.build(host)
    }

    fn put(&mut self, unit: &BuildUnit, draft: Draft, assembly: &mut Assembly, replaced: &mut Vec<Replaced>) {
        let BuildUnit::Host(host) = unit else { return };
        let Draft { reports, hosts: mut built, .. } = draft;
        if wildcard::is_wildcard(host) {
            let state = WildcardState::built(host, &built, self);
            self.wildcards.record(host, state);
        }
        self.built_ports.extend(built.keys().map(|(port, _)| port));
        for port in self.built_ports.iter().copied() {
            replaced.extend(match built.remove(&(port, host.clone())) {
                Some(built) => assembly.put_host(port, host.clone(), built),
                None => {
                    let owns = |owner: Option<&ObjectRef>| owner.is_none_or(|owner| owner.kind == Kind::Ingress);
                    assembly.remove_host(port, host, owns)
                }
            });
        }
        self.hosts.put_reports(host, reports.into_sorted(), &mut assembly.reports);
    }

    fn count_routes(&mut self, replaced: &[Replaced], assembly: &mut Assembly) {
        let mut counted = BTreeSet::new();
        let sides = |Replaced { before, now }: &'_ Replaced| {
            [(now.clone(), RouteChange::Added), (before.clone(), RouteChange::Removed)]
        };
        for (host, change) in replaced.iter().flat_map(sides) {
            for route in host.iter().flat_map(|host| routes(host)) {
                let canary = route.policies.as_ref().and_then(|policies| policies.canary.as_ref());
                for owner in canary.map(|canary| &canary.origin.owner).into_iter().chain([&route.owner]) {
                    if let Some(entry) = self.entries.get_mut(&owner.key) {
                        entry.count(route, change);
                        counted.insert(owner.key.clone());
                    }
                }
            }
        }
        for key in alternating(counted) {
            let served = self.entries.get_key_value(&key).filter(|(_, entry)| entry.ingress.is_some());
            let Some((key, entry)) = served else { continue };
            entry.put_pools(assembly);
            entry.note_served(key, assembly);
        }
    }

    fn compact(&mut self) {
        compact_if_doubled(&mut self.entries, &mut self.compacted_len);
        self.hosts.compact();
    }
}

/// What happens to a route that is counted.
#[derive(Debug, Clone, Copy)]
enum RouteChange {
    Added,
    Removed,
}

/// The routes of a host that Ingresses own.
fn routes(host: &Host) -> impl Iterator<Item = &Route> {
    host.routes.iter().map(|route| &**route).filter(|route| route.owner.kind == Kind::Ingress)
}

/// Builds a map anew, without spare room, if it has more than twice the entries that it had when this was last done
/// (`compacted_len`). A B-tree that grows in order is half empty.
fn compact_if_doubled<K: Ord, V>(map: &mut BTreeMap<K, V>, compacted_len: &mut usize) {
    if map.len() > *compacted_len * 2 {
        *compacted_len = map.len();
        *map = std::mem::take(map).into_iter().collect();
    }
}
