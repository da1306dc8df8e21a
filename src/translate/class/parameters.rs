//! `IngressClass.spec.parameters`: the ApplicationGateway whose elements are the defaults of a class.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{IngressClass, IngressClassParametersReference};

use super::{ClassGateway, Parameters};
use crate::model::{Kind, ObjectRef};
use crate::report::Reason;
use crate::source::Key;
use crate::translate::report::Reports;

/// Reads the ApplicationGateway with this key as the parameters of a class. `None`: there is none.
pub(in crate::translate) type ReadGateway<'a> = &'a dyn Fn(&Key, &mut Reports) -> Option<ClassGateway>;

/// The gateways that parameters name, as they were read; `None`: there is none with that name.
#[derive(Debug, Default)]
pub(super) struct Gateways(BTreeMap<Key, Option<Arc<ClassGateway>>>);

impl Gateways {
    /// The parameters of a class that is served.
    pub(super) fn parameters(
        &mut self,
        object: &ObjectRef,
        class: &IngressClass,
        read: ReadGateway<'_>,
        reports: &mut Reports,
    ) -> Parameters {
        let Some(reference) = class.spec.as_ref().and_then(|spec| spec.parameters.as_ref()) else {
            return Parameters::None;
        };
        let key = match key(reference) {
            Ok(key) => key,
            Err(ReferenceFault { part, message, remedy }) => {
                let field = format!("spec.parameters{part}");
                let message = format!("{message}, so what is of this class answers 503");
                reports.error(object, field, Reason::InvalidParameters, message, remedy);
                return Parameters::Broken(None);
            }
        };
        let gateway = self.0.entry(key.clone()).or_insert_with(|| read(&key, reports).map(Arc::new));
        match gateway {
            Some(gateway) => Parameters::Gateway(Arc::clone(gateway)),
            None => {
                let message = format!("there is no ApplicationGateway {key}, so what is of this class answers 503");
                let remedy = "create it, or correct the name or namespace";
                reports.error(object, "spec.parameters.name", Reason::InvalidParameters, message, remedy);
                Parameters::Broken(Some(key))
            }
        }
    }

    /// Whether the parameters of some class name this object.
    pub(super) fn names(&self, object: &ObjectRef) -> bool {
        object.kind == Kind::ApplicationGateway && self.0.contains_key(&object.key)
    }

    /// Whether parameters name none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether parameters name any of `keys`.
    pub(super) fn name_any(&self, keys: &BTreeSet<Key>) -> bool {
        keys.iter().any(|key| self.0.contains_key(key))
    }

    /// The gateways that are read otherwise than `before`.
    pub(super) fn changed(&self, before: &Self) -> BTreeSet<Key> {
        let differs = self.0.iter().filter(|(key, gateway)| before.0.get(*key) != Some(*gateway));
        differs.map(|(key, _)| key.clone()).collect()
    }
}

/// Why parameters name no gateway.
struct ReferenceFault {
    /// The field within `spec.parameters`.
    part: &'static str,
    message: String,
    remedy: &'static str,
}

/// The key of the gateway that parameters name (networking.k8s.io/v1, IngressClassParametersReference).
fn key(reference: &IngressClassParametersReference) -> Result<Key, ReferenceFault> {
    let IngressClassParametersReference { api_group, kind, name, namespace, scope } = reference;
    let fault = |part, message: String, remedy| ReferenceFault { part, message, remedy };
    let group = api_group.as_deref().unwrap_or_default();
    if group != "steadygate.io" {
        let message = format!("parameters of the API group {group:?} are not read");
        return Err(fault(".apiGroup", message, "write steadygate.io"));
    }
    if kind != Kind::ApplicationGateway.name() {
        let message = format!("parameters of the kind {kind:?} are not read");
        return Err(fault(".kind", message, "write ApplicationGateway"));
    }
    // The scope of parameters that have none is Cluster.
    match (scope.as_deref(), namespace.as_deref().filter(|namespace| !namespace.is_empty())) {
        (Some("Namespace"), Some(namespace)) => Ok(Key::new(namespace, name)),
        (Some("Namespace"), None) => {
            Err(fault(".namespace", "it is missing".to_owned(), "write the namespace of the ApplicationGateway"))
        }
        _ => Err(fault(
            ".scope",
            "an ApplicationGateway has a namespace, and the scope is not Namespace".to_owned(),
            "write scope: Namespace, and the namespace of the ApplicationGateway",
        )),
    }
}
