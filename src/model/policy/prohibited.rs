//! Hosts and paths that a route must not serve, although its match takes them in (AzureIngressProhibitedTarget of AGIC).

use serde::Serialize;

use super::PolicyOrigin;
use crate::model::{HostPattern, PathMatch};

/// The prohibited targets of a route. Requests for any of them are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ProhibitedTargets(pub Vec<ProhibitedTarget>);

/// One prohibited target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProhibitedTarget {
    /// Who prohibits it.
    pub origin: PolicyOrigin,
    /// The hosts.
    pub host: HostPattern,
    /// The paths: any of these.
    pub paths: Vec<PathMatch>,
}

impl ProhibitedTargets {
    /// The target that a request is for, if it is for one. `host` is in lower case and without a port, `path` is normalised.
    pub fn find(&self, host: &str, path: &str) -> Option<&ProhibitedTarget> {
        let Self(targets) = self;
        targets.iter().find(|target| target.host.matches(host) && target.paths.iter().any(|each| each.matches(path)))
    }
}
