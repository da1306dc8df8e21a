//! Pod. Only its containers with their ports and probes, and its grace period, are read.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Probe};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::KindRules;
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::metadata::{self, refuse_unless};
use crate::source::validate::name;
use crate::source::validate::port::{PROTOCOLS, check_one_of, check_port_number};

impl KindRules for Pod {
    type Resource = Self;

    fn schema() -> Schema {
        Schema::of::<Self>()
    }

    /// Ports and probes of containers.
    fn complete(pod: &mut Self) {
        let Some(spec) = &mut pod.spec else { return };
        for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
            for port in container.ports.iter_mut().flatten() {
                port.protocol.get_or_insert_with(|| "TCP".to_owned());
            }
            let probes = [&mut container.readiness_probe, &mut container.liveness_probe, &mut container.startup_probe];
            probes.into_iter().flatten().for_each(complete_probe);
        }
    }

    fn validate(pod: &Self, problems: &mut FieldProblems) {
        check_pod(pod, problems);
    }

    /// Keeps the fields from which probes are inferred, and the grace period.
    fn trim(pod: &mut Self) {
        let Self { metadata, spec, status } = pod;
        *status = None;
        *metadata = ObjectMeta {
            name: metadata.name.take(),
            namespace: metadata.namespace.take(),
            uid: metadata.uid.take(),
            deletion_timestamp: metadata.deletion_timestamp.take(),
            deletion_grace_period_seconds: metadata.deletion_grace_period_seconds,
            ..ObjectMeta::default()
        };
        if let Some(spec) = spec {
            let whole = std::mem::take(spec);
            *spec = PodSpec {
                containers: whole.containers.into_iter().map(trim_container).collect(),
                init_containers: whole
                    .init_containers
                    .map(|containers| containers.into_iter().map(trim_container).collect()),
                termination_grace_period_seconds: whole.termination_grace_period_seconds,
                ..PodSpec::default()
            };
        }
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}

fn trim_container(whole: Container) -> Container {
    Container {
        name: whole.name,
        ports: whole.ports,
        readiness_probe: whole.readiness_probe,
        liveness_probe: whole.liveness_probe,
        restart_policy: whole.restart_policy,
        ..Container::default()
    }
}

fn complete_probe(probe: &mut Probe) {
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

fn check_pod(pod: &Pod, problems: &mut FieldProblems) {
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

fn check_container(field: &str, container: &Container, problems: &mut FieldProblems) {
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let field = format!("{field}.ports[{index}]");
        check_port_number(&format!("{field}.containerPort"), port.container_port, problems);
        check_one_of(&format!("{field}.protocol"), port.protocol.as_deref().unwrap_or("TCP"), &PROTOCOLS, problems);
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

fn check_probe(field: &str, probe: &Probe, problems: &mut FieldProblems) {
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
    check_one_of(
        &format!("{field}.httpGet.scheme"),
        http.scheme.as_deref().unwrap_or("HTTP"),
        &["HTTP", "HTTPS"],
        problems,
    );
    for (index, header) in http.http_headers.iter().flatten().enumerate() {
        refuse_unless(&format!("{field}.httpGet.httpHeaders[{index}].name"), name::header(&header.name), problems);
    }
    match &http.port {
        IntOrString::Int(number) => check_port_number(&format!("{field}.httpGet.port"), *number, problems),
        IntOrString::String(named) => refuse_unless(&format!("{field}.httpGet.port"), name::port(named), problems),
    }
}
