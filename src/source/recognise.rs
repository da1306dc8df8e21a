//! Recognises the kind of an object, and reports kinds that are not read.

use super::problem::nearest;
use crate::model::Kind;
use crate::report::Severity;

/// The result of recognising an object.
pub(super) enum Recognised {
    /// An object that is read.
    Read(Kind),
    /// A well-formed object that people keep beside those that are read. It is ignored without a word.
    Ignored,
    /// A kind that is not read, which is reported.
    Unknown(UnknownKind),
}

/// Why the kind of an object is not read.
pub(super) struct UnknownKind {
    /// The kind that it would be, but for its version or group.
    pub(super) kind: Option<Kind>,
    /// The field that is wrong.
    pub(super) field: &'static str,
    /// Whether it is a mistake.
    pub(super) severity: Severity,
    /// The problem, for people.
    pub(super) message: String,
    /// A remedy; empty where none is needed.
    pub(super) remedy: String,
}

/// Built-in kinds of the groups whose other kinds are read. In these a kind that is not listed is a mistake.
const IGNORED_KINDS: &[&str] = &[
    "Binding",
    "ComponentStatus",
    "Endpoints",
    "Event",
    "IPAddress",
    "LimitRange",
    "NetworkPolicy",
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodTemplate",
    "ReplicationController",
    "ResourceQuota",
    "ServiceAccount",
    "ServiceCIDR",
];

/// The group of Gateway API. Of its kinds, those that are not read are reported: somebody meant them to be served.
const GATEWAY_API_GROUP: &str = "gateway.networking.k8s.io";

/// Groups of Kubernetes of which nothing is read.
const BUILT_IN_GROUPS: &[&str] = &["apps", "autoscaling", "batch", "extensions", "policy"];

/// Recognises an object by its `apiVersion` and `kind`.
pub(super) fn recognise(api_version: &str, kind: &str) -> Recognised {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let same_name = Kind::named(kind);
    if let Some(known) = same_name {
        if known.api_version() == api_version || is_equal_version(known, api_version) {
            return Recognised::Read(known);
        }
        let own_group = known.api_version().split_once('/').map_or("", |(group, _)| group);
        if group == own_group || matches!(group, "" | "extensions") || is_ours(group) {
            return Recognised::Unknown(UnknownKind {
                kind: Some(known),
                field: "apiVersion",
                severity: Severity::Error,
                message: format!("there is no {kind} in {api_version}"),
                remedy: renewal(known, api_version),
            });
        }
    }
    if same_name.is_none() && is_ours(group) {
        return of_our_groups(api_version, kind);
    }
    if BUILT_IN_GROUPS.contains(&group) || group.ends_with(".k8s.io") && group != GATEWAY_API_GROUP {
        return Recognised::Ignored;
    }
    Recognised::Unknown(UnknownKind {
        kind: None,
        field: "kind",
        severity: Severity::Warning,
        message: format!("{kind} of {api_version} is not read"),
        remedy: String::new(),
    })
}

fn of_our_groups(api_version: &str, kind: &str) -> Recognised {
    if IGNORED_KINDS.contains(&kind) {
        return Recognised::Ignored;
    }
    let remedy = match nearest(kind, Kind::objects().map(Kind::name)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "write apiVersion and kind as the object's documentation has them".to_owned(),
    };
    let message = format!("there is no {kind} in {api_version}");
    Recognised::Unknown(UnknownKind { kind: None, field: "kind", severity: Severity::Error, message, remedy })
}

/// Whether a kind has the same fields in another version as in the one that is read.
fn is_equal_version(kind: Kind, api_version: &str) -> bool {
    match kind {
        Kind::ReferenceGrant => api_version == "gateway.networking.k8s.io/v1",
        Kind::Gateway | Kind::GatewayClass | Kind::HTTPRoute => api_version == "gateway.networking.k8s.io/v1beta1",
        _ => false,
    }
}

fn is_ours(group: &str) -> bool {
    matches!(group, "" | "networking.k8s.io" | "discovery.k8s.io" | "steadygate.io")
}

/// How to bring an object of an old version up to date.
fn renewal(kind: Kind, api_version: &str) -> String {
    let write = format!("write apiVersion: {}", kind.api_version());
    match (kind, api_version) {
        (Kind::Ingress, "extensions/v1beta1" | "networking.k8s.io/v1beta1") => format!(
            "{write}; each path needs a pathType, and serviceName and servicePort become \
             service.name and service.port.number or service.port.name"
        ),
        (Kind::EndpointSlice, "discovery.k8s.io/v1beta1") => {
            format!("{write}; an endpoint's topology becomes nodeName and zone")
        }
        _ => write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_recognised_by_group_and_name() {
        let say = |api_version, kind| match recognise(api_version, kind) {
            Recognised::Read(kind) => format!("read {}", kind.name()),
            Recognised::Ignored => "ignored".to_owned(),
            Recognised::Unknown(UnknownKind { severity, remedy, .. }) => format!("{severity}: {remedy}"),
        };
        for (api_version, kind, expected) in [
            ("networking.k8s.io/v1", "Ingress", "read Ingress"),
            ("v1", "Service", "read Service"),
            ("apps/v1", "Deployment", "ignored"),
            ("v1", "ServiceAccount", "ignored"),
            ("rbac.authorization.k8s.io/v1", "Role", "ignored"),
            ("networking.k8s.io/v1", "NetworkPolicy", "ignored"),
            ("gateway.networking.k8s.io/v1", "HTTPRoute", "read HTTPRoute"),
            ("gateway.networking.k8s.io/v1beta1", "Gateway", "read Gateway"),
            ("gateway.networking.k8s.io/v1", "GRPCRoute", "warning: "),
            ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "read ReferenceGrant"),
            ("gateway.networking.k8s.io/v1", "ReferenceGrant", "read ReferenceGrant"),
            (
                "gateway.networking.k8s.io/v1alpha2",
                "ReferenceGrant",
                "error: write apiVersion: gateway.networking.k8s.io/v1beta1",
            ),
            ("serving.knative.dev/v1", "Service", "warning: "),
            ("cert-manager.io/v1", "Certificate", "warning: "),
            ("v1", "Servce", "error: did you mean Service?"),
            ("v1", "Ingress", "error: write apiVersion: networking.k8s.io/v1"),
            ("steadygate.io/v1", "ApplicationGateway", "error: write apiVersion: steadygate.io/v1alpha1"),
        ] {
            assert_eq!(say(api_version, kind), expected, "{api_version} {kind}");
        }
        assert!(say("extensions/v1beta1", "Ingress").contains("networking.k8s.io/v1; each path needs a pathType"));
        assert!(say("networking.k8s.io/v1beta1", "Ingress").contains("pathType"));
    }
}
