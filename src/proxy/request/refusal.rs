//! The answers that are the gateway's own, in one place: status, reason for programs, sentence for people.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::pool::NoMember;
use crate::proxy::forward::body::ResponseBody;
use crate::websocket::{Rejected, RequestFault};

/// Carries the reason of an answer that is the gateway's own.
pub(in crate::proxy) const REASON: HeaderName = HeaderName::from_static("x-steadygate-reason");

/// Why a request is not handed on, or its answer not handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct Refusal {
    pub(in crate::proxy) status: StatusCode,
    /// One word, for programs.
    pub(in crate::proxy) reason: &'static str,
    /// A sentence, for people.
    pub(in crate::proxy) message: Cow<'static, str>,
    /// Whether nothing more may be read from the connection.
    close: bool,
    /// Seconds after which to ask again.
    retry_after: Option<u32>,
    /// Whether the client is told which version of WebSocket is spoken (RFC 6455 section 4.4).
    version: bool,
}

impl Refusal {
    pub(in crate::proxy) fn new(
        status: StatusCode,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, reason, message: message.into(), close: false, retry_after: None, version: false }
    }

    /// 400: the request is ambiguous or malformed; the connection can't be trusted any further.
    pub(in crate::proxy) fn malformed(message: &'static str) -> Self {
        Self { close: true, ..Self::new(StatusCode::BAD_REQUEST, "MalformedRequest", message) }
    }

    /// 408: the client does not go on with the request's body.
    pub(in crate::proxy) fn stalled(timeout: Duration) -> Self {
        let message = format!("the request's body did not come on for {timeout:?}");
        Self { close: true, ..Self::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", message) }
    }

    pub(in crate::proxy) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoRoute", "no route is configured for this host and path")
    }

    /// 421 (RFC 9110 section 15.5.20): the connection's certificate is not this host's.
    pub(in crate::proxy) fn misdirected() -> Self {
        let message = "this connection was made for another host; connect again for this one";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "Misdirected", message)
    }

    pub(in crate::proxy) fn no_member(why: NoMember) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, why.reason(), why.to_string())
    }

    pub(in crate::proxy) fn handshake(fault: RequestFault, extended: bool) -> Self {
        let refusal = Self::new(fault.status(extended), "WebSocketHandshake", fault.to_string());
        Self { version: fault == RequestFault::Version, ..refusal }
    }

    /// 501 (RFC 8441, RFC 9220): an extended CONNECT to something else than WebSocket.
    pub(in crate::proxy) fn protocol() -> Self {
        let message = "the only :protocol of an extended CONNECT that is spoken here is websocket";
        Self::new(StatusCode::NOT_IMPLEMENTED, "ProtocolNotSupported", message)
    }

    /// 429 (RFC 6585 section 4) where it is the client that asks for too much, else 503.
    pub(in crate::proxy) fn rejected(rejected: Rejected) -> Self {
        let status =
            if rejected.is_clients() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
        let refusal = Self::new(status, rejected.reason(), rejected.to_string());
        Self { retry_after: Some(rejected.retry_after()), ..refusal }
    }

    pub(in crate::proxy) fn bad_gateway(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, reason, message)
    }

    /// The answer; to HEAD, without its body.
    pub(in crate::proxy) fn into_response(self, head: bool) -> Response<ResponseBody> {
        let text = format!("{}: {}\n", self.status, self.message);
        let length = HeaderValue::from(text.len());
        let text = if head { Bytes::new() } else { Bytes::from(text) };
        let mut response = Response::new(ResponseBody::full(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REASON, HeaderValue::from_static(self.reason));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.version {
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
