//! Ingress (kubernetes, pkg/apis/networking/validation). A snapshot stores it packed.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressTLS,
};

use super::{KindRules, trim};
use crate::source::compact::PackedIngress;
use crate::source::identity::Identity;
use crate::source::problem::{FieldProblems, nearest};
use crate::source::schema::Schema;
use crate::source::validate::metadata::{self, refuse_unless};
use crate::source::validate::name;
use crate::source::validate::port::check_port_number;

/// The annotation that named a class before the field did.
const LEGACY_CLASS: &str = "kubernetes.io/ingress.class";
const PATH_TYPES: [&str; 3] = ["Exact", "Prefix", "ImplementationSpecific"];

impl KindRules for PackedIngress {
    type Resource = Ingress;

    fn schema() -> Schema {
        Schema::of::<Ingress>()
    }

    fn validate(ingress: &Ingress, problems: &mut FieldProblems) {
        check_ingress(ingress, problems);
    }

    fn trim(ingress: &mut Ingress) {
        trim::trim_metadata_except_status(&mut ingress.metadata);
    }

    fn identity(&self) -> Identity {
        Self::identity(self)
    }

    fn equals_except_status(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.unpack(), other.unpack());
        ours.spec == theirs.spec && trim::equals_except_status(&ours.metadata, &theirs.metadata)
    }
}

fn check_ingress(ingress: &Ingress, problems: &mut FieldProblems) {
    metadata::check(&ingress.metadata, name::subdomain, problems);
    let Some(spec) = &ingress.spec else {
        return problems.malformed("spec", "the field spec is required", "write spec with rules or a defaultBackend");
    };
    let legacy = ingress.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(LEGACY_CLASS));
    if let Some(class) = &spec.ingress_class_name {
        refuse_unless("spec.ingressClassName", name::subdomain(class), problems);
        if legacy {
            let message = "the class is named twice: by ingressClassName and by an annotation";
            let remedy = "keep spec.ingressClassName, remove the annotation";
            problems.refuse(format!("metadata.annotations[{LEGACY_CLASS}]"), message, remedy);
        }
    }
    let rules = spec.rules.as_deref().unwrap_or_default();
    match &spec.default_backend {
        Some(backend) => check_backend("spec.defaultBackend", backend, problems),
        None if rules.is_empty() => {
            let message = "an Ingress needs rules or a defaultBackend, and has neither";
            problems.malformed("spec", message, "write spec.rules or spec.defaultBackend");
        }
        None => {}
    }
    for (index, rule) in rules.iter().enumerate() {
        check_rule(&format!("spec.rules[{index}]"), rule, problems);
    }
    for (index, tls) in spec.tls.iter().flatten().enumerate() {
        check_tls(&format!("spec.tls[{index}]"), tls, problems);
    }
}

fn check_rule(field: &str, rule: &IngressRule, problems: &mut FieldProblems) {
    if let Some(host) = rule.host.as_deref().filter(|host| !host.is_empty()) {
        refuse_unless(&format!("{field}.host"), name::host(host), problems);
    }
    let Some(http) = &rule.http else { return };
    if http.paths.is_empty() {
        problems.malformed(format!("{field}.http.paths"), "a rule needs at least one path", "write a path, or no http");
    }
    for (index, path) in http.paths.iter().enumerate() {
        check_path(&format!("{field}.http.paths[{index}]"), path, problems);
    }
}

fn check_path(field: &str, path: &HTTPIngressPath, problems: &mut FieldProblems) {
    check_backend(&format!("{field}.backend"), &path.backend, problems);
    let text = path.path.as_deref().unwrap_or_default();
    let field_path = format!("{field}.path");
    match path.path_type.as_str() {
        "Exact" | "Prefix" if !text.starts_with('/') => {
            let message = format!("{} does not begin with '/'", name::quoted(text));
            problems.refuse(field_path, message, "write the path from its first '/' on");
        }
        "Exact" | "Prefix" => {
            if let Some(sequence) = unreachable_sequence(text) {
                let message = format!("no request has '{sequence}' in its path once it is normalised");
                problems.refuse(field_path, message, format!("write the path without '{sequence}'"));
            }
        }
        "ImplementationSpecific" if !text.is_empty() && !text.starts_with('/') => {
            let message = format!("{} does not begin with '/'", name::quoted(text));
            problems.refuse(field_path, message, "write the path from its first '/' on");
        }
        "ImplementationSpecific" => {}
        other => {
            let remedy = match nearest(other, PATH_TYPES) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("write one of {}", PATH_TYPES.join(", ")),
            };
            let message = format!("{} is not a pathType", name::quoted(other));
            problems.refuse(format!("{field}.pathType"), message, remedy);
        }
    }
}

/// A sequence of characters in `path` that no normalised path has.
fn unreachable_sequence(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let within = ["//", "/./", "/../", "%2f", "%5c"].into_iter().find(|sequence| lower.contains(sequence));
    within.or_else(|| ["/..", "/."].into_iter().find(|suffix| lower.ends_with(suffix)))
}

fn check_backend(field: &str, backend: &IngressBackend, problems: &mut FieldProblems) {
    match (&backend.service, &backend.resource) {
        (Some(_), Some(_)) => {
            let message = "a backend is a service or a resource, and this is both";
            problems.refuse(field, message, "keep one of the two");
        }
        (None, None) => {
            let message = "a backend is a service or a resource, and this is neither";
            problems.malformed(field, message, "write service with its name and port");
        }
        (Some(service), None) => check_service(&format!("{field}.service"), service, problems),
        (None, Some(resource)) => {
            for (part, value) in [("kind", &resource.kind), ("name", &resource.name)] {
                if value.is_empty() {
                    problems.malformed(
                        format!("{field}.resource.{part}"),
                        "it must not be empty",
                        format!("write {part}"),
                    );
                }
            }
        }
    }
}

fn check_service(field: &str, service: &IngressServiceBackend, problems: &mut FieldProblems) {
    refuse_unless(&format!("{field}.name"), name::label(&service.name), problems);
    let field = format!("{field}.port");
    let named = service.port.as_ref().and_then(|port| port.name.as_deref()).filter(|name| !name.is_empty());
    let number = service.port.as_ref().and_then(|port| port.number).filter(|number| *number != 0 || named.is_none());
    match (named, number) {
        (Some(_), Some(_)) => {
            problems.refuse(field, "a port has a name or a number, and this has both", "keep one of the two");
        }
        (None, None) => {
            problems.malformed(field, "the port is required", "write port.number, or port.name");
        }
        (Some(named), None) => refuse_unless(&format!("{field}.name"), name::port(named), problems),
        (None, Some(number)) => check_port_number(&format!("{field}.number"), number, problems),
    }
}

fn check_tls(field: &str, tls: &IngressTLS, problems: &mut FieldProblems) {
    for (index, host) in tls.hosts.iter().flatten().enumerate() {
        refuse_unless(&format!("{field}.hosts[{index}]"), name::host(host), problems);
    }
    if let Some(secret) = tls.secret_name.as_deref().filter(|name| !name.is_empty()) {
        refuse_unless(&format!("{field}.secretName"), name::subdomain(secret), problems);
    }
}
