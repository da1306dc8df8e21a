//! Service (kubernetes, pkg/apis/core/validation).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{KindRules, trim};
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::metadata::{self, refuse_unless};
use crate::source::validate::name;
use crate::source::validate::port::{PROTOCOLS, check_one_of, check_port_number};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

impl KindRules for Service {
    type Resource = Self;

    fn schema() -> Schema {
        Schema::of::<Self>()
    }

    /// Type, session affinity, protocols and target ports.
    fn complete(service: &mut Self) {
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

    fn validate(service: &Self, problems: &mut FieldProblems) {
        check_service(service, problems);
    }

    fn trim(service: &mut Self) {
        trim::trim_metadata(&mut service.metadata);
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }

    fn equals_except_status(&self, other: &Self) -> bool {
        self.spec == other.spec && trim::equals_except_status(&self.metadata, &other.metadata)
    }
}

fn check_service(service: &Service, problems: &mut FieldProblems) {
    metadata::check(&service.metadata, name::label, problems);
    let Some(spec) = &service.spec else {
        return problems.malformed("spec", "the field spec is required", "write spec with ports");
    };
    let kind = spec.type_.as_deref().unwrap_or_default();
    check_one_of("spec.type", kind, &TYPES, problems);
    check_one_of(
        "spec.sessionAffinity",
        spec.session_affinity.as_deref().unwrap_or("None"),
        &["None", "ClientIP"],
        problems,
    );
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

fn check_addresses(spec: &ServiceSpec, problems: &mut FieldProblems) {
    let Some(address) = spec.cluster_ip.as_deref().filter(|text| !matches!(*text, "" | "None")) else { return };
    if address.parse::<std::net::IpAddr>().is_err() {
        let message = format!("{} is not an IP address", name::quoted(address));
        problems.refuse("spec.clusterIP", message, "remove it, or write None for a headless Service");
    }
}

fn check_external_name(spec: &ServiceSpec, problems: &mut FieldProblems) {
    let field = "spec.externalName";
    let text = spec.external_name.as_deref().unwrap_or_default();
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.is_empty() {
        problems.malformed(field, "a Service of type ExternalName needs an externalName", "write the DNS name");
    } else {
        refuse_unless(field, name::subdomain(bare), problems);
    }
    if spec.cluster_ip.as_deref().is_some_and(|ip| !ip.is_empty()) {
        problems.refuse("spec.clusterIP", "a Service of type ExternalName has no clusterIP", "remove it");
    }
}

fn check_ports(ports: &[ServicePort], problems: &mut FieldProblems) {
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
        check_port_number(&format!("{field}.port"), port.port, problems);
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        check_one_of(&format!("{field}.protocol"), protocol, &PROTOCOLS, problems);
        if !numbers.insert((protocol, port.port)) {
            let message = format!("the port {} is listed twice", port.port);
            problems.refuse(format!("{field}.port"), message, "keep one of the two");
        }
        match &port.target_port {
            Some(IntOrString::Int(number)) => check_port_number(&format!("{field}.targetPort"), *number, problems),
            Some(IntOrString::String(named)) => {
                refuse_unless(&format!("{field}.targetPort"), name::port(named), problems);
            }
            None => {}
        }
    }
}
