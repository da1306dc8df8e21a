//! Routes: which requests each is for, what it does with them, and its identity.
//!
//! What has to know every condition of a route is here, and in `precedence`. It destructures [`RouteMatch`] and [`MatchInput`]
//! exhaustively, so that a new condition breaks the build wherever it has to be considered.
//!
//! Nothing parses the text of an identity: what has to be compared is [`RouteId`]s, or what they display.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Conditions, Forward, HostPattern, ObjectRef, PathMatch, Policies, PoolId, Redirect, RequestHead, Stream, WebSocket,
    WeightedPools,
};

/// What is done with some of the requests for one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The field of the owner that the route was made from, such as `spec.rules[0].http.paths[1]`. With the owner it is unique.
    pub field: Arc<str>,
    /// The object that the route was made from.
    pub owner: Arc<ObjectRef>,
    /// Which requests the route is for.
    #[serde(flatten)]
    pub matches: RouteMatch,
    /// What is done with them.
    pub action: Action,
    /// What else may happen to them on their way. Most routes have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Arc<Policies>>,
}

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
///
/// Its `Ord` is for the keys of maps. It is not the precedence, which is [`Self::precedence`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteMatch {
    /// The condition on the path.
    pub path: PathMatch,
    /// The other conditions. `None`: there is none, as in most routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Arc<Conditions>>,
}

/// The parts of a request that the conditions of routes look at. The host is no part: it has been decided on before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchInput<'a> {
    /// Path, normalised by [`super::normalise_path`].
    pub path: &'a str,
    /// Everything else.
    pub head: &'a RequestHead<'a>,
}

/// What a route does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Action {
    /// A member of a pool is asked. WebSocket handshakes are forwarded too.
    Forward(Forward),
    /// The connection is relayed to a member of a pool. Routes of `Tcp` and `Tls` listeners alone do so.
    Stream(Box<Stream>),
    /// The answer is a redirect. WebSocket handshakes are redirected too.
    Redirect(Arc<Redirect>),
    /// The rule is broken. The answer says why, so that no wider rule takes the requests.
    Unavailable(Unavailable),
    /// Nothing is meant to be there. The answer is a 404, so that no wider host takes the requests.
    NotFound,
}

/// Why a route can't serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unavailable {
    /// The reason of the report on the owner: `ServiceNotFound`.
    pub reason: &'static str,
    /// The status of the answer: 503, or 500 where Gateway API asks for that (HTTPBackendRef).
    pub status: u16,
}

impl Unavailable {
    /// A rule that answers 503.
    pub fn new(reason: &'static str) -> Self {
        Self { reason, status: 503 }
    }

    /// A rule without a valid backend, which answers 500.
    pub fn invalid_backend(reason: &'static str) -> Self {
        Self { reason, status: 500 }
    }
}

impl Action {
    /// The pools that requests or connections may go to, with their weights.
    pub fn weighted_pools(&self) -> Option<&WeightedPools> {
        match self {
            Self::Forward(forward) => Some(&forward.pools),
            Self::Stream(stream) => Some(&stream.pools),
            Self::Redirect(_) | Self::Unavailable(_) | Self::NotFound => None,
        }
    }

    /// The pools that requests or connections may go to.
    pub fn pools(&self) -> impl Iterator<Item = &PoolId> {
        self.weighted_pools().into_iter().flat_map(WeightedPools::ids)
    }

    /// The settings of the sessions that it opens, if it opens any.
    pub fn sessions(&self) -> Option<&Arc<WebSocket>> {
        match self {
            Self::Forward(forward) => Some(&forward.websocket),
            Self::Stream(stream) => Some(&stream.sessions),
            Self::Redirect(_) | Self::Unavailable(_) | Self::NotFound => None,
        }
    }
}

impl RouteMatch {
    /// Whether a request meets every condition.
    pub fn accepts(&self, input: MatchInput<'_>) -> bool {
        self.unmet(input).is_none()
    }

    /// The name of the first condition that a request does not meet. `None`: it meets every condition.
    pub fn unmet(&self, input: MatchInput<'_>) -> Option<&'static str> {
        let (Self { path, conditions }, MatchInput { path: request_path, head }) = (self, input);
        if !path.matches(request_path) {
            return Some("path");
        }
        conditions.as_ref()?.unmet(head)
    }

    /// Whether every request is accepted whose path begins with `/`: every one but `OPTIONS *`.
    pub fn is_unconditional(&self) -> bool {
        let Self { path, conditions } = self;
        path.is_every_path() && conditions.is_none()
    }

    /// A path that is accepted.
    pub fn example_path(&self) -> &str {
        self.path.example()
    }

    /// The request head of which no more is known than that it meets every condition.
    pub fn met(&self) -> RequestHead<'_> {
        RequestHead::Meets(self.conditions.as_deref())
    }
}

impl<'a> MatchInput<'a> {
    /// The input of a request of which only the path is known.
    pub fn from_path(path: &'a str) -> Self {
        Self { path, head: &RequestHead::Meets(None) }
    }
}

impl From<PathMatch> for RouteMatch {
    /// The match with no condition but that on the path.
    fn from(path: PathMatch) -> Self {
        Self { path, conditions: None }
    }
}

impl fmt::Display for RouteMatch {
    /// The condition on the path goes first, without its name. It is displayed as the path alone if there is no other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, conditions } = self;
        fmt::Display::fmt(path, f)?;
        conditions.as_ref().map_or(Ok(()), |conditions| write!(f, " [{conditions}]"))
    }
}

impl RouteId {
    /// Writes an identity as it is displayed, from its parts: who logs a route need not clone them.
    pub fn write(
        out: &mut impl fmt::Write,
        owner: &ObjectRef,
        host: &HostPattern,
        matches: &RouteMatch,
    ) -> fmt::Result {
        write!(out, "{owner} {host} {matches}")
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, host, matches } = self;
        Self::write(f, owner, host, matches)
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

    #[test]
    fn a_match_accepts_its_example_and_names_the_condition_that_is_not_met() {
        for path in [
            PathMatch::exact("/ws"),
            PathMatch::prefix("/ws"),
            PathMatch::prefix("/"),
            PathMatch::pattern("/ws"),
            PathMatch::pattern("/ws*"),
            Ok(PathMatch::Any),
        ] {
            let matches = RouteMatch::from(path.expect("a path"));
            let example = MatchInput { path: matches.example_path(), head: &matches.met() };
            assert_eq!(matches.unmet(example), None, "{matches}");
            let other = MatchInput::from_path("/other");
            assert_eq!(matches.unmet(other), (!matches.is_unconditional()).then_some("path"), "{matches}");
        }
    }

    #[test]
    fn a_route_with_one_pool_takes_no_more_than_twelve_words() {
        assert!(size_of::<Route>() <= 12 * size_of::<usize>(), "{}", size_of::<Route>());
    }
}
