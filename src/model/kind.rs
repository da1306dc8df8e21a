//! The kinds of objects that are read.

use std::fmt;

use serde::Serialize;
use serde::ser::Serializer;

/// A kind of object. The order is that of the names, since objects are taken in the order of kind, namespace and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// steadygate.io/v1alpha1
    ApplicationGateway,
    /// v1
    ConfigMap,
    /// discovery.k8s.io/v1
    EndpointSlice,
    /// A file of manifests: the subject of reports about a file whose objects can't be read. No API server knows this kind.
    File,
    /// networking.k8s.io/v1
    Ingress,
    /// networking.k8s.io/v1
    IngressClass,
    /// v1
    Namespace,
    /// v1
    Pod,
    /// v1
    Secret,
    /// v1
    Service,
}

impl Kind {
    /// Every kind of Kubernetes object that is read, in the order of the names.
    pub const OBJECTS: [Self; 9] = [
        Self::ApplicationGateway,
        Self::ConfigMap,
        Self::EndpointSlice,
        Self::Ingress,
        Self::IngressClass,
        Self::Namespace,
        Self::Pod,
        Self::Secret,
        Self::Service,
    ];

    /// The kind of Kubernetes object with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::OBJECTS.into_iter().find(|kind| kind.name() == name)
    }

    /// The name, as manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApplicationGateway => "ApplicationGateway",
            Self::ConfigMap => "ConfigMap",
            Self::EndpointSlice => "EndpointSlice",
            Self::File => "File",
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::Namespace => "Namespace",
            Self::Pod => "Pod",
            Self::Secret => "Secret",
            Self::Service => "Service",
        }
    }

    /// The `apiVersion` under which objects of the kind are read; empty for [`Kind::File`].
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Ingress | Self::IngressClass => "networking.k8s.io/v1",
            Self::EndpointSlice => "discovery.k8s.io/v1",
            Self::Service | Self::Pod | Self::Secret | Self::ConfigMap | Self::Namespace => "v1",
            Self::ApplicationGateway => "steadygate.io/v1alpha1",
            Self::File => "",
        }
    }

    /// Whether objects of the kind have a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::IngressClass | Self::Namespace | Self::File)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_the_order_of_their_names() {
        let names: Vec<_> = Kind::OBJECTS.iter().map(|kind| kind.name()).collect();
        assert!(names.is_sorted() && Kind::OBJECTS.is_sorted());
        assert!(Kind::OBJECTS.iter().all(|kind| Kind::named(kind.name()) == Some(*kind)));
        assert_eq!(Kind::named("File"), None);
    }
}
