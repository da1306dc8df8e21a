//! Gateway API, `gateway.networking.k8s.io/v1`, as of version 1.7: the kinds that are read, with every field of their standard channel.
//!
//! The definitions belong to Gateway API and are not installed with this controller. A value that a newer version adds to one of its
//! enumerations must not make an object unreadable, so those are texts here: which of them are served, `translate` decides.

mod class;
mod filter;
mod gateway;
mod http_route;
mod reference;
mod status;

/// The group of Gateway API.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// The name of this controller in a GatewayClass.
pub const CONTROLLER: &str = "steadygate.io/gateway-controller";

/// The features of Gateway API that are served, by the names of its conformance suite, in their order.
pub const SUPPORTED_FEATURES: &[&str] = &[
    "Gateway",
    "GatewayHTTPListenerIsolation",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
];

pub use class::{GatewayClass, GatewayClassSpec};
pub use filter::{
    CorsFilter, HeaderModifier, HttpFilter, NamedHeader, PathModifier, RequestMirror, RequestRedirect, UrlRewrite,
};
pub use gateway::{AllowedRoutes, FromNamespaces, Gateway, GatewayListener, GatewaySpec, ListenerTls};
pub use http_route::{
    HttpBackendRef, HttpHeaderMatch, HttpPathMatch, HttpQueryParamMatch, HttpRoute, HttpRouteMatch, HttpRouteRule,
    HttpRouteSpec, HttpTimeouts,
};
pub use reference::{BackendObject, ObjectReference, ParentReference, SecretReference};
pub use status::{
    GatewayAddress, GatewayClassStatus, GatewayStatus, ListenerStatus, RouteKind, RouteParentStatus, RouteStatus,
    SupportedFeature,
};
