//! The kinds of objects that are read.

use std::fmt;

use serde::Serialize;
use serde::ser::Serializer;

/// The facts about a kind that are the same everywhere.
struct KindFacts {
    name: &'static str,
    api_version: &'static str,
    is_namespaced: bool,
    is_language: bool,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident { $api_version:literal $(, $fact:ident)* })+) => {
        /// A kind of object. The order is that of the names, since objects are taken in the order of kind, namespace and name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)+ }

        impl Kind {
            const ALL: &[Self] = &[$(Self::$kind,)+];

            #[allow(unused_mut, reason = "a kind may have no fact")]
            fn facts(self) -> KindFacts {
                match self {
                    $(Self::$kind => {
                        let (name, api_version) = (stringify!($kind), $api_version);
                        let mut facts = KindFacts { name, api_version, is_namespaced: false, is_language: false };
                        $(facts.$fact = true;)*
                        facts
                    })+
                }
            }
        }
    };
}

// One line a kind: the `apiVersion` under which its objects are read, then which of the facts hold.
kinds! {
    /// An ApplicationGateway.
    ApplicationGateway { "steadygate.io/v1alpha1", is_namespaced, is_language }
    /// An AzureApplicationGatewayRewrite, of AGIC.
    AzureApplicationGatewayRewrite { "appgw.ingress.azure.io/v1beta1", is_namespaced }
    /// An AzureIngressProhibitedTarget, of AGIC.
    AzureIngressProhibitedTarget { "appgw.ingress.k8s.io/v1", is_namespaced }
    /// A ConfigMap.
    ConfigMap { "v1", is_namespaced }
    /// An EndpointSlice.
    EndpointSlice { "discovery.k8s.io/v1", is_namespaced }
    /// A file of manifests: the subject of reports about a file whose objects can't be read. No API server knows this kind.
    File { "" }
    /// A Gateway of Gateway API.
    Gateway { "gateway.networking.k8s.io/v1", is_namespaced, is_language }
    /// A GatewayClass of Gateway API.
    GatewayClass { "gateway.networking.k8s.io/v1" }
    /// An HTTPRoute of Gateway API.
    HTTPRoute { "gateway.networking.k8s.io/v1", is_namespaced, is_language }
    /// An Ingress.
    Ingress { "networking.k8s.io/v1", is_namespaced, is_language }
    /// An IngressClass.
    IngressClass { "networking.k8s.io/v1" }
    /// A Namespace.
    Namespace { "v1" }
    /// A Pod.
    Pod { "v1", is_namespaced }
    /// A ReferenceGrant of Gateway API.
    ReferenceGrant { "gateway.networking.k8s.io/v1beta1", is_namespaced }
    /// A Secret.
    Secret { "v1", is_namespaced }
    /// A Service.
    Service { "v1", is_namespaced }
}

impl Kind {
    /// Every kind of Kubernetes object that is read, in the order of the names.
    pub fn objects() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| *kind != Self::File)
    }

    /// The kind of Kubernetes object with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::objects().find(|kind| kind.name() == name)
    }

    /// The name, as manifests write it.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The `apiVersion` under which objects of the kind are read; empty for [`Kind::File`].
    pub fn api_version(self) -> &'static str {
        self.facts().api_version
    }

    /// Whether objects of the kind have a namespace.
    pub fn is_namespaced(self) -> bool {
        self.facts().is_namespaced
    }

    /// Whether the kind is a language: its objects say what to serve, and own routes.
    pub fn is_language(self) -> bool {
        self.facts().is_language
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
        assert!(Kind::ALL.is_sorted() && Kind::ALL.is_sorted_by_key(|kind| kind.name()));
        assert!(Kind::objects().all(|kind| Kind::named(kind.name()) == Some(kind)));
        assert_eq!(Kind::named("File"), None);
    }
}
