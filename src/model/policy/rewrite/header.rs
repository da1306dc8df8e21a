//! Which headers can be rewritten: all but those that the gateway and its peers need to understand each other.

use http::HeaderName;

/// The message whose headers are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The request that a backend gets.
    Request,
    /// The answer that a client gets.
    Answer,
}

/// Why a header can't be rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderNameError {
    /// The text is no name of a header (RFC 9110 section 5.1).
    #[error("{0:?} is no name of a header")]
    Invalid(String),
    /// The header belongs to one connection (RFC 9110 section 7.6.1).
    #[error("{0} belongs to one connection, and the gateway sets it itself")]
    Connection(HeaderName),
    /// The header tells where a message ends.
    #[error("{0} tells where the message ends, and the gateway sets it itself")]
    Framing(HeaderName),
    /// The header is part of a WebSocket handshake (RFC 6455 section 11.3).
    #[error("{0} is part of WebSocket handshakes, which client and backend check")]
    Handshake(HeaderName),
    /// The header is the gateway's own.
    #[error("{0} is how gateways find loops and tell their own answers from others")]
    Own(HeaderName),
}

/// Parses the name of a header that can be rewritten.
///
/// # Errors
/// It can't.
pub fn rewritable_header(text: &str, direction: Direction) -> Result<HeaderName, HeaderNameError> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| HeaderNameError::Invalid(text.to_owned()))?;
    match name.as_str() {
        "connection" | "upgrade" | "keep-alive" | "proxy-connection" | "http2-settings" | "te" => {
            Err(HeaderNameError::Connection(name))
        }
        "content-length" | "transfer-encoding" | "trailer" | "expect" => Err(HeaderNameError::Framing(name)),
        text if text.starts_with("sec-websocket-") => Err(HeaderNameError::Handshake(name)),
        "x-steadygate-reason" => Err(HeaderNameError::Own(name)),
        "via" if direction == Direction::Request => Err(HeaderNameError::Own(name)),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_connection_together_stays() {
        let error = |name| rewritable_header(name, Direction::Request).expect_err(name).to_string();
        for name in ["Connection", "upgrade", "Keep-Alive", "TE", "Content-Length", "Transfer-Encoding", "Via"] {
            assert!(error(name).starts_with(&name.to_ascii_lowercase()), "{}", error(name));
        }
        assert!(error("Sec-WebSocket-Protocol").contains("handshakes"));
        assert!(error("a b").contains("\"a b\" is no name"));
        for name in ["Host", "X-Forwarded-For", "Authorization", "Cookie", "Server"] {
            assert!(rewritable_header(name, Direction::Request).is_ok(), "{name}");
        }
        assert!(rewritable_header("Via", Direction::Answer).is_ok());
    }
}
