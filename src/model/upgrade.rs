//! The protocols other than WebSocket to which requests of a route may be upgraded (RFC 9110 section 7.8).

use serde::Serialize;

/// The element that stands for every protocol.
const ANY: &str = "*";

/// Protocols that people are known to use. Metrics name them where a route allows every protocol; the text of a client never becomes
/// the value of a label.
const KNOWN: [&str; 4] = ["SPDY/3.1", "tcp", "tailscale-control-protocol", "DERP"];

/// The label of all other protocols.
const OTHER: &str = "other";

/// The protocols other than WebSocket to which requests of a route may be upgraded: tokens of `Upgrade`, or `*` for every protocol that
/// does not carry HTTP. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpgradeProtocols(Box<[Box<str>]>);

impl UpgradeProtocols {
    /// The protocols with these names. `None`: there are none.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let names: Box<[Box<str>]> = names.into_iter().map(Into::into).collect();
        (!names.is_empty()).then_some(Self(names))
    }

    /// The names, as they were written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// Whether requests may be upgraded to `protocol`. Names are compared without case.
    pub fn allows(&self, protocol: &str) -> bool {
        !carries_http(protocol) && self.names().any(|name| name == ANY || name.eq_ignore_ascii_case(protocol))
    }

    /// The name of a protocol in metrics, of which there are few: as the route has it, else as it is known, else `other`.
    pub fn label(&self, protocol: &str) -> &str {
        let mut names = self.names().filter(|name| *name != ANY).chain(KNOWN);
        names.find(|name| name.eq_ignore_ascii_case(protocol)).unwrap_or(OTHER)
    }
}

/// Whether HTTP is spoken after an upgrade to this protocol: `h2c`, `HTTP/2.0`, `TLS/1.2` (RFC 2817). The requests within would reach the
/// backend past every route and everything that guards one, so no route may allow it.
pub fn carries_http(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    ["h2", "h2c", "http", "tls"].iter().any(|http| http.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocols(names: &[&str]) -> UpgradeProtocols {
        UpgradeProtocols::new(names.iter().copied()).expect("some")
    }

    #[test]
    fn a_list_allows_what_it_names_and_a_star_all_but_http() {
        let listed = protocols(&["SPDY/3.1", "tcp"]);
        for (protocol, allowed) in [("spdy/3.1", true), ("TCP", true), ("SPDY", false), ("SPDY/3", false), ("*", false)]
        {
            assert_eq!(listed.allows(protocol), allowed, "{protocol}");
        }
        let any = protocols(&["*"]);
        for (protocol, allowed) in
            [("DERP", true), ("h2", false), ("H2C", false), ("HTTP/2.0", false), ("TLS/1.2", false), ("tlsx", true)]
        {
            assert_eq!(any.allows(protocol), allowed, "{protocol}");
        }
        assert_eq!(UpgradeProtocols::new([]), None);
    }

    #[test]
    fn a_client_cannot_invent_a_label() {
        let (any, mixed) = (protocols(&["*"]), protocols(&["*", "My-Protocol"]));
        assert_eq!((any.label("derp"), any.label("my-protocol"), any.label("*")), ("DERP", "other", "other"));
        assert_eq!((mixed.label("my-protocol"), mixed.label("yours")), ("My-Protocol", "other"));
    }

    #[test]
    fn the_names_are_what_is_shown() {
        let names = protocols(&["SPDY/3.1", "*"]);
        assert_eq!(serde_json::to_string(&names).expect("JSON"), r#"["SPDY/3.1","*"]"#);
    }
}
