//! Snapshot -> Model and Reports: what the objects ask for, in one vocabulary.
//!
//! Synchronous, and a function of the snapshot alone. It never fails: each problem becomes a Report on the object that
//! caused it, and the damage is one rule. The same snapshot gives a byte-identical model, so nothing
//! here may depend on the order of a hash map, a clock, or the environment.
//!
//! Objects are taken from the oldest to the youngest (`metadata.creationTimestamp`; those without one
//! last; then by kind, namespace and name), and whoever comes first to a port, a host or a path has it.
//!
//! A [`Translator`] remembers what it has made, and makes anew only what something that has changed leads to; what comes
//! of it is what a new one makes of the same snapshot.

mod affinity;
mod application_gateway;
mod assembly;
mod certificate;
mod change;
mod claim;
mod class;
mod draft;
mod ingress;
mod interner;
mod last_good;
mod lookup;
mod multiset;
mod probe;
mod recent;
mod referrer;
mod report;
mod rewrite;
mod service;
mod slice_index;
mod tls;
mod translator;
mod user;
mod websocket;

use imbl::OrdSet;

use crate::api::application_gateway::LoadDistributionAlgorithm;
use crate::model::{Balance, Model};
use crate::report::Report;
use crate::source::Snapshot;
use crate::status::Served;

pub use last_good::LastGood;
pub use referrer::Referrer;
pub use translator::{Translator, Work};

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
    pub reports: OrdSet<Report>,
    /// The objects that are ours, and what came of their parts.
    pub served: Served,
}

/// The controller's name in an IngressClass, unless it is given another.
pub const CONTROLLER: &str = "steadygate.io/ingress-controller";

/// Translates one snapshot.
pub fn translate(snapshot: &Snapshot, options: &Options) -> Translation {
    Translator::new(options.clone()).update(snapshot)
}

/// Which member takes the next request, as a model says it.
fn balance(algorithm: Option<LoadDistributionAlgorithm>) -> Balance {
    match algorithm {
        None | Some(LoadDistributionAlgorithm::RoundRobin) => Balance::RoundRobin,
        Some(LoadDistributionAlgorithm::LeastConnections) => Balance::LeastConnections,
    }
}
