//! Probes of backends: inferred from the probes that pods declare for the kubelet, defaults where they declare none,
//! and the annotations that change parts of either.

mod headers;

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Pod, Probe as PodProbe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::annotations::ProbeSettings;
use crate::model::{Address, Endpoint, Probe, ProbeKind, StatusRange};

use super::report::Reports;
use super::service::ResolvedPort;

// Defaults of the kubelet (core/v1, Probe).
const KUBELET_PERIOD_SECONDS: u64 = 10;
const KUBELET_TIMEOUT_SECONDS: u64 = 1;
const KUBELET_FAILURE_THRESHOLD: u32 = 3;

/// The highest threshold that a probe can have here, as in ARM.
const MAX_UNHEALTHY_THRESHOLD: u32 = 20;

/// The probe that a pod behind the Service declares: `readinessProbe.httpGet` of the container with the target port, or
/// else its `livenessProbe.httpGet`. Fields that are absent have the kubelet's defaults.
pub(super) fn infer(resolved: &ResolvedPort<'_>, namespace: &str, reports: &mut Reports) -> Option<Probe> {
    let pod = resolved.pod?;
    let container = container_of(pod, &resolved.target)?;
    let declared = [("readinessProbe", &container.readiness_probe), ("livenessProbe", &container.liveness_probe)];
    let (name, probe, get) = declared.into_iter().find_map(|(name, probe)| {
        let probe = probe.as_ref()?;
        Some((name, probe, probe.http_get.as_ref()?))
    })?;
    let port = number(container, &get.port)?;
    let headers = headers::read(namespace, pod, container, (name, get), reports);
    Some(Probe {
        is_guess: false,
        kind: ProbeKind::Http,
        https: get.scheme.as_deref() == Some("HTTPS"),
        host: headers.host.or_else(|| get.host.clone().filter(|host| !host.is_empty())),
        headers: headers.others,
        path: path(get),
        port: Some(port).filter(|port| !is_own_port(&resolved.endpoints, *port)),
        interval: seconds(probe.period_seconds, KUBELET_PERIOD_SECONDS),
        timeout: seconds(probe.timeout_seconds, KUBELET_TIMEOUT_SECONDS),
        unhealthy_threshold: threshold(probe),
        statuses: vec![StatusRange { first: 200, last: 399 }],
        body: None,
    })
}

/// The default probe for backends of an Ingress: `GET /`, and every status below 500 is success. A backend that answers
/// 404 or 401 there is alive. It is a guess: a backend may well serve its clients, and not answer `GET /`.
pub(super) fn ingress_default(https: bool, host: Option<&str>) -> Probe {
    let host = host.unwrap_or("127.0.0.1").to_owned();
    let statuses = vec![StatusRange { first: 100, last: 499 }];
    Probe { is_guess: true, host: Some(host), statuses, ..Probe::arm_default(https) }
}

/// Replaces those parts of a probe that annotations set. A probe of which somebody wrote a part is no guess any more.
pub(super) fn apply_annotations(probe: &mut Probe, settings: &ProbeSettings, endpoints: &[Endpoint]) {
    let ProbeSettings { off: _, hostname, port, path, status_codes, interval, timeout, unhealthy_threshold } = settings;
    probe.is_guess &= !settings.names_any();
    if let Some(hostname) = hostname {
        probe.host = Some(hostname.clone());
    }
    if let Some(port) = *port {
        probe.port = Some(port).filter(|port| !is_own_port(endpoints, *port));
    }
    if let Some(path) = path {
        probe.path.clone_from(path);
    }
    if let Some(ranges) = status_codes {
        probe.statuses = ranges.iter().map(|(first, last)| StatusRange { first: *first, last: *last }).collect();
    }
    probe.interval = interval.unwrap_or(probe.interval);
    probe.timeout = timeout.unwrap_or(probe.timeout);
    probe.unhealthy_threshold = unhealthy_threshold.unwrap_or(probe.unhealthy_threshold);
}

/// Whether `port` is the port of every endpoint. The probe then has no port of its own, and can be shared.
fn is_own_port(endpoints: &[Endpoint], port: u16) -> bool {
    !endpoints.is_empty()
        && endpoints.iter().all(|endpoint| match &endpoint.address {
            Address::Socket(address) => address.port() == port,
            Address::Name(_, own) => *own == port,
        })
}

/// The container with the target port: one that declares the port, or else one whose probe is on it.
fn container_of<'p>(pod: &'p Pod, target: &IntOrString) -> Option<&'p Container> {
    let spec = pod.spec.as_ref()?;
    // An init container with `restartPolicy: Always` is a sidecar, and serves as others do (KEP-753).
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let containers: Vec<&Container> = spec.containers.iter().chain(sidecars).collect();
    let declares = |container: &&&Container| {
        container.ports.iter().flatten().any(|port| match target {
            IntOrString::Int(number) => port.container_port == *number,
            IntOrString::String(name) => port.name.as_deref() == Some(name),
        })
    };
    let probes = |container: &&&Container| {
        let declared = [container.readiness_probe.as_ref(), container.liveness_probe.as_ref()];
        declared.into_iter().flatten().filter_map(|probe| probe.http_get.as_ref()).any(|get| get.port == *target)
    };
    containers.iter().find(declares).or_else(|| containers.iter().find(probes)).copied()
}

/// The number of a port, which may be named.
fn number(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => match name.parse() {
            Ok(number) => number,
            Err(_) => {
                let named = container.ports.iter().flatten().find(|port| port.name.as_ref() == Some(name));
                named?.container_port
            }
        },
    };
    u16::try_from(number).ok().filter(|number| *number > 0)
}

fn path(get: &HTTPGetAction) -> String {
    match get.path.as_deref() {
        None | Some("") => "/".to_owned(),
        Some(path) if path.starts_with('/') => path.to_owned(),
        Some(path) => format!("/{path}"),
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    let declared = value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0);
    Duration::from_secs(declared.unwrap_or(default))
}

fn threshold(probe: &PodProbe) -> u32 {
    let declared = probe.failure_threshold.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
    declared.unwrap_or(KUBELET_FAILURE_THRESHOLD).min(MAX_UNHEALTHY_THRESHOLD)
}
