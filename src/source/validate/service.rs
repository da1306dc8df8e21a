//! Service (kubernetes, pkg/apis/core/validation).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{self, refuse_unless};
use super::name;
use crate::source::problem::{Problems, nearest};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
pub(super) const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// A Service.
pub(crate) fn service(service: &mut Service, problems: &mut Problems) {
    metadata::check(&service.metadata, name::label, problems);
    let Some(spec) = &service.spec else {
        return problems.malformed("spec", "the field spec is required", "write spec with ports");
    };
    let kind = spec.type_.as_deref().unwrap_or_default();
    one_of("spec.type", kind, &TYPES, problems);
    one_of("spec.sessionAffinity", spec.session_affinity.as_deref().unwrap_or("None"), &["None", "ClientIP"], problems);
    check_addresses(spec, problems);
    if kind == "ExternalName" {
        check_external_name(spec, problems);
    }
    let ports = spec.ports.as_deref().unwrap_or_default();
    let headless = spec.cluster_ip.as_deref() == Some("None");
    if ports.is_empty() && !headless && kind != "ExternalName" {
        problems.malformed("spec.ports", "a Service needs at least one port", "write spec.ports");
    }
    check_ports(ports, problems);
}

fn check_addresses(spec: &ServiceSpec, problems: &mut Problems) {
    let Some(address) = spec.cluster_ip.as_deref().filter(|text| !matches!(*text, "" | "None")) else { return };
    if address.parse::<std::net::IpAddr>().is_err() {
        let message = format!("{} is not an IP address", name::quoted(address));
        problems.refuse("spec.clusterIP", message, "remove it, or write None for a headless Service");
    }
}

fn check_external_name(spec: &ServiceSpec, problems: &mut Problems) {
    let field = "spec.externalName";
    let text = spec.external_name.as_deref().unwrap_or_default();
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.is_empty() {
        problems.malformed(field, "a Service of type ExternalName needs an externalName", "write the DNS name");
    } else if bare.parse::<std::net::IpAddr>().is_ok() {
        let message = format!("{} is an IP address, not a DNS name", name::quoted(text));
        problems.refuse(field, message, "write a Service without selector, and an EndpointSlice with the address");
    } else {
        refuse_unless(field, name::subdomain(bare), problems);
    }
    if spec.cluster_ip.as_deref().is_some_and(|ip| !ip.is_empty()) {
        problems.refuse("spec.clusterIP", "a Service of type ExternalName has no clusterIP", "remove it");
    }
}

fn check_ports(ports: &[ServicePort], problems: &mut Problems) {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let field = format!("spec.ports[{index}]");
        match port.name.as_deref().unwrap_or_default() {
            "" if ports.len() > 1 => {
                problems.malformed(format!("{field}.name"), "of several ports each needs a name", "write name");
            }
            "" => {}
            named => {
                refuse_unless(&format!("{field}.name"), name::label(named), problems);
                if !names.insert(named) {
                    let message = format!("another port is called {} as well", name::quoted(named));
                    problems.refuse(format!("{field}.name"), message, "give each port its own name");
                }
            }
        }
        port_number(&format!("{field}.port"), port.port, problems);
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        one_of(&format!("{field}.protocol"), protocol, &PROTOCOLS, problems);
        if !numbers.insert((protocol, port.port)) {
            let message = format!("the port {} is listed twice", port.port);
            problems.refuse(format!("{field}.port"), message, "keep one of the two");
        }
        match &port.target_port {
            Some(IntOrString::Int(number)) => port_number(&format!("{field}.targetPort"), *number, problems),
            Some(IntOrString::String(named)) => {
                refuse_unless(&format!("{field}.targetPort"), name::port(named), problems);
            }
            None => {}
        }
    }
}

/// Reports a number that no port has.
pub(super) fn port_number(field: &str, number: i32, problems: &mut Problems) {
    if !(1..=65535).contains(&number) {
        problems.refuse(field, format!("{number} is not a port"), "write a number between 1 and 65535");
    }
}

/// Reports a word that is none of those allowed.
pub(super) fn one_of(field: &str, word: &str, allowed: &[&str], problems: &mut Problems) {
    if allowed.contains(&word) {
        return;
    }
    let remedy = match nearest(word, allowed.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("write one of {}", allowed.join(", ")),
    };
    problems.refuse(field, format!("{} is none of {}", name::quoted(word), allowed.join(", ")), remedy);
}
