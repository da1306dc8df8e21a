//! What the environment of a pod tells about its cluster.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Where the kubelet says that the API server is.
pub(super) fn api_server() -> BTreeSet<SocketAddr> {
    let read = |name| std::env::var(name).ok();
    let ip = read("KUBERNETES_SERVICE_HOST").and_then(|text| text.parse::<IpAddr>().ok());
    let port = read("KUBERNETES_SERVICE_PORT").and_then(|text| text.parse().ok()).unwrap_or(443);
    ip.map(|ip| SocketAddr::new(ip.to_canonical(), port)).into_iter().collect()
}

/// The domain of the cluster's Services, by the search domains that the kubelet gives to pods.
pub(super) fn cluster_domain() -> Option<String> {
    search_domain(&std::fs::read_to_string("/etc/resolv.conf").ok()?)
}

fn search_domain(resolver_configuration: &str) -> Option<String> {
    let domains = resolver_configuration.lines().filter_map(|line| line.strip_prefix("search")).next_back()?;
    let domain = domains.split_whitespace().find_map(|domain| domain.strip_prefix("svc."))?;
    Some(domain.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_domain_is_that_of_the_search_domains() {
        let of = |text: &str| search_domain(text);
        let pod = "search team.svc.k8s.example.net svc.k8s.example.net k8s.example.net lan\nnameserver 10.96.0.10\noptions ndots:5\n";
        assert_eq!(of(pod).as_deref(), Some("k8s.example.net"));
        assert_eq!(of("nameserver 192.0.2.1\nsearch lan\n"), None);
        assert_eq!(of(""), None);
    }
}
