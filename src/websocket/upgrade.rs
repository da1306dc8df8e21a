//! Upgrades to protocols other than WebSocket (RFC 9110 section 7.8), both legs.
//!
//! The backend decides on the upgrade, among the protocols that the client asks for and the route allows. What is spoken after that is
//! theirs alone.

use http::Version;
use http::header::{self, HeaderMap, HeaderValue};

use super::handshake::{has_token, only, tokens};
use crate::model::UpgradeProtocols;

/// The longest name of a protocol. A longer one is not taken for a name.
const MAX_PROTOCOL_BYTES: usize = 64;

/// The protocols that a request asks for and its route allows: what its answer is checked against. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// In the client's order and spelling, as the backend gets them.
    protocols: Box<[Box<str>]>,
}

/// Why a 101 answer of a backend does not open the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeFault {
    /// The answer has no `Connection: Upgrade`.
    #[error("the 101 answer has no Connection: Upgrade")]
    Connection,
    /// The answer does not name one protocol that was asked for.
    #[error("the Upgrade of the 101 answer is not one protocol that was asked for")]
    Protocol,
}

impl Upgrade {
    /// Reads a request that is no WebSocket handshake. `None`: it asks for no protocol that the route allows, and is forwarded without
    /// its `Upgrade`, as an upgrade in HTTP/1.0 or HTTP/2, or one that `Connection` does not name.
    pub fn read(version: Version, headers: &HeaderMap, allowed: &UpgradeProtocols) -> Option<Self> {
        if version != Version::HTTP_11 || !has_token(headers, header::CONNECTION, "upgrade") {
            return None;
        }
        let protocols: Box<[Box<str>]> = tokens(headers, header::UPGRADE)
            .filter(|protocol| is_protocol(protocol) && allowed.allows(protocol))
            .map(Into::into)
            .collect();
        (!protocols.is_empty()).then_some(Self { protocols })
    }

    /// The protocol that the client would like most.
    pub fn first(&self) -> &str {
        &self.protocols[0]
    }

    /// The `Upgrade` that the backend gets.
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.protocols.join(", ")).expect("tokens")
    }

    /// Checks that a 101 answer with these headers opens the session. Gives the protocol that the backend has chosen, as it wrote it.
    ///
    /// # Errors
    /// The answer does not open it: nothing may be tunnelled.
    pub fn verify<'a>(&self, headers: &'a HeaderMap) -> Result<&'a HeaderValue, UpgradeFault> {
        if !has_token(headers, header::CONNECTION, "upgrade") {
            return Err(UpgradeFault::Connection);
        }
        let chosen = only(headers, header::UPGRADE).ok_or(UpgradeFault::Protocol)?;
        let asked = self.protocols.iter().any(|protocol| protocol.eq_ignore_ascii_case(chosen));
        headers.get(header::UPGRADE).filter(|_| asked).ok_or(UpgradeFault::Protocol)
    }
}

/// Whether a text can be the name of a protocol.
fn is_protocol(text: &str) -> bool {
    text.len() <= MAX_PROTOCOL_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut map = HeaderMap::new();
        for (name, value) in lines.iter().map(line) {
            map.append(name, value);
        }
        map
    }

    fn asked(allowed: &[&str], lines: &[(&'static str, &'static str)]) -> Option<String> {
        let allowed = UpgradeProtocols::new(allowed.iter().copied()).expect("some");
        let upgrade = Upgrade::read(Version::HTTP_11, &headers(lines), &allowed)?;
        Some(upgrade.to_header().to_str().expect("tokens").to_owned())
    }

    const CONNECTION: (&str, &str) = ("connection", "keep-alive, Upgrade");

    #[test]
    fn the_backend_gets_what_the_client_asks_for_and_the_route_allows() {
        let spdy = ("upgrade", "SPDY/3.1");
        assert_eq!(asked(&["spdy/3.1"], &[CONNECTION, spdy]).as_deref(), Some("SPDY/3.1"));
        assert_eq!(asked(&["tcp"], &[CONNECTION, spdy]), None);
        assert_eq!(asked(&["*"], &[spdy]), None, "not named in Connection");
        let several = [CONNECTION, ("upgrade", "h2c, tcp"), ("upgrade", "a b, DERP")];
        assert_eq!(asked(&["*"], &several).as_deref(), Some("tcp, DERP"));
        let long = "a".repeat(MAX_PROTOCOL_BYTES + 1).leak();
        assert_eq!(asked(&["*"], &[CONNECTION, ("upgrade", long)]), None);
        let allowed = UpgradeProtocols::new(["*"]).expect("some");
        assert_eq!(Upgrade::read(Version::HTTP_10, &headers(&[CONNECTION, spdy]), &allowed), None);
    }

    #[test]
    fn an_answer_names_one_protocol_that_was_asked_for() {
        let allowed = UpgradeProtocols::new(["*"]).expect("some");
        let request = headers(&[CONNECTION, ("upgrade", "tcp, SPDY/3.1")]);
        let upgrade = Upgrade::read(Version::HTTP_11, &request, &allowed).expect("an upgrade");
        let verify = |lines: &[(&'static str, &'static str)]| upgrade.verify(&headers(lines)).cloned();
        assert_eq!(verify(&[CONNECTION, ("upgrade", "spdy/3.1")]), Ok(HeaderValue::from_static("spdy/3.1")));
        assert_eq!(verify(&[("upgrade", "tcp")]), Err(UpgradeFault::Connection));
        for wrong in ["", "DERP", "websocket", "tcp, SPDY/3.1"] {
            assert_eq!(verify(&[CONNECTION, ("upgrade", wrong)]), Err(UpgradeFault::Protocol), "{wrong}");
        }
        assert_eq!(verify(&[CONNECTION]), Err(UpgradeFault::Protocol));
    }
}
