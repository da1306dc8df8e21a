//! The fields of an Ingress that name hosts.

use std::fmt;

use crate::model::{HostPattern, HostPatternError};
use crate::translate::class::annotation_field;

/// A field that names a host. Rules are named by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostField {
    /// The host of a rule.
    Host(u32),
    /// A rule without a host, which means any host.
    Rule(u32),
    /// An annotation that adds hosts to each rule.
    Annotation(HostAnnotation),
    /// `spec.defaultBackend` of an Ingress without rules.
    Default,
}

/// An annotation that adds hosts to each rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostAnnotation {
    HostnameExtension,
    ServerAlias,
    /// It has no paths: its requests are redirected.
    FromToWww,
}

impl HostAnnotation {
    /// A host of the annotation. The wildcards of AGIC are those of an ApplicationGateway.
    pub(super) fn read(self, text: &str) -> Result<HostPattern, HostPatternError> {
        match self {
            Self::HostnameExtension => HostPattern::gateway(text),
            Self::ServerAlias | Self::FromToWww => HostPattern::ingress(text),
        }
    }

    /// The remedy where a host can't be read.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::HostnameExtension | Self::FromToWww => "correct the host",
            Self::ServerAlias => "correct the host; regular expressions are not supported",
        }
    }

    /// The path of the annotation within the Ingress.
    pub(super) fn field(self) -> String {
        annotation_field(match self {
            Self::HostnameExtension => "appgw.ingress.kubernetes.io/hostname-extension",
            Self::ServerAlias => "nginx.ingress.kubernetes.io/server-alias",
            Self::FromToWww => "nginx.ingress.kubernetes.io/from-to-www-redirect",
        })
    }
}

impl fmt::Display for HostField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(rule) => write!(f, "spec.rules[{rule}].host"),
            Self::Rule(rule) => write!(f, "spec.rules[{rule}]"),
            Self::Annotation(annotation) => f.write_str(&annotation.field()),
            Self::Default => f.write_str("spec.defaultBackend"),
        }
    }
}
