//! Snapshot -> Model and Reports: what the objects ask for, in one vocabulary.
//!
//! A pure, synchronous function. It never fails: each problem becomes a Report on the object that
//! caused it, and the damage is one rule. The same snapshot gives a byte-identical model, so nothing
//! here may depend on the order of a hash map, a clock, or the environment.
//!
//! Objects are taken from the oldest to the youngest (`metadata.creationTimestamp`; those without one
//! last; then by kind, namespace and name), and whoever comes first to a port, a host or a path has it.

mod affinity;
mod claim;
mod class;
mod draft;
mod gateway;
mod ingress;
mod last_good;
mod lookup;
mod probe;
mod report;
mod rewrite;
mod service;
mod tls;
mod websocket;

use crate::api::gateway::{LoadDistributionAlgorithm, Reference};
use crate::model::{Address, Balance, Model, ObjectRef};
use crate::source::{Key, References, Snapshot};
use crate::status::{Report, Served};

use claim::Claims;
use class::Classes;
use draft::Draft;
pub use last_good::LastGood;
use lookup::Lookup;

/// What the controller's own arguments say about translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Our own name in an IngressClass.
    pub controller: String,
    /// Controllers whose IngressClasses are served as well as our own: `k8s.io/ingress-nginx`,
    /// `azure/application-gateway`.
    pub serve_controllers: Vec<String>,
    /// Where there is no IngressClass at all, serve everything, whatever class it names. Meant for a
    /// directory, whose objects are all ours; it also has objects told why they are not served.
    pub everything_without_class: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { controller: CONTROLLER.to_owned(), serve_controllers: Vec::new(), everything_without_class: false }
    }
}

/// What became of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translation {
    /// What to serve.
    pub model: Model,
    /// What users should know, sorted, each once.
    pub reports: Vec<Report>,
    /// The objects that are ours, and what came of their parts.
    pub served: Served,
}

/// The controller's name in an IngressClass, unless it is given another.
pub const CONTROLLER: &str = "steadygate.io/ingress-controller";

/// Translates.
pub fn translate(snapshot: &Snapshot, options: &Options) -> Translation {
    let lookup = Lookup::new(snapshot);
    let mut draft = Draft::default();
    let classes = Classes::read(snapshot, options, &mut draft.reports);
    let sites = ingress::Sites::read(snapshot, &classes, &lookup, &mut draft);
    let gateways = gateway::read(snapshot, &classes, &lookup, &mut draft);

    let mut claims = Claims::default();
    let mut claimants: Vec<(claim::Age<'_>, Claimant)> = Vec::new();
    claimants.extend(sites.ages().enumerate().map(|(index, age)| (age, Claimant::Site(index))));
    claimants.extend(gateways.iter().enumerate().map(|(index, gateway)| (gateway.age(), Claimant::Gateway(index))));
    claimants.sort();
    for (_, claimant) in &claimants {
        match claimant {
            Claimant::Site(index) => sites.claim(*index, &mut claims, &mut draft.reports),
            Claimant::Gateway(index) => gateways[*index].claim(*index, &mut claims, &mut draft.reports),
        }
    }

    sites.build(&lookup, &claims, &mut draft);
    for (index, gateway) in gateways.iter().enumerate() {
        gateway.build(index, &lookup, &claims, &mut draft);
    }
    let mut translation = draft.finish();
    let endpoints = translation.model.pools.values().flat_map(|pool| &pool.endpoints);
    let known = endpoints.filter_map(|endpoint| match &endpoint.address {
        Address::Socket(address) => Some(address),
        Address::Name(..) => None,
    });
    let departing = service::departing(snapshot, &lookup, &known.collect());
    translation.model.departing = departing;
    translation
}

/// The Secrets and ConfigMaps that objects refer to which are served.
pub fn references(snapshot: &Snapshot, options: &Options) -> References {
    let mut untold = report::Reports::default();
    let classes = Classes::read(snapshot, options, &mut untold);
    let mut references = References::default();
    for (key, ingress) in &snapshot.ingresses {
        let Some(spec) = &ingress.spec else { continue };
        let names: Vec<&str> = spec.tls.iter().flatten().filter_map(|tls| tls.secret_name.as_deref()).collect();
        let owner = ObjectRef::new("Ingress", key.namespace.as_str(), key.name.as_str());
        let named = spec.ingress_class_name.as_deref();
        if !names.is_empty() && classes.of(&owner, &ingress.metadata, named, &mut untold).is_some() {
            references.secrets.extend(names.into_iter().map(|name| Key::new(key.namespace.as_str(), name)));
        }
    }
    for (key, gateway) in &snapshot.gateways {
        let owner = ObjectRef::new("ApplicationGateway", key.namespace.as_str(), key.name.as_str());
        let named = gateway.spec.ingress_class_name.as_deref();
        if classes.of(&owner, &gateway.metadata, named, &mut untold).is_none() {
            continue;
        }
        let of = |reference: &Reference| Key::new(key.namespace.as_str(), reference.name.as_str());
        references.secrets.extend(gateway.spec.ssl_certificates.iter().map(|certificate| of(&certificate.secret_ref)));
        for root in &gateway.spec.trusted_root_certificates {
            references.secrets.extend(root.secret_ref.as_ref().map(of));
            references.config_maps.extend(root.config_map_ref.as_ref().map(of));
        }
    }
    references
}

/// Someone who may claim ports and hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claimant {
    Site(usize),
    Gateway(usize),
}

/// Which member takes the next request, as a model says it.
fn balance(algorithm: Option<LoadDistributionAlgorithm>) -> Balance {
    match algorithm {
        None | Some(LoadDistributionAlgorithm::RoundRobin) => Balance::RoundRobin,
        Some(LoadDistributionAlgorithm::LeastConnections) => Balance::LeastConnections,
    }
}
