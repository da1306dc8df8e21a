//! WebSocket over HTTP/2 (RFC 8441): an extended CONNECT goes on as a handshake of HTTP/1.1, and a backend's 101 comes
//! back as a 200.

use http::header::{self, HeaderValue};
use http::{Method, StatusCode, request, response};
use hyper::ext::Protocol;

use crate::websocket::{Handshake, RequestFault};

/// The `:protocol` of an extended CONNECT. `None`: it is none.
pub(in crate::proxy) fn protocol(parts: &request::Parts) -> Option<&str> {
    parts.extensions.get::<Protocol>().map(Protocol::as_str)
}

/// Makes a handshake of HTTP/1.1 of an extended CONNECT; marking it as an upgrade is left to the caller.
///
/// # Errors
/// It is no valid handshake.
pub(in crate::proxy) fn request(parts: &mut request::Parts) -> Result<Handshake, RequestFault> {
    let (handshake, key) = Handshake::extended(&parts.headers)?;
    parts.extensions.remove::<Protocol>();
    parts.method = Method::GET;
    // It has no body, whatever it says of one.
    for name in [header::CONTENT_LENGTH, header::EXPECT] {
        parts.headers.remove(name);
    }
    let key = HeaderValue::from_str(&key).expect("base64");
    parts.headers.insert(header::SEC_WEBSOCKET_KEY, key);
    Ok(handshake)
}

/// Makes a backend's 101, without what is about its connection alone, the answer that opens the client's stream.
pub(in crate::proxy) fn grant(parts: &mut response::Parts) {
    parts.status = StatusCode::OK;
    for name in [header::SEC_WEBSOCKET_ACCEPT, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
}
