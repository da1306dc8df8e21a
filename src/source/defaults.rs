//! The defaults that an API server writes into objects. A directory has no API server, and what reads the
//! snapshot must not see the difference.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Container, Pod, Probe, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Map, Value};

use crate::model::Kind;

/// The namespace `default` where an object in one names none; and none where the kind has none, as an API
/// server clears it.
pub(super) fn namespace(kind: Kind, object: &mut Value) {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
    if !kind.is_namespaced() {
        metadata.remove("namespace");
    } else if is_blank(metadata) {
        metadata.insert("namespace".to_owned(), "default".into());
    }
}

fn is_blank(metadata: &Map<String, Value>) -> bool {
    metadata.get("namespace").and_then(Value::as_str).is_none_or(str::is_empty)
}

/// Type, protocols, target ports.
pub(super) fn service(service: &mut Service) {
    let Some(spec) = &mut service.spec else { return };
    spec.type_.get_or_insert_with(|| "ClusterIP".to_owned());
    spec.session_affinity.get_or_insert_with(|| "None".to_owned());
    let external = spec.type_.as_deref() == Some("ExternalName");
    for port in spec.ports.iter_mut().flatten() {
        port.protocol.get_or_insert_with(|| "TCP".to_owned());
        let blank = match &port.target_port {
            None | Some(IntOrString::Int(0)) => true,
            Some(IntOrString::String(name)) => name.is_empty(),
            Some(IntOrString::Int(_)) => false,
        };
        if blank && !external && port.port > 0 {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
}

/// Names and protocols of ports.
pub(super) fn endpoint_slice(slice: &mut EndpointSlice) {
    for port in slice.ports.iter_mut().flatten() {
        port.name.get_or_insert_default();
        port.protocol.get_or_insert_with(|| "TCP".to_owned());
    }
}

/// Ports and probes of containers.
pub(super) fn pod(pod: &mut Pod) {
    let Some(spec) = &mut pod.spec else { return };
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        container_ports(container);
        let probes = [&mut container.readiness_probe, &mut container.liveness_probe, &mut container.startup_probe];
        for probe in probes.into_iter().flatten() {
            self::probe(probe);
        }
    }
}

fn container_ports(container: &mut Container) {
    for port in container.ports.iter_mut().flatten() {
        port.protocol.get_or_insert_with(|| "TCP".to_owned());
    }
}

fn probe(probe: &mut Probe) {
    for (field, default) in [
        (&mut probe.period_seconds, 10),
        (&mut probe.timeout_seconds, 1),
        (&mut probe.success_threshold, 1),
        (&mut probe.failure_threshold, 3),
    ] {
        if field.is_none_or(|seconds| seconds == 0) {
            *field = Some(default);
        }
    }
    if let Some(http) = &mut probe.http_get {
        http.scheme.get_or_insert_with(|| "HTTP".to_owned());
        let path = http.path.get_or_insert_default();
        if path.is_empty() {
            path.push('/');
        }
    }
}

/// Type, and `stringData` merged into `data`, over what has the same key.
pub(super) fn secret(secret: &mut Secret) {
    secret.type_.get_or_insert_with(|| "Opaque".to_owned());
    let Some(text) = secret.string_data.take() else { return };
    let data: &mut BTreeMap<_, _> = secret.data.get_or_insert_default();
    data.extend(text.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))));
}
