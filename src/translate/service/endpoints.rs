//! The endpoints of a Service: what its EndpointSlices say, merged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, ServicePort};
use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointSlice};

use crate::model::{Address, Endpoint, EndpointState, ObjectRef};
use crate::report::Reason;
use crate::source::Key;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// Time that a pod has from SIGTERM to SIGKILL where it does not say (Kubernetes' own default), or is not known.
const DEFAULT_GRACE: i64 = 30;

/// What the slices of a Service have, merged.
#[derive(Debug, Default)]
pub(super) struct MergedEndpoints {
    pub(super) endpoints: BTreeMap<Address, Endpoint>,
    /// Names of the pods behind them.
    pub(super) pods: BTreeSet<String>,
}

impl MergedEndpoints {
    /// Takes in a slice.
    pub(super) fn add_slice(
        &mut self,
        slice: &EndpointSlice,
        port: &ServicePort,
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
            .and_then(|number| u16::try_from(number).ok());
        let Some(number) = number else { return };
        let namespace = object.namespace();
        for (index, endpoint) in slice.endpoints.iter().flatten().enumerate() {
            let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
            let pod = target.and_then(|target| target.name.as_deref());
            self.pods.extend(pod.map(str::to_owned));
            let state = state(endpoint.conditions.as_ref(), self::pod(endpoint, namespace, lookup));
            for (place, text) in endpoint.addresses.iter().enumerate() {
                let Ok(ip) = text.parse::<IpAddr>() else {
                    reports.warning(
                        object,
                        format!("endpoints[{index}].addresses[{place}]"),
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

    /// While an endpoint moves between slices it can stand in two, and so can an address that a new pod has taken over
    /// from one that is going away: the better word is right.
    fn add(&mut self, address: SocketAddr, state: EndpointState, target: Option<String>) {
        let address = Address::Socket(address);
        let new = Endpoint { address: address.clone(), state, target };
        let endpoint = self.endpoints.entry(address).or_insert_with(|| new.clone());
        if state < endpoint.state {
            let target = new.target.or(endpoint.target.take());
            *endpoint = Endpoint { target, ..new };
        } else {
            endpoint.target = endpoint.target.take().or(new.target);
        }
    }
}

/// The endpoints of a slice that go away.
pub(in crate::translate) fn terminating(
    key: &Key,
    slice: &EndpointSlice,
    lookup: &Lookup<'_>,
) -> Vec<(SocketAddr, EndpointState)> {
    let ports = slice.ports.iter().flatten().filter_map(|port| u16::try_from(port.port?).ok());
    let ports: Vec<u16> = ports.collect();
    let mut leaving = Vec::new();
    for endpoint in slice.endpoints.iter().flatten() {
        let state = state(endpoint.conditions.as_ref(), pod(endpoint, key.namespace(), lookup));
        if state.grace().is_none() {
            continue;
        }
        let ips = endpoint.addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok());
        leaving.extend(ips.flat_map(|ip| ports.iter().map(move |port| (SocketAddr::new(ip, *port), state))));
    }
    leaving
}

/// The pod of an endpoint, where it is known.
fn pod<'a>(
    endpoint: &k8s_openapi::api::discovery::v1::Endpoint,
    namespace: &str,
    lookup: &Lookup<'a>,
) -> Option<&'a Pod> {
    let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"))?;
    // A StatefulSet's next pod has the name of the one before it.
    lookup
        .pod(namespace, target.name.as_deref()?)
        .filter(|pod| target.uid.is_none() || pod.metadata.uid.is_none() || pod.metadata.uid == target.uid)
}

/// What the conditions of an endpoint come to. Absent ones are as the API has it: ready, serving, not terminating. A pod that
/// terminates is not ready, even where `publishNotReadyAddresses` says so: it still gets what nobody else can take. A pod
/// terminates when it has been deleted; where the pod is known, that is known before its slice says so.
fn state(conditions: Option<&EndpointConditions>, pod: Option<&Pod>) -> EndpointState {
    let unsaid = EndpointConditions::default();
    let EndpointConditions { ready, serving, terminating } = conditions.unwrap_or(&unsaid);
    let deleted = pod.is_some_and(|pod| pod.metadata.deletion_timestamp.is_some());
    match (ready.unwrap_or(true), serving.unwrap_or(true), terminating.unwrap_or(false) || deleted) {
        (_, true, true) => EndpointState::Terminating { grace: grace(pod) },
        (_, false, true) => EndpointState::Ending { grace: grace(pod) },
        (true, _, false) => EndpointState::Ready,
        (false, _, false) => EndpointState::NotReady,
    }
}

/// The time that a pod has for its end: what its deletion gave it, else what its specification says.
fn grace(pod: Option<&Pod>) -> Duration {
    let given = pod.and_then(|pod| pod.metadata.deletion_grace_period_seconds);
    let declared = pod.and_then(|pod| pod.spec.as_ref()).and_then(|spec| spec.termination_grace_period_seconds);
    Duration::from_secs(given.or(declared).unwrap_or(DEFAULT_GRACE).try_into().unwrap_or_default())
}
