//! Translates a snapshot of objects to a model of what is to be served, and to reports.
//!
//! The translation is synchronous, and a function of the snapshot alone. It never fails: each problem becomes a report on
//! the object that caused it, and the damage is one rule. Equal snapshots give byte-identical models, so nothing here may
//! depend on the order of a hash map, a clock, or the environment.
//!
//! Objects are taken from the oldest to the youngest (`metadata.creationTimestamp`; those without one last; then by kind,
//! namespace and name). The first object that claims a port, a host or a path has it.
//!
//! A [`Translator`] remembers what it has built, and builds again only what depends on something that has changed. Its
//! result is what a new translator makes of the snapshot.
//!
//! Each language that users write has a folder (`ingress`, `application_gateway`, `gateway_api`) and implements `language::Language`.
//! Languages know nothing of each other; `languages` lists them.

mod affinity;
mod application_gateway;
mod assembly;
mod certificate;
mod change;
mod claim;
mod claimed;
mod class;
mod draft;
mod error_page;
mod gateway_api;
mod grant;
mod ingress;
mod interner;
mod language;
mod languages;
mod last_good;
mod lookup;
mod multiset;
mod pem;
mod probe;
mod recent;
mod ref_tracker;
mod refs;
mod report;
mod rewrite;
mod rewrite_rules;
mod service;
mod slice_index;
mod tls;
mod tls_profile;
mod token;
mod translator;
mod upgrade;
mod websocket;
mod work;
mod x509;

use imbl::OrdSet;

use crate::api::application_gateway::LoadDistributionAlgorithm;
use crate::model::{AddressPolicy, Balance, Model, ObjectRef};
use crate::report::{Reason, Report};
use crate::source::{Key, Snapshot};
use crate::status::Served;
use report::Reports;

pub use last_good::LastGood;
pub use ref_tracker::RefTracker;
pub use translator::Translator;
pub use work::Work;

/// The options of translation, from the controller's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Our own name in an IngressClass.
    pub controller: String,
    /// Controllers whose IngressClasses are served as well as our own: `k8s.io/ingress-nginx`,
    /// `azure/application-gateway`.
    pub serve_controllers: Vec<String>,
    /// Where there is no IngressClass at all, serve everything, whatever class it names. Meant for a directory, whose
    /// objects are all ours. Objects that are not served then get a report that says why.
    pub everything_without_class: bool,
    /// Whether namespaces share hosts.
    pub tenancy: Tenancy,
    /// The Secret with the certificate for TLS clients for whose host there is no other, and for those that send no server name.
    pub default_certificate: Option<Key>,
    /// Whether Services of type ExternalName may be backends.
    pub external_names: bool,
    /// The domain of the cluster's Services: `cluster.local`.
    pub cluster_domain: String,
    /// Which addresses may be backends.
    pub addresses: AddressPolicy,
}

impl Options {
    /// Whether a host belongs to one namespace.
    pub fn has_strict_tenancy(&self) -> bool {
        self.tenancy == Tenancy::Strict
    }
}

/// Whether objects of several namespaces may serve one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// They may, with their own paths, and are reported.
    #[default]
    Shared,
    /// A host belongs to the namespace that came first to it, or to a wildcard that covers it.
    Strict,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controller: CONTROLLER.to_owned(),
            serve_controllers: Vec::new(),
            everything_without_class: false,
            tenancy: Tenancy::default(),
            default_certificate: None,
            external_names: true,
            cluster_domain: service::name::DEFAULT_CLUSTER_DOMAIN.to_owned(),
            addresses: AddressPolicy { allow_loopback: true, ..AddressPolicy::default() },
        }
    }
}

/// The result of a translation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translation {
    /// What to serve.
    pub model: Model,
    /// The reports to users, sorted, each once.
    pub reports: OrdSet<Report>,
    /// The objects that are served, and which of their parts are.
    pub served: Served,
}

/// The default of the controller's own name in an IngressClass.
pub const CONTROLLER: &str = "steadygate.io/ingress-controller";

/// Translates one snapshot.
pub fn translate(snapshot: &Snapshot, options: &Options) -> Translation {
    Translator::new(options.clone()).update(snapshot)
}

/// The balancing of a pool for what a user wrote; the default is round robin. Where the Service keeps each client at one endpoint, that
/// decides: an algorithm which somebody has chosen besides is reported in `field` of `owner`.
fn balance(
    algorithm: Option<LoadDistributionAlgorithm>,
    keeps_clients: bool,
    owner: &ObjectRef,
    field: &str,
    reports: &mut Reports,
) -> Balance {
    if keeps_clients {
        if algorithm.is_some() {
            let message = "it has no effect: the Service has sessionAffinity: ClientIP, so the client's address chooses the endpoint";
            reports.warning(owner, field, Reason::Unsupported, message, "give up one of the two");
        }
        return Balance::ClientAddress;
    }
    match algorithm {
        None | Some(LoadDistributionAlgorithm::RoundRobin) => Balance::RoundRobin,
        Some(LoadDistributionAlgorithm::LeastConnections) => Balance::LeastConnections,
        Some(LoadDistributionAlgorithm::IpHash) => Balance::ClientAddress,
    }
}
