//! DNS names of backends: `externalName` of a Service and `fqdn` of an ApplicationGateway are judged by one rule. The addresses that a
//! name resolves to are judged later, by [`crate::model::AddressPolicy`].

use crate::model::HostPattern;
use crate::report::Reason;
use crate::translate::Options;

/// Why a name can be no backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::translate) struct NameFault {
    pub(in crate::translate) reason: Reason,
    /// What is wrong with the name, as the end of a sentence that begins with it.
    pub(in crate::translate) problem: String,
    pub(in crate::translate) remedy: &'static str,
}

/// The domain that Services of a cluster have by default.
pub(in crate::translate) const DEFAULT_CLUSTER_DOMAIN: &str = "cluster.local";

/// Reads the name of a backend of an object in `namespace`: in lower case, without the dot that may end it.
pub(in crate::translate) fn read(text: &str, namespace: &str, options: &Options) -> Result<String, NameFault> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let fault = |reason, problem: &str, remedy| Err(NameFault { reason, problem: problem.to_owned(), remedy });
    if is_numeric(bare.rsplit('.').next().unwrap_or_default()) {
        let remedy = "give it a DNS name; for an IP address use a Service with an EndpointSlice, or ipAddress";
        return fault(Reason::InvalidValue, "is an IP address or would be read as one, not a DNS name", remedy);
    }
    // Hosts of requests may have underscores; names of backends may not (DNS-1123 subdomain).
    let Some(HostPattern::Exact(name)) = HostPattern::ingress(bare).ok().filter(|_| !bare.contains('_')) else {
        let remedy = "give it a DNS name; for an IP address use a Service with an EndpointSlice, or ipAddress";
        return fault(Reason::InvalidValue, "is not a DNS name", remedy);
    };
    match cluster_namespace(&name, &options.cluster_domain) {
        ClusterName::Outside => Ok(name.to_string()),
        ClusterName::ApiServer => fault(
            Reason::RefNotPermitted,
            "leads to the API server",
            "name another backend; the API server can't be one",
        ),
        ClusterName::In(Some(other)) if other == namespace => Ok(name.to_string()),
        ClusterName::In(other) => {
            let place = other.map_or_else(
                || "leads into the cluster, and to no Service of this namespace".to_owned(),
                |other| format!("leads to namespace {other}, and nothing there permits the reference"),
            );
            let remedy =
                "use a Service of the same namespace: a ReferenceGrant permits references to objects, not names";
            fault(Reason::RefNotPermitted, &place, remedy)
        }
    }
}

/// Whether a name that was read is that of a Service or pod.
pub(in crate::translate) fn is_of_cluster(name: &str, options: &Options) -> bool {
    cluster_namespace(name, &options.cluster_domain) != ClusterName::Outside
}

/// Where a name leads, as far as the name itself tells.
#[derive(Debug, PartialEq, Eq)]
enum ClusterName<'a> {
    /// Out of the cluster's own domain.
    Outside,
    ApiServer,
    /// To Services or pods of a namespace, or to something else in the cluster's domain.
    In(Option<&'a str>),
}

/// Names of Services are `SERVICE.NAMESPACE.svc` with the cluster's domain or without; those of pods have more labels before, or
/// `pod` for `svc`.
fn cluster_namespace<'a>(name: &'a str, cluster_domain: &str) -> ClusterName<'a> {
    let domains = [cluster_domain, DEFAULT_CLUSTER_DOMAIN];
    let within = domains.iter().find_map(|domain| match name.strip_suffix(domain) {
        Some("") => Some(""),
        Some(rest) => rest.strip_suffix('.'),
        None => None,
    });
    let kind = |rest: &'a str| rest.strip_suffix(".svc").or_else(|| rest.strip_suffix(".pod"));
    let Some(of_namespace) = within.map(kind).unwrap_or_else(|| name.strip_suffix(".svc")) else {
        return if within.is_some() || name == "svc" { ClusterName::In(None) } else { ClusterName::Outside };
    };
    let mut labels = of_namespace.rsplit('.');
    match (labels.next(), labels.next()) {
        (Some("default"), Some("kubernetes")) => ClusterName::ApiServer,
        (Some(namespace), _) => ClusterName::In(Some(namespace)),
        (None, _) => ClusterName::In(None),
    }
}

/// Whether the last label of a name makes it a number: no domain is one, and resolvers take such names for IPv4 addresses, decimal, octal
/// or hexadecimal.
fn is_numeric(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_out_of_the_cluster_or_stays_in_its_namespace() {
        let options = Options { cluster_domain: "k8s.example.net".to_owned(), ..Options::default() };
        let own =
            ["db.team.svc.cluster.local", "0.db.team.svc.cluster.local.", "db.team.svc", "db.team.svc.k8s.example.net"];
        let outside =
            ["db.example.com", "DB.Example.com.", "localhost", "a.b.svc.example.com", "xn--bcher-kva.example"];
        for name in own.into_iter().chain(outside) {
            let expected = name.to_ascii_lowercase().trim_end_matches('.').to_owned();
            assert_eq!(read(name, "team", &options), Ok(expected), "{name}");
        }
        for (name, reason) in [
            ("db.other.svc.cluster.local", Reason::RefNotPermitted),
            ("DB.Other.SVC.Cluster.Local.", Reason::RefNotPermitted),
            ("0.db.other.svc.cluster.local", Reason::RefNotPermitted),
            ("db.other.svc", Reason::RefNotPermitted),
            ("db.other.svc.k8s.example.net", Reason::RefNotPermitted),
            ("10-0-0-1.other.pod.cluster.local", Reason::RefNotPermitted),
            ("cluster.local", Reason::RefNotPermitted),
            ("svc.cluster.local", Reason::RefNotPermitted),
            ("kubernetes.default.svc", Reason::RefNotPermitted),
            ("kubernetes.default.svc.cluster.local", Reason::RefNotPermitted),
            ("169.254.169.254", Reason::InvalidValue),
            ("2852039166", Reason::InvalidValue),
            ("0xa9fea9fe", Reason::InvalidValue),
            ("0251.0376.0251.0376", Reason::InvalidValue),
            ("169.254.0xa9fe.", Reason::InvalidValue),
            ("::ffff:169.254.169.254", Reason::InvalidValue),
            ("*.example.com", Reason::InvalidValue),
            ("a_b.example.com", Reason::InvalidValue),
            ("db.example.com..", Reason::InvalidValue),
            ("", Reason::InvalidValue),
        ] {
            assert_eq!(read(name, "team", &options).map_err(|fault| fault.reason), Err(reason), "{name}");
        }
        // The API server is no backend of its own namespace either.
        assert!(read("kubernetes.default.svc", "default", &options).is_err());
        assert!(read("db.default.svc", "default", &options).is_ok());
    }
}
