//! The endpoints of a Service port, merged from its EndpointSlices, and those that terminate.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, ServicePort};
use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointSlice};

use crate::model::{Address, Endpoint, EndpointState, ObjectRef, Weight};
use crate::report::Reason;
use crate::source::Key;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// Seconds that a pod has from SIGTERM to SIGKILL where it declares none (the default of Kubernetes), or is not known.
const DEFAULT_GRACE_SECONDS: i64 = 30;

/// The endpoints of a Service port, from all slices.
#[derive(Debug, Default)]
pub(super) struct MergedEndpoints {
    pub(super) endpoints: BTreeMap<Address, Endpoint>,
    /// Names of the pods behind the endpoints.
    pub(super) pods: BTreeSet<String>,
}

impl MergedEndpoints {
    /// Adds the endpoints that a slice has for `port`. `object` is the slice. A slice of a headless Service without ports has none
    /// either: there, `without_ports` is the number.
    pub(super) fn add_slice(
        &mut self,
        slice: &EndpointSlice,
        port: &ServicePort,
        without_ports: Option<i32>,
        object: &ObjectRef,
        lookup: &Lookup<'_>,
        reports: &mut Reports,
    ) {
        if !matches!(slice.address_type.as_str(), "IPv4" | "IPv6") {
            reports.warning(
                object,
                "addressType",
                Reason::Unsupported,
                format!("endpoints of type {:?} are not used", slice.address_type),
                "use IPv4 or IPv6; for a DNS name use a Service of type ExternalName",
            );
            return;
        }
        let wanted = port.name.as_deref().unwrap_or_default();
        let ports = slice.ports.as_deref().unwrap_or_default();
        let number = ports
            .iter()
            .filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP")
            .find(|port| port.name.as_deref().unwrap_or_default() == wanted)
            .and_then(|port| port.port)
            .or(without_ports.filter(|_| ports.is_empty()))
            .and_then(|number| u16::try_from(number).ok());
        let Some(number) = number.filter(|number| *number > 0) else { return };
        let namespace = object.namespace();
        for (index, endpoint) in slice.endpoints.iter().flatten().enumerate() {
            let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
            let pod = target.and_then(|target| target.name.as_deref());
            self.pods.extend(pod.map(str::to_owned));
            let state = state(endpoint.conditions.as_ref(), self::pod(endpoint, namespace, lookup));
            for (position, text) in endpoint.addresses.iter().enumerate() {
                let Ok(ip) = text.parse::<IpAddr>() else {
                    reports.warning(
                        object,
                        format!("endpoints[{index}].addresses[{position}]"),
                        Reason::InvalidValue,
                        format!("{text:?} is not an IP address, so this endpoint is not used"),
                        "write an IPv4 or IPv6 address",
                    );
                    continue;
                };
                self.add(SocketAddr::new(ip, number), state, pod.map(|pod| format!("Pod {namespace}/{pod}")));
            }
        }
    }

    /// Adds an endpoint. An address may be in two slices: while an endpoint moves between slices, and when a new pod
    /// takes over the address of a terminating one. Of two states the better one is right.
    fn add(&mut self, address: SocketAddr, state: EndpointState, target: Option<String>) {
        let address = Address::Socket(address);
        let new = Endpoint { address: address.clone(), state, weight: Weight::ONE, target };
        let endpoint = self.endpoints.entry(address).or_insert_with(|| new.clone());
        if state < endpoint.state {
            let target = new.target.or(endpoint.target.take());
            *endpoint = Endpoint { target, ..new };
        } else {
            endpoint.target = endpoint.target.take().or(new.target);
        }
    }
}

/// The endpoints of a slice that terminate, on each port of the slice.
pub(in crate::translate) fn terminating(
    key: &Key,
    slice: &EndpointSlice,
    lookup: &Lookup<'_>,
) -> Vec<(SocketAddr, EndpointState)> {
    let ports = slice.ports.iter().flatten().filter_map(|port| u16::try_from(port.port?).ok());
    let ports: Vec<u16> = ports.collect();
    let mut terminating = Vec::new();
    for endpoint in slice.endpoints.iter().flatten() {
        let state = state(endpoint.conditions.as_ref(), pod(endpoint, key.namespace(), lookup));
        if state.grace().is_none() {
            continue;
        }
        let ips = endpoint.addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        terminating.extend(ips.flat_map(|ip| ports.iter().map(move |port| (SocketAddr::new(ip, *port), state))));
    }
    terminating
}

/// The pod of an endpoint, if it is known.
fn pod<'a>(
    endpoint: &k8s_openapi::api::discovery::v1::Endpoint,
    namespace: &str,
    lookup: &Lookup<'a>,
) -> Option<&'a Pod> {
    let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"))?;
    // The next pod of a StatefulSet has the name of the one before it, so the UID counts.
    lookup
        .pod(namespace, target.name.as_deref()?)
        .filter(|pod| target.uid.is_none() || pod.metadata.uid.is_none() || pod.metadata.uid == target.uid)
}

/// The state of an endpoint by its conditions (KEP-1672). Conditions that are absent default to ready, serving and not
/// terminating. A terminating endpoint counts as not ready even where `publishNotReadyAddresses` makes it ready: it
/// gets requests only where no other member can take them. A pod terminates as soon as it is deleted, which is seen on
/// the pod itself before it is seen in the slice.
fn state(conditions: Option<&EndpointConditions>, pod: Option<&Pod>) -> EndpointState {
    let absent = EndpointConditions::default();
    let EndpointConditions { ready, serving, terminating } = conditions.unwrap_or(&absent);
    let deleted = pod.is_some_and(|pod| pod.metadata.deletion_timestamp.is_some());
    match (ready.unwrap_or(true), serving.unwrap_or(true), terminating.unwrap_or(false) || deleted) {
        (_, true, true) => EndpointState::Terminating { grace: grace(pod) },
        (_, false, true) => EndpointState::Ending { grace: grace(pod) },
        (true, _, false) => EndpointState::Ready,
        (false, _, false) => EndpointState::NotReady,
    }
}

/// The grace period of a pod: that of its deletion, or else that of its specification.
fn grace(pod: Option<&Pod>) -> Duration {
    let given = pod.and_then(|pod| pod.metadata.deletion_grace_period_seconds);
    let declared = pod.and_then(|pod| pod.spec.as_ref()).and_then(|spec| spec.termination_grace_period_seconds);
    Duration::from_secs(given.or(declared).unwrap_or(DEFAULT_GRACE_SECONDS).try_into().unwrap_or_default())
}
