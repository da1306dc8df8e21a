//! From one snapshot to the next: what has changed, what depends on it, and what is built again.
//!
//! An object that has changed touches its hosts, and the objects that refer to it. A host that is touched touches what
//! else claims it, and a wildcard the narrower hosts that depend on it. What is touched is built again, and is replaced in
//! the model only where it differs from what it was.
//!
//! The translator knows no language by name: it calls each through [`Language`].

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::model::{CertificateId, HostPattern, Kind, ObjectRef, alternating};
use crate::report::Report;
use crate::source::{Key, Snapshot};

use super::assembly::Assembly;
use super::certificate::CertificateCache;
use super::change::Changes;
use super::claim::{Claims, LanguageClaims, Ports};
use super::class::Classes;
use super::interner::Interner;
use super::language::{BuildUnit, ChangedObjects, Language, ReadContext, TouchedHosts};
use super::languages;
use super::lookup::Lookup;
use super::refs::ReverseRefs;
use super::report::Reports;
use super::service;
use super::slice_index::{SliceIndex, TouchedEndpoints};
use super::work::Work;
use super::{Options, Tenancy, Translation};

/// Translates snapshot after snapshot, at the cost of what has changed.
#[derive(Debug)]
pub struct Translator {
    options: Options,
    snapshot: Snapshot,
    classes: Classes,
    class_reports: Box<[Report]>,
    slices: SliceIndex,
    certificates: RefCell<CertificateCache>,
    interner: RefCell<Interner>,
    refs: ReverseRefs,
    languages: Vec<Box<dyn Language>>,
    ports: Ports,
    /// The certificate of [`Options::default_certificate`], if it can be used.
    default_certificate: Option<CertificateId>,
    default_reports: Box<[Report]>,
    assembly: Assembly,
    work: Work,
}

/// The units that have to be built again, for each language in their order.
type Units = Vec<BTreeSet<BuildUnit>>;

impl Translator {
    /// A translator that has seen no object.
    pub fn new(options: Options) -> Self {
        Self {
            classes: Classes::none(&options),
            options,
            snapshot: Snapshot::default(),
            class_reports: Box::default(),
            slices: SliceIndex::default(),
            certificates: RefCell::default(),
            interner: RefCell::default(),
            refs: ReverseRefs::default(),
            languages: languages::all(),
            ports: Ports::default(),
            default_certificate: None,
            default_reports: Box::default(),
            assembly: Assembly::default(),
            work: Work::default(),
        }
    }

    /// What the last update read and built again.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Translates a snapshot. What has not changed since the snapshot before is the same object in the model.
    pub fn update(&mut self, snapshot: &Snapshot) -> Translation {
        let old = std::mem::replace(&mut self.snapshot, snapshot.clone());
        let changes = Changes::between(&old, snapshot);
        self.work = Work::default();
        let mut gateways = BTreeSet::new();
        if changes.classes || self.classes.depend_on(&changes) {
            let mut reports = Reports::default();
            let classes = languages::read_classes(&self.languages, snapshot, &self.options, &mut reports);
            gateways = classes.changed_gateways(&self.classes);
            self.classes = classes;
            self.assembly.reports.replace(&mut self.class_reports, reports.into_sorted());
        }
        let (mut units, touched) = self.read(&old, &changes, &gateways);
        let ports = Ports::decide(&self.claims_by_language());
        let default_comes_or_goes = self.update_default_certificate();
        // A wildcard's tenant has every host below it.
        let is_wide = |host: &HostPattern| !matches!(host, HostPattern::Exact(_));
        let tenants_change = self.options.tenancy == Tenancy::Strict && touched.hosts.iter().any(is_wide);
        if ports == self.ports && !default_comes_or_goes && !tenants_change {
            self.mark_dependents(touched, &mut units);
        } else {
            // Each host may be served now, be served no more, or be redirected otherwise.
            self.ports = ports;
            units = self.languages.iter().map(|language| language.all_units()).collect();
        }
        self.build(units);
        self.interner.get_mut().remove_unused();
        self.languages.iter_mut().for_each(|language| language.compact());
        let Self { options, snapshot, slices, certificates, interner, assembly, default_certificate, .. } = self;
        let default_certificate = default_certificate.as_ref();
        assembly.update_certificates(&Lookup {
            options,
            snapshot,
            slices,
            certificates,
            interner,
            default_certificate,
        });
        self.assembly.translation()
    }

    /// Reads the default certificate. Gives whether there is one now and was none before, or the other way round.
    fn update_default_certificate(&mut self) -> bool {
        let Some(secret) = self.options.default_certificate.clone() else { return false };
        let mut reports = Reports::default();
        let read = self.lookup().certificate(secret.namespace(), secret.name());
        let now = read.map_err(|fault| {
            let object = ObjectRef { kind: Kind::Secret, key: secret };
            reports.fault(&object, "", &fault);
        });
        self.assembly.reports.replace(&mut self.default_reports, reports.into_sorted());
        let before = std::mem::replace(&mut self.default_certificate, now.ok());
        self.assembly.put_default_certificate(self.default_certificate.as_ref());
        before != self.default_certificate
    }

    /// Reads the objects that have changed, and those that refer to something that has; among that are `gateways`, whose elements
    /// are the defaults of other objects. Gives the objects that have to be built, and the hosts that are touched.
    fn read(&mut self, old: &Snapshot, changes: &Changes, gateways: &BTreeSet<Key>) -> (Units, TouchedHosts) {
        let Self { options, snapshot, classes, slices, certificates, interner, refs, assembly, work, .. } = self;
        let default_certificate = self.default_certificate.as_ref();
        changes.secrets.iter().for_each(|secret| certificates.get_mut().invalidate(secret));
        let TouchedEndpoints { slices: touched_slices, services } = slices.update(old, snapshot, changes);
        let lookup = Lookup { options, snapshot, slices, certificates, interner, default_certificate };
        for key in &touched_slices {
            let slice = snapshot.endpoint_slices.get(key);
            let terminating = slice.map(|slice| service::terminating(key, slice, &lookup)).unwrap_or_default();
            assembly.put_terminating(key, terminating);
        }
        let mut all_units = Units::new();
        let mut touched = TouchedHosts::default();
        for language in &mut self.languages {
            let kind = language.kind();
            let mut objects = language.changed(changes, snapshot);
            if !changes.classes && !gateways.is_empty() {
                objects.to_mut().extend(refs.application_gateways.of_kind(kind, gateways).cloned());
            }
            let by_secret = refs.secrets.of_kind(kind, &changes.secrets);
            let by_map = refs.config_maps.of_kind(kind, &changes.config_maps);
            let by_rewrite = refs.azure_rewrites.of_kind(kind, &changes.azure_rewrites);
            let by_config =
                by_secret.chain(by_map).chain(by_rewrite).filter(|key| !objects.contains(key)).cloned().collect();
            let by_service = refs.services.of_kind(kind, &services);
            let by_service = by_service.filter(|key| !objects.contains(key)).cloned().collect();
            let changed = ChangedObjects { changes, objects, by_service, by_config };
            let mut context = ReadContext { classes, lookup, refs, assembly, work };
            let mut units = BTreeSet::new();
            touched.hosts.extend(language.read(&changed, &mut context, &mut units));
            all_units.push(units);
        }
        (all_units, touched)
    }

    /// Adds to `units` what depends on hosts that were touched, and so on, until nothing is added.
    fn mark_dependents(&self, mut touched: TouchedHosts, units: &mut Units) {
        let claims = self.claims();
        let mut seen = TouchedHosts::default();
        while !touched.is_empty() {
            let mut next = TouchedHosts::default();
            for (language, units) in self.languages.iter().zip(&mut *units) {
                next.extend(language.mark_dependents(&touched, &claims, units));
            }
            seen.extend(touched);
            next.remove_seen(&seen);
            touched = next;
        }
    }

    /// Builds units, and puts them in the place of what they were.
    fn build(&mut self, units: Units) {
        let mut replaced = Vec::new();
        for (language, units) in units.iter().enumerate() {
            for unit in alternating(units) {
                match unit {
                    BuildUnit::Host(_) => self.work.hosts += 1,
                    BuildUnit::Object(_) => self.work.application_gateways += 1,
                }
                let draft = self.languages[language].build(unit, &self.claims(), &self.lookup());
                self.languages[language].put(unit, draft, &mut self.assembly, &mut replaced);
            }
        }
        self.languages.iter_mut().for_each(|language| language.count_routes(&replaced, &mut self.assembly));
    }

    fn claims(&self) -> Claims<'_> {
        Claims::new(self.claims_by_language(), &self.ports, self.options.tenancy)
    }

    fn claims_by_language(&self) -> Vec<&dyn LanguageClaims> {
        self.languages.iter().map(|language| language.claims()).collect()
    }

    fn lookup(&self) -> Lookup<'_> {
        let Self { options, snapshot, slices, certificates, interner, default_certificate, .. } = self;
        Lookup { options, snapshot, slices, certificates, interner, default_certificate: default_certificate.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Secret;
    use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
    use serde_json::{from_value, json};

    use super::*;
    use crate::translate::RefTracker;

    fn key(name: &str) -> Key {
        Key::new("default", name)
    }

    fn secret(value: &str) -> Arc<Secret> {
        Arc::new(from_value(json!({"stringData": {"value": value}})).expect("a Secret"))
    }

    /// An Ingress that names a Secret for a host that it has no rule for, so that no host is served with it; and a gateway
    /// that names Secrets and ConfigMaps in each place where it can.
    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::default();
        let class: IngressClass =
            from_value(json!({"spec": {"controller": crate::translate::CONTROLLER}})).expect("a class");
        snapshot.ingress_classes.insert(Key::new("", "web"), Arc::new(class));
        let ingress: Ingress = from_value(json!({
            "metadata": {"namespace": "default", "name": "site"},
            "spec": {
                "ingressClassName": "web",
                "tls": [{"hosts": ["other.example"], "secretName": "elsewhere"}],
                "rules": [{"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}],
            },
        }))
        .expect("an Ingress");
        snapshot.ingresses.insert(key("site"), Arc::new(ingress.into()));
        let gateway = from_value(json!({
            "apiVersion": "steadygate.io/v1alpha1", "kind": "ApplicationGateway",
            "metadata": {"namespace": "default", "name": "edge"},
            "spec": {
                "ingressClassName": "web",
                "frontendPorts": [], "httpListeners": [], "backendHttpSettingsCollection": [], "requestRoutingRules": [],
                "sslCertificates": [{"name": "a", "secretRef": {"name": "certificate"}}],
                "trustedRootCertificates": [
                    {"name": "b", "secretRef": {"name": "roots"}}, {"name": "c", "configMapRef": {"name": "roots"}},
                    {"name": "d", "secretRef": {"name": "granted", "namespace": "open"}},
                    {"name": "e", "secretRef": {"name": "secret", "namespace": "closed"}},
                ],
                "customErrorConfigurations": [{"statusCode": 404, "configMapRef": {"name": "pages", "key": "404"}}],
                "backendAddressPools": [{"name": "p", "serviceRef": {"name": "web"}}],
            },
        }));
        snapshot.application_gateways.insert(key("edge"), Arc::new(gateway.expect("a gateway")));
        let grant = from_value(json!({
            "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": {"namespace": "open", "name": "edge"},
            "spec": {
                "from": [{"group": "steadygate.io", "kind": "ApplicationGateway", "namespace": "default"}],
                "to": [{"group": "", "kind": "Secret", "name": "granted"}],
            },
        }));
        snapshot.reference_grants.insert(Key::new("open", "edge"), Arc::new(grant.expect("a grant")));
        snapshot
    }

    #[test]
    fn every_reference_of_both_languages_is_fetched() {
        let snapshot = snapshot();
        let mut translator = Translator::new(Options::default());
        translator.update(&snapshot);
        let fetched = RefTracker::new(Options::default()).update(&snapshot);
        let secrets: BTreeSet<Key> = fetched.secrets.iter().cloned().collect();
        let config_maps: BTreeSet<Key> = fetched.config_maps.iter().cloned().collect();
        let granted = Key::new("open", "granted");
        let own = ["certificate", "elsewhere", "roots"].map(key);
        assert_eq!(secrets, own.iter().cloned().chain([granted.clone()]).collect());
        assert_eq!(config_maps, ["pages", "roots"].map(key).into());
        assert_eq!(translator.refs.secrets.names(), secrets);
        assert_eq!(translator.refs.config_maps.names(), config_maps);
        for language in languages::all() {
            for name in ["site", "edge"] {
                let refs = language.refs(&key(name), &snapshot, &translator.classes);
                assert!(refs.secrets.is_subset(&secrets) && refs.config_maps.is_subset(&config_maps), "{name}");
            }
        }
        // With its grant a reference goes, from both.
        let mut tracker = RefTracker::new(Options::default());
        assert!(tracker.update(&snapshot).secrets.contains(&granted));
        let ungranted = Snapshot { reference_grants: Default::default(), ..snapshot };
        assert!(!tracker.update(&ungranted).secrets.contains(&granted));
        translator.update(&ungranted);
        assert_eq!(translator.refs.secrets.names(), own.into());
    }

    #[test]
    fn what_names_a_secret_is_built_again_when_it_changes_whatever_it_is_for() {
        let mut snapshot = snapshot();
        snapshot.application_gateways.clear();
        let mut translator = Translator::new(Options::default());
        translator.update(&snapshot);
        for value in ["first", "second"] {
            snapshot.secrets.insert(key("elsewhere"), secret(value));
            translator.update(&snapshot);
            assert_eq!(translator.work(), Work { hosts: 1, ..Work::default() }, "{value}");
        }
        snapshot.secrets.insert(key("unnamed"), secret("any"));
        translator.update(&snapshot);
        assert_eq!(translator.work(), Work::default());
    }

    #[test]
    fn references_that_nothing_served_makes_are_not_fetched() {
        let mut snapshot = snapshot();
        let mut tracker = RefTracker::new(Options::default());
        assert!(!tracker.update(&snapshot).secrets.is_empty());
        snapshot.ingress_classes.clear();
        assert!(tracker.update(&snapshot).secrets.is_empty());
    }
}
