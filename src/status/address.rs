//! The addresses at which the gateway can be reached, as status publishes them.
//!
//! They follow the rules of ingress-nginx, on which tools such as external-dns rely. While the addresses are not known, the
//! published ones stay: if an address vanished for a moment, such tools would delete DNS records.

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress;

use crate::source::{Key, Snapshot};

/// The source of the published addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PublishedAddresses {
    /// No address is published.
    #[default]
    Nothing,
    /// The addresses of a Service.
    Service(Key),
    /// These IP addresses and host names.
    Addresses(Vec<String>),
}

impl PublishedAddresses {
    /// The addresses, sorted, without duplicates; `None`: they are not known now.
    pub fn addresses(&self, snapshot: &Snapshot) -> Option<Vec<IngressLoadBalancerIngress>> {
        let mut addresses = match self {
            Self::Nothing => Vec::new(),
            Self::Addresses(texts) => texts.iter().map(|text| address(text)).collect(),
            Self::Service(key) => {
                let found = of_service(snapshot.services.get(key)?);
                if found.is_empty() {
                    return None;
                }
                found
            }
        };
        addresses.sort_by(|a, b| (&a.ip, &a.hostname).cmp(&(&b.ip, &b.hostname)));
        addresses.dedup();
        Some(addresses)
    }
}

/// An IP address or a host name.
fn address(text: &str) -> IngressLoadBalancerIngress {
    let is_ip = text.parse::<std::net::IpAddr>().is_ok();
    let text = Some(text.to_owned());
    let (ip, hostname) = if is_ip { (text, None) } else { (None, text) };
    IngressLoadBalancerIngress { ip, hostname, ports: None }
}

/// LoadBalancer: what it was given, and its `externalIPs`. Others: their `externalIPs`, else the cluster IP.
/// ExternalName: that name.
fn of_service(service: &Service) -> Vec<IngressLoadBalancerIngress> {
    let Some(ServiceSpec { type_, cluster_ip, external_ips, external_name, .. }) = &service.spec else {
        return Vec::new();
    };
    let external: Vec<_> = external_ips.iter().flatten().map(|text| address(text)).collect();
    match type_.as_deref() {
        Some("LoadBalancer") => {
            let given = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
            let given = given.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
            let given = given.flat_map(|entry| entry.ip.iter().chain(&entry.hostname)).map(|text| address(text));
            given.chain(external).collect()
        }
        Some("ExternalName") => external_name.iter().map(|text| address(text)).collect(),
        _ if external.is_empty() => {
            cluster_ip.iter().filter(|text| !matches!(text.as_str(), "" | "None")).map(|text| address(text)).collect()
        }
        _ => external,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn addresses_are_those_that_ingress_nginx_would_publish() {
        let status = r#", "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}, {"ip": "192.0.2.9"}]}}"#;
        for (spec, status, expected) in [
            (r#"{"type": "LoadBalancer"}"#, status, Some("192.0.2.9 lb.example")),
            (
                r#"{"type": "LoadBalancer", "externalIPs": ["192.0.2.7"]}"#,
                status,
                Some("192.0.2.7 192.0.2.9 lb.example"),
            ),
            (r#"{"type": "LoadBalancer", "clusterIP": "10.0.0.1"}"#, "", None),
            (r#"{"type": "ClusterIP", "clusterIP": "10.0.0.1"}"#, "", Some("10.0.0.1")),
            (r#"{"type": "ClusterIP", "clusterIP": "None"}"#, "", None),
            (r#"{"type": "NodePort", "clusterIP": "10.0.0.1"}"#, "", Some("10.0.0.1")),
            (r#"{"type": "NodePort", "clusterIP": "10.0.0.1", "externalIPs": ["::1"]}"#, "", Some("::1")),
            (r#"{"type": "ExternalName", "externalName": "a.example"}"#, "", Some("a.example")),
        ] {
            let service: Service =
                serde_json::from_str(&format!(r#"{{"metadata": {{}}, "spec": {spec}{status}}}"#)).expect("a Service");
            let mut snapshot = Snapshot::default();
            snapshot.services.insert(Key::new("a", "b"), Arc::new(service));
            let addresses = PublishedAddresses::Service(Key::new("a", "b")).addresses(&snapshot);
            assert_eq!(shown(addresses).as_deref(), expected, "{spec}");
        }
        assert_eq!(PublishedAddresses::Service(Key::new("a", "b")).addresses(&Snapshot::default()), None);
        assert_eq!(PublishedAddresses::Nothing.addresses(&Snapshot::default()), Some(Vec::new()));
        let listed = PublishedAddresses::Addresses(["b.example", "192.0.2.1", "b.example"].map(str::to_owned).to_vec());
        assert_eq!(shown(listed.addresses(&Snapshot::default())).as_deref(), Some("192.0.2.1 b.example"));
    }

    fn shown(addresses: Option<Vec<IngressLoadBalancerIngress>>) -> Option<String> {
        let mut texts: Vec<_> = addresses?.into_iter().filter_map(|entry| entry.ip.or(entry.hostname)).collect();
        texts.sort();
        Some(texts.join(" "))
    }
}
