//! The identity of a route, and which requests a route is for.
//!
//! Nothing parses the text of an identity: who has to compare compares [`RouteId`]s, or what they display.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{HostPattern, ObjectRef, PathMatch};

/// The identity of a route: it stays through every change of what the route does with its requests. Sessions and their limits
/// belong to a route by its identity.
///
/// It is displayed as operators see it in lists, logs and options: `Ingress default/site chat.example.com /ws`. Cheap to
/// clone: every text in it is shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId {
    /// The object that the route was made from.
    pub owner: Arc<ObjectRef>,
    /// The host that the route belongs to.
    pub host: HostPattern,
    /// Which requests for that host the route is for.
    pub matches: RouteMatch,
}

/// The requests of one host that a route is for. A request has to meet every condition. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RouteMatch {
    /// The condition on the path.
    pub path: PathMatch,
}

impl RouteMatch {
    /// Whether a request for `path`, normalised by [`super::normalise_path`], meets every condition.
    pub fn accepts(&self, path: &str) -> bool {
        self.path.matches(path)
    }
}

impl From<PathMatch> for RouteMatch {
    fn from(path: PathMatch) -> Self {
        Self { path }
    }
}

impl fmt::Display for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.path, f)
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.owner, self.host, self.matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn an_identity_is_displayed_as_owner_host_and_path() {
        let id = |host, path: Result<PathMatch, _>| RouteId {
            owner: Arc::new(ObjectRef::new(Kind::Ingress, "default", "site")),
            host: HostPattern::ingress(host).expect("a host"),
            matches: path.expect("a path").into(),
        };
        assert_eq!(
            id("chat.example.com", PathMatch::exact("/ws")).to_string(),
            "Ingress default/site chat.example.com = /ws"
        );
        assert_eq!(id("*.example.com", PathMatch::prefix("/")).to_string(), "Ingress default/site *.example.com /");
        assert_eq!(id("", Ok(PathMatch::Any)).to_string(), "Ingress default/site * *");
    }
}
