//! WebSocket over HTTP/2 with clients (RFC 8441): an extended CONNECT becomes a handshake of HTTP/1.1, and a member's 101
//! becomes a 200.

use h2::ext::Protocol;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode, request, response};

use crate::websocket::{Handshake, RequestFault};

/// Turns an extended CONNECT into a handshake of HTTP/1.1. The headers of the upgrade are added by the caller.
///
/// # Errors
/// The request is no valid handshake.
pub(super) fn into_handshake(parts: &mut request::Parts) -> Result<Handshake, RequestFault> {
    let (handshake, key) = Handshake::extended(&parts.headers)?;
    parts.extensions.remove::<Protocol>();
    parts.method = Method::GET;
    // A handshake has no body, whatever the client's headers say.
    for name in [header::CONTENT_LENGTH, header::EXPECT] {
        parts.headers.remove(name);
    }
    let key = HeaderValue::from_str(&key).expect("base64");
    parts.headers.insert(header::SEC_WEBSOCKET_KEY, key);
    Ok(handshake)
}

/// Turns a member's 101, from which the hop-by-hop headers have been removed, into the answer that opens the client's stream.
pub(super) fn into_answer(parts: &mut response::Parts) {
    parts.status = StatusCode::OK;
    for name in [header::SEC_WEBSOCKET_ACCEPT, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
}
