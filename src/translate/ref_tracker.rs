//! Which Secrets and ConfigMaps a cluster's source has to fetch: those that some served object refers to, and no others.

use std::collections::BTreeSet;

use super::Options;
use super::change::Changes;
use super::class::Classes;
use super::language::Language;
use super::languages;
use super::multiset::Multiset;
use super::report::Reports;
use crate::source::{Key, References, Snapshot};

/// Follows the references of all served objects from snapshot to snapshot, at the cost of the objects that have changed.
#[derive(Debug)]
pub struct RefTracker {
    options: Options,
    snapshot: Snapshot,
    classes: Classes,
    /// Only [`Language::refs`] and [`Language::class_gateway`] are called on them: they hold no object.
    languages: Vec<Box<dyn Language>>,
    secrets: Multiset<Key>,
    config_maps: Multiset<Key>,
}

impl RefTracker {
    /// A tracker that has seen no object.
    pub fn new(options: Options) -> Self {
        Self {
            classes: Classes::none(&options),
            options,
            snapshot: Snapshot::default(),
            languages: languages::all(),
            secrets: Multiset::default(),
            config_maps: Multiset::default(),
        }
    }

    /// The Secrets and ConfigMaps that the served objects of `snapshot` refer to.
    pub fn update(&mut self, snapshot: &Snapshot) -> References {
        let mut changes = Changes::between(&self.snapshot, snapshot);
        if changes.classes || self.classes.depend_on(&changes) {
            let classes = languages::read_classes(&self.languages, snapshot, &self.options, &mut Reports::default());
            if changes.classes || !classes.changed_gateways(&self.classes).is_empty() {
                // Any object may be served now, be served no more, or refer to other elements: all are counted anew.
                *self = Self::new(self.options.clone());
                self.classes = classes;
                changes = Changes::between(&self.snapshot, snapshot);
            }
        }
        let old = std::mem::replace(&mut self.snapshot, snapshot.clone());
        for language in &self.languages {
            for key in language.changed(&changes, snapshot).iter() {
                let now = language.refs(key, snapshot, &self.classes);
                let before = language.refs(key, &old, &self.classes);
                recount(&mut self.secrets, &before.secrets, now.secrets);
                recount(&mut self.config_maps, &before.config_maps, now.config_maps);
            }
        }
        let mut secrets = self.secrets.members().clone();
        secrets.extend(self.options.default_certificate.clone());
        References { secrets, config_maps: self.config_maps.members().clone() }
    }
}

fn recount(names: &mut Multiset<Key>, before: &BTreeSet<Key>, now: BTreeSet<Key>) {
    // What is named before and now must not leave the set in between.
    now.into_iter().for_each(|name| names.insert(name));
    before.iter().for_each(|name| names.remove(name));
}
