//! IngressClass (kubernetes, pkg/apis/networking/validation).

use k8s_openapi::api::networking::v1::IngressClass;

use super::{KindRules, trim};
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::{metadata, name};

impl KindRules for IngressClass {
    type Resource = Self;

    fn schema() -> Schema {
        Schema::of::<Self>()
    }

    fn validate(class: &Self, problems: &mut FieldProblems) {
        check_class(class, problems);
    }

    fn trim(class: &mut Self) {
        trim::trim_metadata(&mut class.metadata);
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}

fn check_class(class: &IngressClass, problems: &mut FieldProblems) {
    metadata::check(&class.metadata, name::subdomain, problems);
    let spec = class.spec.as_ref();
    match spec.and_then(|spec| spec.controller.as_deref()).unwrap_or_default() {
        "" => {
            let remedy = "write the controller that serves the class, as in steadygate.io/ingress-controller";
            problems.malformed("spec.controller", "the field controller is required", remedy);
        }
        controller => {
            let valid = controller
                .split_once('/')
                .is_some_and(|(domain, path)| name::subdomain(domain).is_ok() && !path.is_empty());
            if !valid || controller.len() > 250 {
                let message = format!("{} is not a domain and a path", name::quoted(controller));
                problems.refuse("spec.controller", message, "write it as in steadygate.io/ingress-controller");
            }
        }
    }
    let Some(parameters) = spec.and_then(|spec| spec.parameters.as_ref()) else { return };
    let field = "spec.parameters.namespace";
    match (parameters.scope.as_deref().unwrap_or("Cluster"), &parameters.namespace) {
        ("Cluster", Some(_)) => problems.refuse(field, "parameters of scope Cluster have no namespace", "remove it"),
        ("Namespace", None) => {
            problems.malformed(field, "parameters of scope Namespace need a namespace", "write namespace");
        }
        ("Cluster" | "Namespace", _) => {}
        (other, _) => {
            let message = format!("{} is not a scope", name::quoted(other));
            problems.refuse("spec.parameters.scope", message, "write Cluster or Namespace");
        }
    }
}
