//! The addresses that may not be backends because the API server or the gateway itself listens there, as the cluster's objects and the
//! open ports tell them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;

use crate::model::AddressPolicy;
use crate::source::{Key, Snapshot};

/// The namespace and name of the API server's Service and of its EndpointSlice.
const API_SERVER: (&str, &str) = ("default", "kubernetes");

/// What is known from the start about addresses that may not be backends.
#[derive(Debug, Default)]
pub(crate) struct Restrictions {
    /// The policy without what the cluster's objects tell.
    pub policy: AddressPolicy,
    /// The addresses of this pod.
    pub pod_ips: Vec<IpAddr>,
    /// The port of `/metrics` and `/debug/config`.
    pub admin_port: u16,
    /// The gateway's own Service.
    pub service: Option<Key>,
}

impl Restrictions {
    /// The policy for a snapshot, with these ports open.
    pub(super) fn policy(&self, snapshot: &Snapshot, open: &BTreeMap<u16, SocketAddr>) -> AddressPolicy {
        let mut policy = self.policy.clone();
        let api_server = Key::new(API_SERVER.0, API_SERVER.1);
        policy.api_server.extend(service_addresses(snapshot, &api_server));
        policy.api_server.extend(slice_addresses(snapshot, &api_server));
        let ports: BTreeSet<u16> = open.values().map(SocketAddr::port).chain([self.admin_port]).collect();
        policy.own.extend(product(self.pod_ips.iter().copied(), &ports));
        if let Some(service) = &self.service {
            policy.own.extend(service_addresses(snapshot, service));
        }
        policy
    }
}

/// Where a Service is reached: within the cluster, and by its load balancer.
fn service_addresses(snapshot: &Snapshot, key: &Key) -> BTreeSet<SocketAddr> {
    let Some(service) = snapshot.services.get(key) else { return BTreeSet::new() };
    let Service { spec, status, .. } = &**service;
    let spec = spec.as_ref();
    let listed = spec.into_iter().flat_map(|spec| {
        let lists = [&spec.cluster_ips, &spec.external_ips].into_iter().flatten().flatten();
        lists.chain(&spec.cluster_ip).chain(&spec.load_balancer_ip)
    });
    let balancer = status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let balanced = balancer.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
    let texts = listed.chain(balanced.filter_map(|ingress| ingress.ip.as_ref()));
    let ports = spec.into_iter().flat_map(|spec| spec.ports.iter().flatten());
    let ports = ports.filter_map(|port| u16::try_from(port.port).ok()).collect();
    product(texts.filter_map(|text| text.parse().ok()), &ports)
}

fn slice_addresses(snapshot: &Snapshot, key: &Key) -> BTreeSet<SocketAddr> {
    let Some(slice) = snapshot.endpoint_slices.get(key) else { return BTreeSet::new() };
    let texts = slice.endpoints.iter().flatten().flat_map(|endpoint| &endpoint.addresses);
    let ports = slice.ports.iter().flatten().filter_map(|port| u16::try_from(port.port?).ok()).collect();
    product(texts.filter_map(|text| text.parse().ok()), &ports)
}

fn product(ips: impl Iterator<Item = IpAddr>, ports: &BTreeSet<u16>) -> BTreeSet<SocketAddr> {
    ips.flat_map(|ip| ports.iter().map(move |port| SocketAddr::new(ip.to_canonical(), *port))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn object<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> Arc<T> {
        Arc::new(serde_json::from_value(json).expect("an object"))
    }

    fn addresses(texts: &[&str]) -> BTreeSet<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn the_api_server_and_the_gateway_are_found_where_the_cluster_has_them() {
        let mut snapshot = Snapshot::default();
        let spec = serde_json::json!({"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "ports": [{"port": 443}]});
        snapshot.services.insert(Key::new("default", "kubernetes"), object(serde_json::json!({"spec": spec})));
        let slice = serde_json::json!({
            "addressType": "IPv4", "ports": [{"port": 6443}], "endpoints": [{"addresses": ["172.18.0.2"]}],
        });
        snapshot.endpoint_slices.insert(Key::new("default", "kubernetes"), object(slice));
        let own = serde_json::json!({
            "spec": {"clusterIP": "10.96.7.7", "ports": [{"port": 80}, {"port": 443}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}, {"hostname": "lb.example"}]}},
        });
        snapshot.services.insert(Key::new("gateway", "steadygate"), object(own));
        let known = addresses(&["10.96.0.1:443", "192.0.2.1:6443"]);
        let restrictions = Restrictions {
            policy: AddressPolicy { api_server: known, ..AddressPolicy::default() },
            pod_ips: vec!["10.0.0.9".parse().expect("an address")],
            admin_port: 9180,
            service: Some(Key::new("gateway", "steadygate")),
        };
        let open = BTreeMap::from([(80, "0.0.0.0:8080".parse().expect("an address"))]);
        let AddressPolicy { allow_loopback, api_server, own } = restrictions.policy(&snapshot, &open);
        assert!(!allow_loopback);
        assert_eq!(api_server, addresses(&["10.96.0.1:443", "172.18.0.2:6443", "192.0.2.1:6443"]));
        let expected =
            ["10.0.0.9:8080", "10.0.0.9:9180", "10.96.7.7:80", "10.96.7.7:443", "203.0.113.5:80", "203.0.113.5:443"];
        assert_eq!(own, addresses(&expected));
    }
}
