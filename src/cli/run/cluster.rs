//! Options of `steadygate run` about the cluster that it serves.

use std::net::IpAddr;
use std::time::Duration;

use crate::cli::objects::key;
use crate::source::Key;
use crate::source::cluster::Scope;
use crate::status::{PublishedAddresses, StatusOptions};
use crate::translate::CONTROLLER;

/// What is asked of a cluster.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ClusterOptions {
    /// Serve the objects of this namespace only (repeatable) [default: of all]
    #[arg(long, conflicts_with = "manifests", value_name = "NAMESPACE")]
    namespace: Vec<String>,

    /// Our name in spec.controller of an IngressClass
    #[arg(long, conflicts_with = "manifests", value_name = "NAME", default_value = CONTROLLER)]
    pub(super) controller_name: String,

    /// Write the addresses of this Service to the status of Ingresses and ApplicationGateways
    #[arg(long, conflicts_with = "manifests", value_name = "NAMESPACE/NAME", value_parser = key)]
    publish_service: Option<Key>,

    /// Write this IP address or host name there instead (repeatable)
    #[arg(long, value_name = "ADDR", value_parser = address, conflicts_with_all = ["manifests", "publish_service"])]
    publish_address: Vec<String>,

    /// Write no status, no Events and no Lease: another controller does, beside which this one serves
    #[arg(long, conflicts_with_all = ["manifests", "publish_service", "publish_address", "lease"])]
    no_status: bool,

    /// The Lease by which replicas agree on the one that writes status; controllers of other names need others [default:
    /// steadygate in the pod's namespace]
    #[arg(long, conflicts_with = "manifests", value_name = "NAMESPACE/NAME", value_parser = key)]
    lease: Option<Key>,

    /// Serve Gateway API: GatewayClasses, Gateways and HTTPRoutes
    #[arg(long, conflicts_with = "manifests")]
    gateway_api: bool,

    /// Refuse Services of type ExternalName as backends
    #[arg(long)]
    pub(super) no_external_names: bool,

    /// An address of this pod, which is no backend (repeatable; the chart gives it)
    #[arg(long, value_name = "ADDR", env = "POD_IPS", value_delimiter = ',')]
    pub(super) pod_ip: Vec<IpAddr>,

    /// Longest silence of the API server before its watches are taken for dead
    #[arg(
        long,
        conflicts_with = "manifests",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    api_timeout: u64,
}

/// An IP address, or a host name as Kubernetes takes it.
fn address(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..64).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if text.parse::<IpAddr>().is_ok() || text.len() < 254 && text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err("write an IP address, or a host name in lower case".to_owned())
}

impl ClusterOptions {
    /// Which objects of the cluster are watched, and how.
    pub(super) fn scope(&self) -> Scope {
        Scope {
            namespaces: self.namespace.iter().cloned().collect(),
            publish_service: self.publish_service.clone(),
            gateway_api: self.gateway_api,
            silence: Duration::from_secs(self.api_timeout),
        }
    }

    /// What is written to the status of objects. `None`: nothing.
    pub(super) fn status(&self) -> Option<StatusOptions> {
        if self.no_status {
            return None;
        }
        let publish = match (&self.publish_service, self.publish_address.is_empty()) {
            (Some(service), _) => PublishedAddresses::Service(service.clone()),
            (None, false) => PublishedAddresses::Addresses(self.publish_address.clone()),
            (None, true) => PublishedAddresses::Nothing,
        };
        Some(StatusOptions { publish, lease: self.lease.clone() })
    }
}
