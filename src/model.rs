//! What the user asked for, normalised: listeners, hosts, routes, pools, probes, certificates.
//!
//! Every language that users configure the gateway in is translated to this one vocabulary. It is plain data: it knows nothing of
//! Kubernetes, of sockets or of time. Equal inputs give equal models, since every collection is ordered.

mod affinity;
mod backend_address;
mod client_certificates;
mod condition;
mod forward;
mod host;
mod key;
mod kind;
mod listener;
mod order;
mod path;
mod path_replacement;
mod pattern;
mod policy;
mod pool;
mod precedence;
mod probe;
mod redirect;
mod redirect_url;
mod route;
mod stream;
mod tls;
mod tls_policy;
mod upgrade;
mod websocket;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use imbl::OrdMap;
use serde::Serialize;

pub use affinity::{Affinity, CookieSecure, SameSite};
pub use backend_address::{AddressPolicy, ForbiddenAddress};
pub use client_certificates::{CaCertificate, ClientCertificates};
pub use condition::{Conditions, NamedValue, RequestHead};
pub use forward::{EncodedSlashes, Forward, ForwardOptions, HostHeader, PathRewrite, WeightedPool, WeightedPools};
pub use host::{HostPattern, HostPatternError, normalise_host};
pub use key::{Key, ObjectRef};
pub use kind::Kind;
pub use listener::{Host, Listener, Protocol};
pub use order::alternating;
pub use path::{
    PathMatch, PathMatchError, PathRegex, decode_slashes, escape_target, has_dots, has_encoded_slashes, normalise_path,
};
pub use path_replacement::PathReplacement;
pub use pattern::{Case, Pattern, PatternError};
pub use policy::{
    AddressList, AllowedOrigin, AllowedOrigins, BodyLimit, Canary, CanaryHeader, CanarySide, CanaryValues, ClaimHeader,
    ClearTextRedirect, ClientAddresses, Cors, EntraTenant, EntraTenantError, ErrorPage, ErrorPages, HeaderChange,
    HeaderModifier, Hsts, KeySet, KeySetError, KeySource, KeyUrl, KeyUrlError, MAX_PAGE_BYTES, PAGE_STATUSES,
    PageBytes, Policies, PolicyOrigin, ProhibitedTarget, ProhibitedTargets, RateLimit, RateUnit, RequestLimits,
    RewriteSet, RouteFilters, SessionAtTokenEnd, TokenIssuer, TokenPolicy, Unauthorized, VerificationKey, rewrite,
};
pub use pool::{Address, Balance, Endpoint, EndpointState, Endpoints, Pool, PoolId, Transport, UpstreamTls, Weight};
pub use precedence::{HostPrecedence, MatchPrecedence};
pub use probe::{MAX_PROBE_BODY_CHARS, Probe, ProbeHeader, ProbeKind, StatusRange, StatusRangeError};
pub use redirect::{Redirect, RedirectPath, RedirectPort, RedirectQuery, RedirectedRequest, UrlScheme};
pub use redirect_url::RedirectUrl;
pub use route::{Action, MatchInput, Route, RouteId, RouteMatch, Unavailable};
pub use stream::{Stream, TlsMode};
pub use tls::{Certificate, CertificateId, SecretBytes};
pub use tls_policy::{CipherSuite, TlsPolicy, TlsTerms, TlsVersion};
pub use upgrade::{UpgradeProtocols, carries_http};
pub use websocket::{IdleCounts, Ping, SessionLimits, WebSocket};

/// Everything that the data plane serves, at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Model {
    /// Listeners by frontend port (1–65535). One port speaks one protocol.
    pub listeners: BTreeMap<u16, Listener>,
    /// Pools by identity; every pool that a route forwards to is here.
    pub pools: OrdMap<PoolId, Arc<Pool>>,
    /// Server certificates by identity; every certificate that a listener names is here.
    pub certificates: OrdMap<CertificateId, Arc<Certificate>>,
    /// The certificate for TLS clients whose host has none, and for those that send no server name. A listener's own default has
    /// precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_certificate: Option<CertificateId>,
    /// Terminating endpoints that are in no pool. Sessions may be open there, since a route led to them before.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub departing: BTreeMap<SocketAddr, EndpointState>,
}
