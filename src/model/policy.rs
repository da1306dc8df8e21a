//! Policies: what may happen to a request on its way, besides being forwarded. A file a capability.
//!
//! Every language that users write ends in these values, so that a capability is built, tested and explained once. Each value has been
//! parsed and checked where it was made. `proxy::policy` has a file of the same name that does what the value says, and the order in
//! which policies apply is written there.

mod body_limit;
mod canary;
mod client_addresses;
mod cors;
mod error_pages;
mod filters;
mod hsts;
mod prohibited;
mod request_limits;
pub mod rewrite;
mod token;

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{ObjectRef, Redirect};

pub use body_limit::BodyLimit;
pub use canary::{Canary, CanaryHeader, CanarySide, CanaryValues};
pub use client_addresses::{AddressList, ClientAddresses};
pub use cors::{AllowedOrigin, AllowedOrigins, Cors};
pub use error_pages::{ErrorPage, ErrorPages, MAX_PAGE_BYTES, PAGE_STATUSES, PageBytes};
pub use filters::{HeaderChange, HeaderModifier, RouteFilters};
pub use hsts::Hsts;
pub use prohibited::{ProhibitedTarget, ProhibitedTargets};
pub use request_limits::{RateLimit, RateUnit, RequestLimits};
pub use rewrite::RewriteSet;
pub use token::{
    ClaimHeader, EntraTenant, EntraTenantError, KeySet, KeySetError, KeySource, KeyUrl, KeyUrlError, SessionAtTokenEnd,
    TokenIssuer, TokenPolicy, Unauthorized, VerificationKey,
};

/// The policies of a route. Routes with equal policies share one value; a route without any has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Policies {
    /// Hosts and paths that must not be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prohibited: Option<Arc<ProhibitedTargets>>,
    /// Clients that are admitted by their address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_addresses: Option<ClientAddresses>,
    /// The largest body of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_limit: Option<BodyLimit>,
    /// Requests of a client address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_limits: Option<Arc<RequestLimits>>,
    /// The origins whose scripts may read answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Arc<Cors>>,
    /// Where requests are redirected that come in clear text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clear_text: Option<ClearTextRedirect>,
    /// The token that a request has to bring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Arc<TokenPolicy>>,
    /// Rewrites of headers and URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrites: Option<Arc<RewriteSet>>,
    /// Filters of Gateway API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Arc<RouteFilters>>,
    /// What chooses between the two pools of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Arc<Canary>>,
    /// Pages for the gateway's own errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_pages: Option<Arc<ErrorPages>>,
    /// That clients come by HTTPS alone from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hsts: Option<Hsts>,
}

/// The redirect of requests whose client came in clear text, and who asked for it. A client that came over TLS to a trusted proxy is
/// served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClearTextRedirect {
    /// Who asked for it.
    pub origin: PolicyOrigin,
    /// The redirect.
    pub redirect: Arc<Redirect>,
}

impl Policies {
    /// The policies as a route has them: `None` where there is no policy.
    pub fn into_shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

/// The object and field that asked for a policy. People are told of it by `steadygate explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyOrigin {
    /// The object.
    pub owner: Arc<ObjectRef>,
    /// The field: `spec.rewriteRuleSets[0]`.
    pub field: Arc<str>,
}

impl fmt::Display for PolicyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, field } = self;
        write!(f, "{owner}: {field}")
    }
}

impl Serialize for PolicyOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
