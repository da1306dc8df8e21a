//! References of an Ingress to its backends: where each is written, and the Service and port that it names.

use std::fmt;
use std::sync::{Arc, LazyLock};

use k8s_openapi::api::networking::v1::IngressBackend;

use crate::translate::service::PortRef;

/// A reference to a backend.
#[derive(Debug)]
pub(super) struct BackendRef {
    pub(super) field: BackendField,
    /// Shared by the references that name one port of one Service, also across Ingresses.
    pub(super) target: Arc<BackendTarget>,
}

/// The field that holds a backend reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackendField {
    /// A path of a rule: the index of the rule, and of the path in it.
    Path(usize, usize),
    /// `spec.defaultBackend`.
    Default,
}

/// The object that a backend reference names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BackendTarget {
    /// A Service, by name, and a port of it. Without a port the reference is invalid, and is reported where it is
    /// resolved.
    Service(Box<str>, Option<BackendPort>),
    /// A resource of another kind, which is not supported.
    Resource,
    /// Nothing, which is invalid.
    Nothing,
}

/// A Service port, by name or number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BackendPort {
    Name(Box<str>),
    Number(i32),
}

impl BackendField {
    /// The path of the field. The path of the first rule's first path is one shared text, since most Ingresses have no
    /// other.
    pub(super) fn path(self) -> Arc<str> {
        static FIRST: LazyLock<Arc<str>> = LazyLock::new(|| BackendField::Path(0, 0).to_string().into());
        if self == Self::Path(0, 0) { Arc::clone(&FIRST) } else { self.to_string().into() }
    }
}

impl fmt::Display for BackendField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(rule, path) => write!(f, "spec.rules[{rule}].http.paths[{path}]"),
            Self::Default => f.write_str("spec.defaultBackend"),
        }
    }
}

impl BackendTarget {
    /// Reads the name of a backend.
    pub(super) fn read(backend: &IngressBackend) -> Self {
        let Some(service) = &backend.service else {
            return if backend.resource.is_some() { Self::Resource } else { Self::Nothing };
        };
        let port = service.port.as_ref().and_then(|port| {
            let name = port.name.as_deref().map(|name| BackendPort::Name(name.into()));
            name.or(port.number.map(BackendPort::Number))
        });
        Self::Service(service.name.as_str().into(), port)
    }
}

impl BackendPort {
    /// The port as a reference that can be resolved.
    pub(super) fn as_ref(&self) -> PortRef<'_> {
        match self {
            Self::Name(name) => PortRef::Name(name),
            Self::Number(number) => PortRef::Number(*number),
        }
    }
}
