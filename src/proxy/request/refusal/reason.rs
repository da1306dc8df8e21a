//! The reasons of the gateway's own answers: the words of `X-Steadygate-Reason` and of the access log.

use http::StatusCode;

use crate::pool::NoMember;
use crate::websocket::Rejected;

macro_rules! refusal_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident [$($status:ident),+],)+) => {
        /// Why the gateway answered a request by itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum RefusalReason { $($(#[doc = $doc])+ $name,)+ }

        impl RefusalReason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word, as the header and the log have it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The statuses that it comes with; the first is the usual one.
            pub fn statuses(self) -> &'static [StatusCode] {
                match self { $(Self::$name => &[$(StatusCode::$status),+],)+ }
            }

            /// The usual status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => refusal_reasons!(@first $($status),+),)+ }
            }

            /// Its meaning, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
    (@first $first:ident $(, $other:ident)*) => { StatusCode::$first };
}

refusal_reasons! {
    /// The request is malformed, or could be read in more than one way. The connection is closed.
    MalformedRequest [BAD_REQUEST],
    /// The header of the PROXY protocol is missing, malformed, or from a peer that is not trusted; or it came to a port that
    /// `--proxy-protocol` does not name. The connection is closed; it has no record in the access log.
    ProxyHeader [BAD_REQUEST],
    /// The request's header is larger than 64 KiB, or has more than 100 fields; 414, if its target alone is too large. Over HTTP/1.1 the
    /// connection is closed.
    HeaderTooLarge [REQUEST_HEADER_FIELDS_TOO_LARGE, URI_TOO_LONG],
    /// The client did not send the rest of the request's header in time, or stopped sending its body. The connection is closed.
    RequestTimeout [REQUEST_TIMEOUT],
    /// The request is of another version than HTTP/1.0, 1.1 and 2. The connection is closed.
    VersionNotSupported [HTTP_VERSION_NOT_SUPPORTED],
    /// The request has a `Transfer-Encoding` other than `chunked`. The connection is closed.
    TransferEncodingNotSupported [NOT_IMPLEMENTED],
    /// The method is CONNECT or TRACE, which are not forwarded.
    MethodNotAllowed [METHOD_NOT_ALLOWED],
    /// An extended CONNECT names another `:protocol` than `websocket`.
    ProtocolNotSupported [NOT_IMPLEMENTED],
    /// The TLS connection was made for a host with another certificate or another TLS policy (RFC 9110 section 15.5.20).
    Misdirected [MISDIRECTED_REQUEST],
    /// The request came by HTTP/2 in clear text for a host that does not speak it (`enableHttp2: false`).
    HttpVersion [HTTP_VERSION_NOT_SUPPORTED],
    /// The client's address is not among those that the route admits, or is among those that it refuses.
    ClientAddress [FORBIDDEN],
    /// The request's body is larger than the route allows. Over HTTP/1.1 the connection is closed.
    BodyTooLarge [PAYLOAD_TOO_LARGE],
    /// The client's address has sent more requests in a second or a minute than the route allows.
    RequestRateLimit [TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE],
    /// The client's address has as many requests under way as the route allows.
    ClientRequestLimit [TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE],
    /// No route is configured for this host and path.
    NoRoute [NOT_FOUND],
    /// The route asks for a token (JWT), and the request has none.
    TokenMissing [UNAUTHORIZED],
    /// The token of the request is not valid: `WWW-Authenticate` says why.
    TokenInvalid [UNAUTHORIZED],
    /// The token is valid, and does not say whose it is (Entra's claim `oid`).
    TokenIncomplete [FORBIDDEN],
    /// There are no keys to verify tokens with: their issuer could not be reached for a long time, or never.
    TokenKeysUnavailable [SERVICE_UNAVAILABLE],
    /// The request has come through several gateways of this kind: the route's backend leads back to it.
    LoopDetected [LOOP_DETECTED],
    /// The route's pool is not configured.
    PoolNotFound [SERVICE_UNAVAILABLE],
    /// The route, of Gateway API, has no valid backend, or this is the share of one that is not valid.
    InvalidBackend [INTERNAL_SERVER_ERROR],
    /// Every backend of the route has the weight 0.
    NoBackend [SERVICE_UNAVAILABLE],
    /// The route's pool has no endpoint.
    NoEndpoints [SERVICE_UNAVAILABLE],
    /// No name in the route's pool resolves to an address.
    NameNotResolved [SERVICE_UNAVAILABLE],
    /// The route's pool has only addresses that no backend may have: link-local ones, metadata services, the API server, the gateway itself.
    BackendNotPermitted [SERVICE_UNAVAILABLE],
    /// Every endpoint of the route's pool is terminating or not ready.
    NoReadyEndpoint [SERVICE_UNAVAILABLE],
    /// No endpoint has answered its first health probe yet.
    ProbePending [SERVICE_UNAVAILABLE],
    /// Every endpoint that could serve fails its health probe.
    ProbeFailing [SERVICE_UNAVAILABLE],
    /// No connection to a member could be made: refused or failed (502), or not in time (504).
    BackendUnreachable [BAD_GATEWAY, GATEWAY_TIMEOUT],
    /// The gateway's machine has no descriptor, port or memory left for a connection to a member.
    GatewayOverloaded [SERVICE_UNAVAILABLE],
    /// The member closed the connection before it answered.
    BackendFailed [BAD_GATEWAY],
    /// The member's answer is not HTTP/1.1, contradicts itself, or is beyond a limit. It is asked once.
    BackendMalformed [BAD_GATEWAY],
    /// The member did not answer within the request timeout.
    BackendTimeout [GATEWAY_TIMEOUT],
    /// The member's answer has a `Transfer-Encoding` other than `chunked`.
    BackendEncoding [BAD_GATEWAY],
    /// The member answered 101 to a request that asked for no upgrade, for an upgrade to another protocol, or before it had the whole
    /// request.
    UnexpectedUpgrade [BAD_GATEWAY],
    /// The WebSocket handshake is wrong: in the request (400, or 426 for the version), or in the member's answer (502).
    WebSocketHandshake [BAD_REQUEST, UPGRADE_REQUIRED, BAD_GATEWAY],
    /// The gateway holds `--max-unanswered-bytes` of requests that no backend has answered yet.
    GatewayBufferLimit [SERVICE_UNAVAILABLE],
    /// The gateway has `--max-sessions` sessions open.
    GatewaySessionLimit [SERVICE_UNAVAILABLE],
    /// The route has `max-sessions` sessions open.
    RouteSessionLimit [SERVICE_UNAVAILABLE],
    /// The client has `max-sessions-per-client` sessions open on this route.
    ClientSessionLimit [TOO_MANY_REQUESTS],
    /// The route has had `handshake-rate` handshakes within a second.
    HandshakeRateLimit [TOO_MANY_REQUESTS],
}

impl From<NoMember> for RefusalReason {
    fn from(why: NoMember) -> Self {
        match why {
            NoMember { down: 0, not_ready: 0, terminating: 0, unknown: 0, unresolved: 0, forbidden: 0 } => {
                Self::NoEndpoints
            }
            NoMember { forbidden: 1.., down: 0, not_ready: 0, terminating: 0, unknown: 0, unresolved: _ } => {
                Self::BackendNotPermitted
            }
            NoMember { unresolved: 1.., down: 0, not_ready: 0, terminating: 0, unknown: 0, forbidden: _ } => {
                Self::NameNotResolved
            }
            NoMember { down: 0, unknown: 0, .. } => Self::NoReadyEndpoint,
            NoMember { unknown: 1.., down: 0, .. } => Self::ProbePending,
            _ => Self::ProbeFailing,
        }
    }
}

impl From<Rejected> for RefusalReason {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Gateway => Self::GatewaySessionLimit,
            Rejected::Route => Self::RouteSessionLimit,
            Rejected::Client => Self::ClientSessionLimit,
            Rejected::Rate => Self::HandshakeRateLimit,
        }
    }
}
