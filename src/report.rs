//! What users are told about the objects they wrote: reports, and the reasons that they carry.
//!
//! The ground floor of the crate: every room that reads, translates or shows objects speaks of problems in these words.

mod printable;

use std::fmt;

use serde::Serialize;

use crate::model::ObjectRef;

pub use printable::{is_unprintable, printable, printable_lines};

/// Something that a user should know about one field of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Report {
    /// The object.
    pub object: ObjectRef,
    /// The field, as a path within the object: `spec.rules[0].http.paths[1].backend.service.name`.
    /// Empty: the object as a whole.
    pub field: String,
    /// The kind of problem, for programs.
    pub reason: Reason,
    /// Whether something is not served because of it.
    pub severity: Severity,
    /// What is wrong and what was done about it; names the value. Lower case, no full stop.
    pub message: String,
    /// What the user can do. Empty only where nothing needs doing.
    pub remedy: String,
}

/// How much a report matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Severity {
    /// Something the user asked for is refused: `check` fails.
    Error,
    /// Everything is served, but perhaps not as meant.
    Warning,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why something is not as the user asked. The one list that reports, status, logs, metrics and
        /// documentation share.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of their names here.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name, as conditions and events print it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// Whether it says that a reference leads nowhere, or to something that can't be used.
            pub fn is_reference(self) -> bool {
                matches!(
                    self,
                    Self::ServiceNotFound
                        | Self::PortNotFound
                        | Self::SecretNotFound
                        | Self::ConfigMapNotFound
                        | Self::InvalidCertificate
                        | Self::InvalidKeySet
                        | Self::ElementNotFound
                        | Self::RefNotPermitted
                )
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// A file can't be read, or is not YAML or JSON; or an object can't be fetched.
    Unreadable,
    /// An object is not of its declared kind: a field has the wrong type, is unknown or is missing.
    InvalidObject,
    /// A field has a value outside what is allowed.
    InvalidValue,
    /// Two files, or two documents, hold the same object.
    DuplicateObject,
    /// An object of this kind is not read.
    UnknownKind,
    /// The Service that is referred to does not exist.
    ServiceNotFound,
    /// The Service has no such port.
    PortNotFound,
    /// The Service has no endpoint.
    NoEndpoints,
    /// The Secret that is referred to does not exist.
    SecretNotFound,
    /// The ConfigMap that is referred to does not exist.
    ConfigMapNotFound,
    /// The Secret holds no usable certificate and key.
    InvalidCertificate,
    /// The Secret or ConfigMap holds no usable keys of tokens (JWKS).
    InvalidKeySet,
    /// An element that is referred to by name is not in the object.
    ElementNotFound,
    /// A reference leads to another namespace and nothing there permits it.
    RefNotPermitted,
    /// An older object already has this host, path or port.
    Conflict,
    /// Objects of several namespaces serve this host.
    SharedHost,
    /// A host is served in clear text alone, although its object has TLS.
    NoTls,
    /// The IngressClass or GatewayClass that is referred to does not exist.
    ClassNotFound,
    /// The parameters of an IngressClass name nothing that can be used, so that what is of the class answers 503; or a Gateway or its class has
    /// parameters, and is not served.
    InvalidParameters,
    /// The protocol of a listener, or of a Service port that a route leads to, is not served.
    UnsupportedProtocol,
    /// A field has a value that this version does not serve.
    UnsupportedValue,
    /// An address is asked for that can't be given.
    UnsupportedAddress,
    /// Listeners of one port have different protocols.
    ProtocolConflict,
    /// Listeners of one port and protocol have the same host name.
    HostnameConflict,
    /// A listener names kinds of routes that it can't have.
    InvalidRouteKinds,
    /// A reference names a kind that can't be used there.
    InvalidKind,
    /// The parent that a route names has no such listener, or does not exist.
    NoMatchingParent,
    /// No listener that a route names takes routes of its kind or namespace.
    NotAllowedByListeners,
    /// No listener that a route names serves one of its host names.
    NoMatchingListenerHostname,
    /// Filters of one rule can't stand together.
    IncompatibleFilters,
    /// An AzureIngressProhibitedTarget has it that a host or path must not be served.
    ProhibitedTarget,
    /// Valid, but not supported by this version.
    Unsupported,
    /// An annotation has a value that can't be read; its default stays.
    InvalidAnnotation,
    /// Access control is asked for that this version does not have: what it guards answers 503.
    AccessControl,
    /// The port could not be opened.
    PortNotOpen,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity, self.reason, printable(&self.object.to_string()))?;
        if !self.field.is_empty() {
            write!(f, ": {}", printable(&self.field))?;
        }
        write!(f, ": {}", printable(&self.message))?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", printable(&self.remedy))?;
        }
        Ok(())
    }
}
