//! Who the client of a request is and how it came: by the word of a trusted peer, else by the connection. Read once for each
//! request; all that depends on it (redirects, headers for backends, limits, cookies, records) looks here.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::forwarded_field;
use crate::proxy::request::authority::Authority;

pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(super) const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Headers other than `X-Forwarded-Proto` in which proxies say whether the client came over TLS, in the order in which they are
/// believed.
const OTHER_SCHEMES: [HeaderName; 4] = [
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-protocol"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("front-end-https"),
];

/// The hop from the peer to the gateway: what the connection itself says.
pub(in crate::proxy) struct ClientHop {
    /// The peer's address.
    pub(super) address: IpAddr,
    /// The peer's address as text.
    pub(super) peer: HeaderValue,
    /// Whether the peer's claims about earlier hops are believed.
    trusted: bool,
    tls: bool,
    /// The frontend port.
    pub(super) port: u16,
    /// The frontend port as text.
    pub(super) port_text: HeaderValue,
}

/// Who the client of a request is and how it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct ClientFacts {
    /// IP address.
    pub(in crate::proxy) address: IpAddr,
    /// Whether its own hop was over TLS.
    pub(in crate::proxy) tls: bool,
    /// Port that it came to.
    pub(in crate::proxy) port: u16,
    /// Host and port that it asked for, where a trusted peer has said so.
    pub(in crate::proxy) authority: Option<HeaderValue>,
}

impl ClientHop {
    /// The hop of a connection from `peer` to the frontend port `port`.
    pub(in crate::proxy) fn new(peer: IpAddr, trusted: bool, tls: bool, port: u16) -> Self {
        let text = HeaderValue::from_str(&peer.to_string()).expect("an address");
        Self { address: peer, peer: text, trusted, tls, port, port_text: HeaderValue::from(port) }
    }

    /// Whether the peer's claims about earlier hops are believed.
    pub(in crate::proxy) fn is_trusted(&self) -> bool {
        self.trusted
    }
}

impl ClientFacts {
    /// The facts about the client of a request that has these headers. `trusts` says whether a proxy's claims are believed.
    pub(in crate::proxy) fn read(hop: &ClientHop, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Self {
        let ClientHop { address, peer: _, trusted, tls, port, port_text: _ } = *hop;
        if !trusted {
            return Self { address, tls, port, authority: None };
        }
        let names = [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PORT, REAL_IP];
        let claims = if headers.contains_key(header::FORWARDED) && !names.iter().any(|name| headers.contains_key(name))
        {
            Claims::of_forwarded(hop, headers, trusts)
        } else {
            Claims::of_usual_headers(hop, headers, trusts)
        };
        // A scheme without a port comes with the port in the host's name, else with the scheme's own.
        let Claims { address, tls: claimed_tls, port: claimed_port, authority } = claims;
        let named = authority.as_ref().or_else(|| claimed_tls.and(headers.get(header::HOST)));
        let named_port = || Authority::parse(named?.to_str().ok()?).ok()?.port;
        let scheme_port = claimed_tls.map(|tls| if tls { 443 } else { 80 });
        Self {
            address: address.unwrap_or(hop.address),
            tls: claimed_tls.unwrap_or(tls),
            port: claimed_port.or_else(named_port).or(scheme_port).unwrap_or(port),
            authority,
        }
    }
}

/// The claims of a trusted peer, as far as they can be read.
struct Claims {
    address: Option<IpAddr>,
    tls: Option<bool>,
    port: Option<u16>,
    authority: Option<HeaderValue>,
}

impl Claims {
    /// The claims of `X-Forwarded-*`, `X-Real-IP` and their relatives.
    fn of_usual_headers(hop: &ClientHop, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Self {
        let hops = list(headers, &FORWARDED_FOR);
        let walk = Walk::from(hop.address, hops.rev().map(address), trusts);
        let claim = |name: &HeaderName| claim(headers, name, &walk);
        let port = claim(&FORWARDED_PORT).and_then(port);
        let words = || OTHER_SCHEMES.iter().find_map(|name| claim(name).and_then(scheme_or_switch));
        let tls = claim(&FORWARDED_PROTO).and_then(scheme).or_else(words);
        let real_ip = || claim(&REAL_IP).and_then(address);
        Self {
            address: if walk.steps > 0 {
                Some(walk.client)
            } else {
                real_ip().filter(|_| !headers.contains_key(FORWARDED_FOR))
            },
            tls: tls.or(if port == Some(443) { Some(true) } else { None }),
            port,
            authority: claim(&FORWARDED_HOST).and_then(authority),
        }
    }

    /// The claims of `Forwarded` (RFC 7239).
    fn of_forwarded(hop: &ClientHop, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Self {
        let elements = forwarded_field::elements(headers);
        let hops = elements.iter().rev().map(|element| address(element.node.as_bytes()));
        let walk = Walk::from(hop.address, hops, trusts);
        let of_client = elements.len().checked_sub(walk.steps.max(1)).and_then(|index| elements.get(index));
        Self {
            address: Some(walk.client),
            tls: of_client.and_then(|element| scheme(element.proto.as_bytes())),
            port: None,
            authority: of_client.and_then(|element| authority(element.host.as_bytes())),
        }
    }
}

/// A walk from the gateway towards the client, over the hops that proxies have noted: as far as trusted proxies noted them.
struct Walk {
    /// The last hop that was reached.
    client: IpAddr,
    /// The number of noted hops that were believed.
    steps: usize,
}

impl Walk {
    /// `hops` are the noted ones, the nearest first. What can't be read ends the walk: what is before it is no nearer to the truth.
    fn from(peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>, trusts: impl Fn(IpAddr) -> bool) -> Self {
        let mut walk = Self { client: peer, steps: 0 };
        for hop in hops {
            match hop {
                Some(hop) if trusts(walk.client) => walk = Self { client: hop.to_canonical(), steps: walk.steps + 1 },
                _ => break,
            }
        }
        walk
    }
}

/// The members of a header that is a list, which may have several lines.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a> {
    headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
}

/// The claim about the client's own hop. Where each proxy has noted its own, as in `X-Forwarded-For`, it is that of the hop which
/// the walk has reached; else the first.
fn claim<'a>(headers: &'a HeaderMap, name: &HeaderName, walk: &Walk) -> Option<&'a [u8]> {
    let count = list(headers, name).count();
    let parallel = count > 1 && count == list(headers, &FORWARDED_FOR).count();
    list(headers, name).nth(if parallel { count - walk.steps.max(1) } else { 0 })
}

/// The address of a hop as proxies write it: IPv6 in brackets or not, some with the port that it came from.
pub(super) fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    match hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')) {
        Some(bracketed) => bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => hop.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip())),
    }
}

/// Whether a scheme stands for TLS.
pub(super) fn scheme(word: &[u8]) -> Option<bool> {
    read_word(word, ["https", "wss"], ["http", "ws"])
}

/// Whether a word of an older header stands for TLS: a scheme, or a switch.
fn scheme_or_switch(word: &[u8]) -> Option<bool> {
    scheme(word).or_else(|| read_word(word, ["on", "1"], ["off", "0"]))
}

fn read_word(word: &[u8], yes: [&str; 2], no: [&str; 2]) -> Option<bool> {
    let is = |words: [&str; 2]| words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    if is(yes) { Some(true) } else { is(no).then_some(false) }
}

fn port(digits: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|port| *port > 0)
}

fn authority(text: &[u8]) -> Option<HeaderValue> {
    Authority::parse(std::str::from_utf8(text).ok()?).ok()?;
    HeaderValue::from_bytes(text).ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::headers;
    use super::*;

    /// The facts about a client behind the proxies 10.0.0.0/8, on a clear-text connection to port 80.
    fn facts(lines: &[(&'static str, &'static str)]) -> ClientFacts {
        let trusts = |peer: IpAddr| matches!(peer, IpAddr::V4(peer) if peer.octets()[0] == 10);
        ClientFacts::read(&ClientHop::new(IpAddr::from([10, 0, 0, 1]), true, false, 80), &headers(lines), trusts)
    }

    #[test]
    fn the_client_is_the_first_hop_from_the_right_that_is_not_trusted() {
        let client_of = |lines: &[&[u8]]| {
            let mut map = HeaderMap::new();
            for line in lines {
                map.append(FORWARDED_FOR, HeaderValue::from_bytes(line).expect("a value"));
            }
            let trusts = |peer: IpAddr| matches!(peer, IpAddr::V4(peer) if peer.octets()[0] == 10);
            let hop = ClientHop::new(IpAddr::from([10, 0, 0, 1]), true, false, 80);
            ClientFacts::read(&hop, &map, trusts).address.to_string()
        };
        for (lines, expected) in [
            (&[b"198.51.100.1, 203.0.113.9".as_slice()][..], "203.0.113.9"),
            (&[b"203.0.113.9:51234"], "203.0.113.9"),
            (&[b"203.0.113.9:51234, 10.0.0.2:443"], "203.0.113.9"),
            (&[b"[2001:db8::1]:443"], "2001:db8::1"),
            (&[b"[2001:db8::1] ,10.0.0.2"], "2001:db8::1"),
            (&[b"2001:db8::1"], "2001:db8::1"),
            (&[b"[::ffff:203.0.113.9]:443"], "203.0.113.9"),
            (&[b"203.0.113.9", b"10.0.0.2"], "203.0.113.9"),
            // What can't be read ends the walk; what is before it is no nearer to the truth.
            (&[b"203.0.113.9", b"unknown, 10.0.0.2"], "10.0.0.2"),
            (&[b"203.0.113.9", b"\xff, 10.0.0.2"], "10.0.0.2"),
            (&[b"\xff, 203.0.113.9"], "203.0.113.9"),
            (&[b"203.0.113.9", b"\xff"], "10.0.0.1"),
            (&[b"203.0.113.9", b"[203.0.113.9]"], "10.0.0.1"),
        ] {
            assert_eq!(client_of(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_scheme_is_told_in_many_words() {
        for (lines, tls, port) in [
            (&[][..], false, 80),
            (&[("x-forwarded-proto", "https")], true, 443),
            (&[("x-forwarded-proto", "https"), ("host", "a.example:8443")], true, 8443),
            (&[("x-forwarded-proto", "https"), ("x-forwarded-host", "b.example:9443")], true, 9443),
            (&[("x-forwarded-proto", "https"), ("x-forwarded-port", "10443"), ("host", "a.example:8443")], true, 10443),
            (&[("x-forwarded-proto", "HTTPS")], true, 443),
            (&[("x-forwarded-proto", "wss")], true, 443),
            (&[("x-forwarded-proto", "http"), ("x-forwarded-ssl", "on")], false, 80),
            (&[("x-forwarded-proto", "gopher"), ("x-forwarded-ssl", "on")], true, 443),
            (&[("x-forwarded-proto", "on")], false, 80),
            (&[("x-forwarded-proto", "")], false, 80),
            (&[("x-forwarded-ssl", "off")], false, 80),
            (&[("x-forwarded-scheme", "https")], true, 443),
            (&[("front-end-https", "on")], true, 443),
            (&[("x-forwarded-port", "443")], true, 443),
            (&[("x-forwarded-port", "8080")], false, 8080),
            (&[("x-forwarded-port", "65536")], false, 80),
            (&[("forwarded", "for=198.51.100.1;proto=https;host=\"b.example:8443\"")], true, 8443),
            // A peer that sends the usual headers may have let a client's `Forwarded` through.
            (&[("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=1.1.1.1;proto=https")], false, 80),
        ] {
            let facts = facts(lines);
            assert_eq!((facts.tls, facts.port), (tls, port), "{lines:?}");
        }
    }

    #[test]
    fn of_several_hops_it_is_the_clients_that_counts() {
        for (hops, protos, tls) in [
            ("198.51.100.1, 10.0.0.2", "https, http", true),
            ("198.51.100.1, 10.0.0.2", "http, https", false),
            // What the client itself has sent is not believed.
            ("1.1.1.1, 198.51.100.1, 10.0.0.2", "https, http, https", false),
            // The proxies have not all noted it: the first is the best guess.
            ("198.51.100.1", "https, http", true),
        ] {
            let facts = facts(&[("x-forwarded-for", hops), ("x-forwarded-proto", protos)]);
            assert_eq!((facts.address.to_string().as_str(), facts.tls), ("198.51.100.1", tls), "{hops} {protos}");
        }
    }

    #[test]
    fn a_client_may_be_named_by_other_headers() {
        let address = |lines: &[_]| facts(lines).address.to_string();
        assert_eq!(address(&[("x-real-ip", "198.51.100.1")]), "198.51.100.1");
        assert_eq!(address(&[("forwarded", "for=1.1.1.1, for=198.51.100.1, for=\"10.0.0.2:80\"")]), "198.51.100.1");
        assert_eq!(address(&[("forwarded", "for=_hidden")]), "10.0.0.1");
        // The usual header counts, even where it can't be read.
        assert_eq!(address(&[("x-forwarded-for", "203.0.113.9"), ("x-real-ip", "198.51.100.1")]), "203.0.113.9");
        assert_eq!(address(&[("x-forwarded-for", "unknown"), ("x-real-ip", "198.51.100.1")]), "10.0.0.1");
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let map =
            headers(&[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "1")]);
        let peer = IpAddr::from([192, 0, 2, 7]);
        let expected = ClientFacts { address: peer, tls: false, port: 80, authority: None };
        assert_eq!(ClientFacts::read(&ClientHop::new(peer, false, false, 80), &map, |_| false), expected);
    }
}
