//! The opening handshake, both legs (RFC 6455 section 4), and what takes its place in HTTP/2 (RFC 8441 section 5).
//!
//! The backend decides on the upgrade. The gateway checks that the request is a valid handshake, and that the answer accepts it, before
//! a byte is tunnelled.

use aws_lc_rs::digest;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, StatusCode, Version};

/// The text that is appended to the key before hashing (section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Reads a key. The last digit before the padding has four bits that say nothing; they may be set (RFC 4648 section 3.5), as in the key
/// of the RFC's own example (section 4.1).
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// A valid opening request: what its answer is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    accept: String,
    protocols: Vec<String>,
    extensions: Vec<String>,
}

/// Why a request for WebSocket is not a valid handshake (section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// The method is not GET.
    #[error("a WebSocket handshake is a GET request")]
    Method,
    /// `Upgrade` is not named in `Connection`.
    #[error("a WebSocket handshake has Connection: Upgrade")]
    Connection,
    /// The request has a body, which would be read as frames.
    #[error("a WebSocket handshake has no body")]
    Body,
    /// The version is not 13, or is missing.
    #[error("only WebSocket version 13 is spoken here (Sec-WebSocket-Version: 13)")]
    Version,
    /// The key is missing, repeated, or not 16 bytes in base64.
    #[error("a WebSocket handshake has one Sec-WebSocket-Key: 16 bytes in base64")]
    Key,
}

impl RequestFault {
    /// The answer that the RFC asks for: 426 for the version (section 4.4), else 400. A 426 names what to upgrade to,
    /// which HTTP/2 can't: there it is 400 too.
    pub fn status(self, extended: bool) -> StatusCode {
        match self {
            Self::Version if !extended => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Why a 101 answer of a backend does not open the session (section 4.1, the client's checks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseFault {
    /// The answer has no `Upgrade: websocket`.
    #[error("the 101 answer has no Upgrade: websocket")]
    Upgrade,
    /// The answer has no `Connection: Upgrade`.
    #[error("the 101 answer has no Connection: Upgrade")]
    Connection,
    /// The answer does not have the hash of the key that was sent.
    #[error("Sec-WebSocket-Accept does not fit the key that was sent")]
    Accept,
    /// The answer has a subprotocol that was not offered, or several.
    #[error("Sec-WebSocket-Protocol names a subprotocol that was not offered")]
    Protocol,
    /// The answer has an extension that was not offered.
    #[error("Sec-WebSocket-Extensions names an extension that was not offered")]
    Extension,
}

impl Handshake {
    /// Reads a request. `None`: it does not ask for WebSocket. (An `Upgrade` to another protocol, or in HTTP/1.0 or HTTP/2, is ignored:
    /// RFC 9110 section 7.8.)
    ///
    /// # Errors
    /// The request asks for WebSocket but is not a valid handshake.
    pub fn read(
        method: &Method,
        version: Version,
        headers: &HeaderMap,
        has_body: bool,
    ) -> Result<Option<Self>, RequestFault> {
        if version != Version::HTTP_11 || !has_token(headers, header::UPGRADE, "websocket") {
            return Ok(None);
        }
        if method != Method::GET {
            return Err(RequestFault::Method);
        }
        if !has_token(headers, header::CONNECTION, "upgrade") {
            return Err(RequestFault::Connection);
        }
        if has_body {
            return Err(RequestFault::Body);
        }
        if only(headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(RequestFault::Version);
        }
        let key = only(headers, header::SEC_WEBSOCKET_KEY).ok_or(RequestFault::Key)?;
        if !KEY_BASE64.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
            return Err(RequestFault::Key);
        }
        Ok(Some(Self::with_key(key, headers)))
    }

    /// Reads an extended CONNECT, and makes the key for its handshake with the backend over HTTP/1.1. A key that the client has sent is
    /// ignored.
    ///
    /// # Errors
    /// The request is not a valid handshake.
    pub fn extended(headers: &HeaderMap) -> Result<(Self, String), RequestFault> {
        if only(headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(RequestFault::Version);
        }
        let key = BASE64_STANDARD.encode(fastrand::u128(..).to_be_bytes());
        Ok((Self::with_key(&key, headers), key))
    }

    fn with_key(key: &str, headers: &HeaderMap) -> Self {
        Self {
            accept: accept(key),
            protocols: tokens(headers, header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect(),
            extensions: extensions(headers).map(str::to_owned).collect(),
        }
    }

    /// Checks that a 101 answer with these headers opens the session.
    ///
    /// # Errors
    /// The answer does not open it: nothing may be tunnelled.
    pub fn verify(&self, headers: &HeaderMap) -> Result<(), ResponseFault> {
        if only(headers, header::UPGRADE).is_none_or(|value| !value.eq_ignore_ascii_case("websocket")) {
            return Err(ResponseFault::Upgrade);
        }
        if !has_token(headers, header::CONNECTION, "upgrade") {
            return Err(ResponseFault::Connection);
        }
        if only(headers, header::SEC_WEBSOCKET_ACCEPT) != Some(&self.accept) {
            return Err(ResponseFault::Accept);
        }
        if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
            let chosen = only(headers, header::SEC_WEBSOCKET_PROTOCOL).ok_or(ResponseFault::Protocol)?;
            // Some servers write an empty one where they choose none.
            if !chosen.is_empty() && !self.protocols.iter().any(|offered| offered == chosen) {
                return Err(ResponseFault::Protocol);
            }
        }
        let unasked = |name: &str| !self.extensions.iter().any(|offered| offered.eq_ignore_ascii_case(name));
        if extensions(headers).any(unasked) {
            return Err(ResponseFault::Extension);
        }
        Ok(())
    }
}

/// The value of `Sec-WebSocket-Accept` for a key.
pub fn accept(key: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(GUID.as_bytes());
    BASE64_STANDARD.encode(context.finish())
}

/// The elements of a comma-separated header, over all its lines.
pub(super) fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// The names of the extensions, without parameters.
fn extensions(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, header::SEC_WEBSOCKET_EXTENSIONS)
        .map(|extension| extension.split_once(';').map_or(extension, |(name, _)| name).trim())
}

/// Whether a comma-separated header has this element, in any case.
pub(super) fn has_token(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

/// The value of a header that is there exactly once.
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), header::HeaderValue::from_static(value)))
            .collect()
    }

    /// The handshake of RFC 6455 section 1.2.
    const REQUEST: &[(&str, &str)] = &[
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-version", "13"),
    ];
    const RESPONSE: &[(&str, &str)] = &[
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ];

    fn read(lines: &[(&'static str, &'static str)]) -> Result<Option<Handshake>, RequestFault> {
        Handshake::read(&Method::GET, Version::HTTP_11, &headers(lines), false)
    }

    fn without(lines: &[(&'static str, &'static str)], name: &str) -> Vec<(&'static str, &'static str)> {
        lines.iter().filter(|(other, _)| *other != name).copied().collect()
    }

    fn with(
        lines: &[(&'static str, &'static str)],
        name: &'static str,
        value: &'static str,
    ) -> Vec<(&'static str, &'static str)> {
        let mut lines = without(lines, name);
        lines.push((name, value));
        lines
    }

    #[test]
    fn the_rfc_example_opens() {
        let handshake = read(REQUEST).expect("valid").expect("a handshake");
        assert_eq!(handshake.verify(&headers(RESPONSE)), Ok(()));
        assert_eq!(handshake.protocols, ["chat", "superchat"]);
    }

    #[test]
    fn spare_bits_of_a_key_may_be_set_and_the_key_is_hashed_as_it_came() {
        for key in [
            "AQIDBAUGBwgJCgsMDQ4PEC==",
            "xqBt3ImNzJbYqRINxEFlkz==",
            "/////////////////////w==",
            "//////////////////////==",
        ] {
            let handshake = read(&with(REQUEST, "sec-websocket-key", key)).expect("valid").expect("a handshake");
            assert_eq!(handshake.accept, accept(key), "{key}");
        }
        for key in [
            "AQIDBAUGBwgJCgsMDQ4PEA",
            "AQIDBAUGBwgJCgsMDQ4PEA=",
            "AQIDBAUGBwgJCgsMDQ4P*A==",
            "AQIDBAUGBwgJCgsMDQ4PEC-=",
            "AQIDBAUGBwgJCgsMDQ4PECB=",
        ] {
            assert_eq!(read(&with(REQUEST, "sec-websocket-key", key)), Err(RequestFault::Key), "{key}");
        }
    }

    #[test]
    fn a_request_is_held_to_the_rfc() {
        assert_eq!(read(&without(REQUEST, "upgrade")), Ok(None));
        assert_eq!(read(&with(REQUEST, "upgrade", "h2c")), Ok(None));
        assert_eq!(read(&with(REQUEST, "connection", "keep-alive")), Err(RequestFault::Connection));
        assert_eq!(read(&with(REQUEST, "sec-websocket-version", "8")), Err(RequestFault::Version));
        assert_eq!(read(&without(REQUEST, "sec-websocket-version")), Err(RequestFault::Version));
        assert_eq!(read(&without(REQUEST, "sec-websocket-key")), Err(RequestFault::Key));
        assert_eq!(read(&with(REQUEST, "sec-websocket-key", "c2hvcnQ=")), Err(RequestFault::Key));
        let map = headers(REQUEST);
        assert_eq!(Handshake::read(&Method::POST, Version::HTTP_11, &map, false), Err(RequestFault::Method));
        assert_eq!(Handshake::read(&Method::GET, Version::HTTP_11, &map, true), Err(RequestFault::Body));
        assert_eq!(Handshake::read(&Method::GET, Version::HTTP_10, &map, false), Ok(None));
    }

    #[test]
    fn an_extended_connect_gets_a_key_of_its_own() {
        let lines = without(REQUEST, "connection");
        let ((first, key), (_, other)) = (
            Handshake::extended(&headers(&lines)).expect("valid"),
            Handshake::extended(&headers(&without(&lines, "sec-websocket-key"))).expect("valid"),
        );
        assert!(key != other && key != "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(BASE64_STANDARD.decode(&key).map(|nonce| nonce.len()), Ok(16));
        assert_eq!(first.accept, accept(&key));
        assert_eq!(first.protocols, ["chat", "superchat"]);
        let old = headers(&with(REQUEST, "sec-websocket-version", "8"));
        let fault = Handshake::extended(&old).expect_err("another version");
        assert_eq!((fault.status(true), fault.status(false)), (StatusCode::BAD_REQUEST, StatusCode::UPGRADE_REQUIRED));
    }

    #[test]
    fn an_answer_is_held_to_the_request() {
        let handshake = read(REQUEST).expect("valid").expect("a handshake");
        for (lines, fault) in [
            (without(RESPONSE, "upgrade"), ResponseFault::Upgrade),
            (with(RESPONSE, "upgrade", "h2c"), ResponseFault::Upgrade),
            (without(RESPONSE, "connection"), ResponseFault::Connection),
            (without(RESPONSE, "sec-websocket-accept"), ResponseFault::Accept),
            (with(RESPONSE, "sec-websocket-accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), ResponseFault::Accept),
            (with(RESPONSE, "sec-websocket-protocol", "other"), ResponseFault::Protocol),
            (with(RESPONSE, "sec-websocket-protocol", "chat, superchat"), ResponseFault::Protocol),
            (with(RESPONSE, "sec-websocket-extensions", "permessage-deflate"), ResponseFault::Extension),
        ] {
            assert_eq!(handshake.verify(&headers(&lines)), Err(fault), "{lines:?}");
        }
        assert_eq!(handshake.verify(&headers(&without(RESPONSE, "sec-websocket-protocol"))), Ok(()));
        assert_eq!(handshake.verify(&headers(&with(RESPONSE, "sec-websocket-protocol", ""))), Ok(()));
    }
}
