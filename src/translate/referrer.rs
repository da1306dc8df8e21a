//! Which Secrets and ConfigMaps something served refers to: those, and no others, are worth fetching.

use imbl::ordmap::DiffItem;

use super::Options;
use super::application_gateway;
use super::change::changed;
use super::class::Classes;
use super::multiset::Multiset;
use super::report::Reports;
use crate::api::ApplicationGateway;
use crate::model::{Kind, ObjectRef};
use crate::source::{Key, PackedIngress, References, Snapshot};

/// Follows the references from snapshot to snapshot, at the cost of what has changed.
#[derive(Debug)]
pub struct Referrer {
    options: Options,
    snapshot: Snapshot,
    classes: Classes,
    secrets: Multiset<Key>,
    config_maps: Multiset<Key>,
}

impl Referrer {
    /// One that has seen nothing.
    pub fn new(options: Options) -> Self {
        let classes = Classes::read(&Snapshot::default(), &options, &mut Reports::default());
        let (secrets, config_maps) = (Multiset::default(), Multiset::default());
        Self { options, snapshot: Snapshot::default(), classes, secrets, config_maps }
    }

    /// What the objects of a snapshot refer to.
    pub fn update(&mut self, snapshot: &Snapshot) -> References {
        let classes = (&self.snapshot.ingress_classes, &self.snapshot.refused_classes);
        if changed(classes.0, &snapshot.ingress_classes).next().is_some() || *classes.1 != snapshot.refused_classes {
            *self = Self::new(self.options.clone());
            self.classes = Classes::read(snapshot, &self.options, &mut Reports::default());
        }
        let old = std::mem::replace(&mut self.snapshot, snapshot.clone());
        for item in old.ingresses.diff(&snapshot.ingresses) {
            let (before, now) = sides(item);
            for (ingress, comes) in [(now, true), (before, false)] {
                ingress.into_iter().for_each(|(key, ingress)| self.ingress(key, ingress, comes));
            }
        }
        for item in old.gateways.diff(&snapshot.gateways) {
            let (before, now) = sides(item);
            for (gateway, comes) in [(now, true), (before, false)] {
                gateway.into_iter().for_each(|(key, gateway)| self.gateway(key, gateway, comes));
            }
        }
        References { secrets: self.secrets.all().clone(), config_maps: self.config_maps.all().clone() }
    }

    fn ingress(&mut self, key: &Key, ingress: &PackedIngress, comes: bool) {
        let ingress = ingress.unpack();
        let Some(spec) = &ingress.spec else { return };
        let names =
            spec.tls.iter().flatten().filter_map(|tls| tls.secret_name.as_deref()).filter(|name| !name.is_empty());
        let mut names = names.map(|name| Key::new(key.namespace(), name)).peekable();
        let owner = ObjectRef { kind: Kind::Ingress, key: key.clone() };
        let named = spec.ingress_class_name.as_deref();
        let of = |classes: &Classes| classes.of(&owner, &ingress.metadata, named, &mut Reports::default());
        if names.peek().is_some() && of(&self.classes).is_some() {
            names.for_each(|name| count(&mut self.secrets, name, comes));
        }
    }

    fn gateway(&mut self, key: &Key, gateway: &ApplicationGateway, comes: bool) {
        let owner = ObjectRef { kind: Kind::ApplicationGateway, key: key.clone() };
        let named = gateway.spec.ingress_class_name.as_deref();
        if self.classes.of(&owner, &gateway.metadata, named, &mut Reports::default()).is_some() {
            let refers = application_gateway::refers(&owner, gateway);
            refers.secrets.into_iter().for_each(|name| count(&mut self.secrets, name, comes));
            refers.config_maps.into_iter().for_each(|name| count(&mut self.config_maps, name, comes));
        }
    }
}

fn count(all: &mut Multiset<Key>, name: Key, comes: bool) {
    if comes { all.insert(name) } else { all.remove(&name) }
}

type Side<'a, V> = Option<(&'a Key, &'a V)>;

/// What was there, and what is there now.
fn sides<'a, V>(item: DiffItem<'a, 'a, Key, V>) -> (Side<'a, V>, Side<'a, V>) {
    match item {
        DiffItem::Add(key, value) => (None, Some((key, value))),
        DiffItem::Update { old, new } => (Some(old), Some(new)),
        DiffItem::Remove(key, value) => (Some((key, value)), None),
    }
}
