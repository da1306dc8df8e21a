//! Pod: only what is read of it, which is containers, their ports and probes.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{self, refuse_unless};
use super::name;
use super::service::{PROTOCOLS, one_of, port_number};
use crate::source::problem::Problems;

/// A Pod.
pub(crate) fn pod(pod: &mut Pod, problems: &mut Problems) {
    metadata::check(&pod.metadata, name::subdomain, problems);
    let Some(spec) = &pod.spec else {
        return problems.malformed("spec", "the field spec is required", "write spec with containers");
    };
    if spec.containers.is_empty() {
        problems.malformed("spec.containers", "a Pod needs at least one container", "write spec.containers");
    }
    let mut names = BTreeSet::new();
    for (index, container) in spec.containers.iter().enumerate() {
        let field = format!("spec.containers[{index}]");
        refuse_unless(&format!("{field}.name"), name::label(&container.name), problems);
        if !names.insert(container.name.as_str()) {
            let message = format!("another container is called {} as well", name::quoted(&container.name));
            problems.refuse(format!("{field}.name"), message, "give each container its own name");
        }
        check_container(&field, container, problems);
    }
}

fn check_container(field: &str, container: &Container, problems: &mut Problems) {
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let field = format!("{field}.ports[{index}]");
        port_number(&format!("{field}.containerPort"), port.container_port, problems);
        one_of(&format!("{field}.protocol"), port.protocol.as_deref().unwrap_or("TCP"), &PROTOCOLS, problems);
        if let Some(named) = &port.name {
            refuse_unless(&format!("{field}.name"), name::port(named), problems);
        }
    }
    for (name, probe) in [("readinessProbe", &container.readiness_probe), ("livenessProbe", &container.liveness_probe)]
    {
        if let Some(probe) = probe {
            check_probe(&format!("{field}.{name}"), probe, problems);
        }
    }
}

fn check_probe(field: &str, probe: &Probe, problems: &mut Problems) {
    for (name, value) in [
        ("periodSeconds", probe.period_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if value.is_some_and(|value| value < 0) {
            problems.refuse(format!("{field}.{name}"), "it must not be negative", "write 1 or more");
        }
    }
    let Some(http) = &probe.http_get else { return };
    one_of(&format!("{field}.httpGet.scheme"), http.scheme.as_deref().unwrap_or("HTTP"), &["HTTP", "HTTPS"], problems);
    match &http.port {
        IntOrString::Int(number) => port_number(&format!("{field}.httpGet.port"), *number, problems),
        IntOrString::String(named) => refuse_unless(&format!("{field}.httpGet.port"), name::port(named), problems),
    }
}
