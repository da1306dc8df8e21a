//! The gateway's own answers, in one place: a status, a reason for programs, a sentence for people.

mod reason;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use super::headers::REASON_HEADER;
use crate::model::Unavailable;
use crate::pool::NoMember;
use crate::table::NoPool;
use crate::websocket::{Rejected, RequestFault};

pub use reason::RefusalReason;

/// The gateway's own answer to a request that is not handed on, or whose answer is not handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Refusal {
    status: StatusCode,
    /// A word for programs: that of a [`RefusalReason`], or of the report on a route that can't serve.
    reason: &'static str,
    /// A sentence for people.
    message: Cow<'static, str>,
    /// Whether the connection is closed after the answer, because nothing more may be read from it.
    close: bool,
    /// Seconds after which the client may ask again.
    retry_after: Option<u32>,
    /// The page that the answer carries instead of the sentence: HTML in UTF-8.
    page: Option<Arc<[u8]>>,
    /// How the client may say who it is (RFC 9110 section 11.6.1).
    challenge: Option<HeaderValue>,
    /// Whether the answer names the version of WebSocket that is spoken (RFC 6455 section 4.4).
    names_version: bool,
}

impl Refusal {
    /// A refusal with the usual status of its reason.
    pub(in crate::proxy) fn new(reason: RefusalReason, message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_status(reason.status(), reason, message)
    }

    /// A refusal with one of the statuses of its reason.
    pub(in crate::proxy) fn with_status(
        status: StatusCode,
        reason: RefusalReason,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        debug_assert!(reason.statuses().contains(&status), "{reason:?} does not come with {status}");
        let (reason, message) = (reason.name(), message.into());
        let (close, names_version) = (false, false);
        Self { status, reason, message, close, retry_after: None, page: None, challenge: None, names_version }
    }

    /// The same refusal, with `WWW-Authenticate`.
    pub(in crate::proxy) fn with_challenge(self, challenge: HeaderValue) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// The same refusal, after which the client may ask again in `seconds`.
    pub(in crate::proxy) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same refusal, with a page (HTML in UTF-8) instead of its sentence. A page that it has stays.
    pub(in crate::proxy) fn with_page(self, page: Arc<[u8]>) -> Self {
        Self { page: self.page.or(Some(page)), ..self }
    }

    /// Whether the request's header is too large.
    pub(in crate::proxy) fn is_for_size(&self) -> bool {
        self.reason == RefusalReason::HeaderTooLarge.name()
    }

    /// The status of the answer.
    pub(in crate::proxy) fn status(&self) -> StatusCode {
        self.status
    }

    /// 431 (RFC 6585 section 5): the header is too large.
    pub(in crate::proxy) fn header_too_large(message: String) -> Self {
        Self { close: true, ..Self::new(RefusalReason::HeaderTooLarge, message) }
    }

    /// 414 (RFC 9112 section 3): the request's target is too large.
    pub(in crate::proxy) fn target_too_large(message: String) -> Self {
        let refusal = Self::with_status(StatusCode::URI_TOO_LONG, RefusalReason::HeaderTooLarge, message);
        Self { close: true, ..refusal }
    }

    /// 505 (RFC 9110 section 15.6.6): the request is of another version of HTTP.
    pub(in crate::proxy) fn version() -> Self {
        let message = "the versions of HTTP that are spoken on this connection are 1.0 and 1.1";
        Self { close: true, ..Self::new(RefusalReason::VersionNotSupported, message) }
    }

    /// 501 (RFC 9112 section 6.1): the request's body has a transfer coding that the gateway does not undo.
    pub(in crate::proxy) fn transfer_coding() -> Self {
        let message = "the only Transfer-Encoding taken is chunked";
        Self { close: true, ..Self::new(RefusalReason::TransferEncodingNotSupported, message) }
    }

    /// 408: the client has not sent the rest of a request's header.
    pub(in crate::proxy) fn slow_header(timeout: Duration) -> Self {
        let message = format!("the rest of the request's header did not come within {timeout:?}");
        Self { close: true, ..Self::new(RefusalReason::RequestTimeout, message) }
    }

    /// 400: the request is ambiguous or malformed. Its connection can't be trusted any further.
    pub(in crate::proxy) fn malformed(message: &'static str) -> Self {
        Self { close: true, ..Self::new(RefusalReason::MalformedRequest, message) }
    }

    /// 400: the header of the PROXY protocol is not as the listener asks for it.
    pub(in crate::proxy) fn proxy_header(message: String) -> Self {
        Self { close: true, ..Self::new(RefusalReason::ProxyHeader, message) }
    }

    /// 408: the client has stopped sending the request's body.
    pub(in crate::proxy) fn stalled(timeout: Duration) -> Self {
        let message = format!("the request's body did not come on for {timeout:?}");
        Self { close: true, ..Self::new(RefusalReason::RequestTimeout, message) }
    }

    /// 413: the body is larger than it may be. What is left of it is not read.
    pub(in crate::proxy) fn body_too_large() -> Self {
        Self {
            close: true,
            ..Self::new(RefusalReason::BodyTooLarge, "the request's body is larger than this route allows")
        }
    }

    /// 404: no route, or a route that is meant to lead nowhere.
    pub(in crate::proxy) fn not_found() -> Self {
        Self::new(RefusalReason::NoRoute, "no route is configured for this host and path")
    }

    /// 503 or 500: the route's rule is broken. The reason is that of the report on its owner.
    pub(in crate::proxy) fn unavailable(&Unavailable { reason, status }: &Unavailable) -> Self {
        let message = "this route's backend is not configured rightly; its status says why";
        let usual = if status == 500 { RefusalReason::InvalidBackend } else { RefusalReason::PoolNotFound };
        Self { reason, ..Self::new(usual, message) }
    }

    /// 503 or 500: the weights of the route's backends leave none for the request.
    pub(in crate::proxy) fn no_pool(why: NoPool) -> Self {
        match why {
            NoPool::NoWeight => Self::new(RefusalReason::NoBackend, "no backend of this route has a weight"),
            NoPool::InvalidBackend => {
                let message = "some of this route's backends are not configured rightly; its status says why";
                Self::new(RefusalReason::InvalidBackend, message)
            }
        }
    }

    /// 503: the host and path must not be served, whatever route takes them. The reason is that of reports on the objects that say so.
    pub(in crate::proxy) fn prohibited_target() -> Self {
        let message = "an AzureIngressProhibitedTarget says that this host and path must not be served";
        Self { reason: "ProhibitedTarget", ..Self::new(RefusalReason::PoolNotFound, message) }
    }

    /// 421 (RFC 9110 section 15.5.20): the connection's certificate is not this host's.
    pub(in crate::proxy) fn misdirected() -> Self {
        let message = "this connection was made for another host; connect again for this one";
        Self::new(RefusalReason::Misdirected, message)
    }

    /// 421: the client's certificate is not trusted, or not any more. The client has to connect again.
    pub(in crate::proxy) fn untrusted_certificate() -> Self {
        let message = "the client certificate of this connection is not trusted for this host; connect again for it";
        Self { close: true, ..Self::new(RefusalReason::Misdirected, message) }
    }

    /// 505 (RFC 9110 section 15.6.6): the host is not served by HTTP/2, and the connection has no TLS to agree on another version.
    pub(in crate::proxy) fn http_version() -> Self {
        Self::new(RefusalReason::HttpVersion, "this host is not served by HTTP/2; ask for it by HTTP/1.1")
    }

    /// 508 (RFC 5842 section 7.2): the request has come through too many gateways of this kind.
    pub(in crate::proxy) fn loop_detected() -> Self {
        let message = "the request goes round: its route's backend leads back to the gateway";
        Self::new(RefusalReason::LoopDetected, message)
    }

    /// 502: what the member sent is no HTTP, or contradicts itself.
    pub(in crate::proxy) fn malformed_answer(fault: impl fmt::Display) -> Self {
        Self::new(RefusalReason::BackendMalformed, format!("the backend answered, but {fault}"))
    }

    /// 503: the pool has no member for the request.
    pub(in crate::proxy) fn no_member(why: NoMember) -> Self {
        Self::new(why.into(), why.to_string())
    }

    /// 400 or 426: a WebSocket handshake with a fault.
    pub(in crate::proxy) fn handshake(fault: RequestFault, extended: bool) -> Self {
        let refusal = Self::with_status(fault.status(extended), RefusalReason::WebSocketHandshake, fault.to_string());
        Self { names_version: fault == RequestFault::Version, ..refusal }
    }

    /// 502: a member's answer to a WebSocket handshake that opens no session.
    pub(in crate::proxy) fn handshake_answer(message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_status(StatusCode::BAD_GATEWAY, RefusalReason::WebSocketHandshake, message)
    }

    /// 502: a member's answer to an upgrade to another protocol that opens no session.
    pub(in crate::proxy) fn upgrade_answer(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalReason::UnexpectedUpgrade, message)
    }

    /// 502: the member closed the connection before it answered.
    pub(in crate::proxy) fn broke_off() -> Self {
        Self::new(RefusalReason::BackendFailed, "the backend closed the connection before it answered")
    }

    /// 503: this machine could open no connection to a member.
    pub(in crate::proxy) fn shortage() -> Self {
        let message = "the gateway's machine has no descriptor, port or memory left for a connection to the backend";
        Self { retry_after: Some(1), ..Self::new(RefusalReason::GatewayOverloaded, message) }
    }

    /// 501 (RFC 8441, RFC 9220): an extended CONNECT to another protocol than WebSocket.
    pub(super) fn protocol() -> Self {
        let message = "the only :protocol of an extended CONNECT that is spoken here is websocket";
        Self::new(RefusalReason::ProtocolNotSupported, message)
    }

    /// 429 (RFC 6585 section 4) where it is the client that asks for too much, else 503: a session beyond a limit.
    pub(in crate::proxy) fn rejected(rejected: Rejected) -> Self {
        let refusal = Self::new(rejected.into(), rejected.to_string());
        Self { retry_after: Some(rejected.retry_after()), ..refusal }
    }

    /// The answer. To HEAD it has no body.
    pub(in crate::proxy) fn into_response(self, head: bool) -> Response<Bytes> {
        let (body, content_type) = match self.page {
            Some(page) => (Bytes::from_owner(page), "text/html; charset=utf-8"),
            None => (Bytes::from(format!("{}: {}\n", self.status, self.message)), "text/plain; charset=utf-8"),
        };
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(if head { Bytes::new() } else { body });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REASON_HEADER, HeaderValue::from_static(self.reason));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.names_version {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        match self.status {
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
                headers.insert(header::ALLOW, allowed);
            }
            _ => {}
        }
        response
    }
}
