//! Who the client is: what earlier proxies claim of it, and what backends are told (`X-Forwarded-*`, `X-Real-IP`).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::join;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The hop from the client to the gateway, as backends are told of it.
pub(in crate::proxy) struct ClientHop {
    /// The peer's address.
    peer: HeaderValue,
    /// Whether the peer's claims about earlier hops are believed.
    trusted: bool,
    /// `http` or `https`.
    proto: HeaderValue,
    /// The frontend port.
    port: HeaderValue,
}

impl ClientHop {
    /// The hop of a connection from `peer` to the frontend port `port`.
    pub(in crate::proxy) fn new(peer: IpAddr, trusted: bool, tls: bool, port: u16) -> Self {
        Self {
            peer: HeaderValue::from_str(&peer.to_string()).expect("an address"),
            trusted,
            proto: HeaderValue::from_static(if tls { "https" } else { "http" }),
            port: HeaderValue::from(port),
        }
    }

    /// Whether the peer's claims about earlier hops are believed.
    pub(in crate::proxy) fn is_trusted(&self) -> bool {
        self.trusted
    }
}

/// The client's address: the peer's, or, where peers are trusted, the first in `X-Forwarded-For` from the right that is not
/// trusted.
pub(in crate::proxy) fn client_address(headers: &HeaderMap, peer: IpAddr, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    let lines: Vec<&HeaderValue> = headers.get_all(FORWARDED_FOR).iter().collect();
    let hops = lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut client = peer;
    for hop in hops {
        if !trusts(client) {
            break;
        }
        let Some(hop) = address(hop) else { break };
        client = hop.to_canonical();
    }
    client
}

/// The address of a hop as proxies write it: IPv6 in brackets or not, some with the port that it came from.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    match hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')) {
        Some(bracketed) => bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => hop.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip())),
    }
}

/// Whether the client's own hop was over TLS, by the headers that [`prepare_request`](super::prepare_request) has made: by the
/// word of a trusted peer, else by the connection.
pub(in crate::proxy) fn is_over_tls(headers: &HeaderMap) -> bool {
    let proto = headers.get(FORWARDED_PROTO).map(|proto| proto.as_bytes().trim_ascii());
    proto.is_some_and(|proto| [&b"https"[..], b"wss"].iter().any(|tls| proto.eq_ignore_ascii_case(tls)))
}

/// Adds the headers that say who the client is. The claims of a peer that is not trusted have been removed.
pub(super) fn add(headers: &mut HeaderMap, hop: &ClientHop, authority: &HeaderValue) {
    let ClientHop { peer, trusted, proto, port } = hop;
    if *trusted {
        join(headers, FORWARDED_FOR, b", ");
    }
    let earlier = if *trusted { headers.get(FORWARDED_FOR) } else { None };
    let earlier = earlier.filter(|earlier| earlier.to_str().is_ok()).map(HeaderValue::as_bytes);
    let chain = earlier.and_then(|earlier| HeaderValue::from_bytes(&[earlier, b", ", peer.as_bytes()].concat()).ok());
    headers.insert(FORWARDED_FOR, chain.unwrap_or_else(|| peer.clone()));
    for (name, value) in
        [(REAL_IP, peer), (FORWARDED_PROTO, proto), (FORWARDED_PORT, port), (FORWARDED_HOST, authority)]
    {
        // A trusted peer's claim stays, if there is exactly one.
        let stands = *trusted && headers.get_all(&name).iter().count() == 1;
        if !stands && (*trusted || !value.is_empty()) {
            headers.insert(name, value.clone());
        }
    }
}

/// Removes the headers that say who the client is, in every spelling that a backend might take for them.
pub(super) fn remove_claims(headers: &mut HeaderMap) {
    let claimed: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claimed {
        headers.remove(name);
    }
}

/// Whether a header says who the client is. The first letter tells nearly all other names apart.
pub(super) fn is_claim(name: &str) -> bool {
    let name = name.as_bytes();
    let same = |byte: u8, other: u8| byte == other || (byte == b'_' && other == b'-');
    let starts =
        |start: &[u8]| name.len() >= start.len() && name.iter().zip(start).all(|(byte, other)| same(*byte, *other));
    name == b"forwarded" || starts(b"x-forwarded-") || (name.len() == 9 && starts(b"x-real-ip"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{headers, request};
    use super::*;

    #[test]
    fn the_client_is_the_first_hop_from_the_right_that_is_not_trusted() {
        let client_of = |lines: &[&[u8]]| {
            let mut map = HeaderMap::new();
            for line in lines {
                map.append(FORWARDED_FOR, HeaderValue::from_bytes(line).expect("a value"));
            }
            let trusts = |peer: IpAddr| matches!(peer, IpAddr::V4(peer) if peer.octets()[0] == 10);
            client_address(&map, IpAddr::from([10, 0, 0, 1]), trusts).to_string()
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
    fn claims_of_a_stranger_are_replaced_in_every_spelling() {
        let mut map = headers(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-prefix", "/admin"),
            ("x_forwarded_for", "1.1.1.1"),
            ("x_real-ip", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1"),
        ]);
        request(&mut map, false, true);
        assert_eq!(map["x-forwarded-for"], "192.0.2.7");
        assert_eq!(map["x-real-ip"], "192.0.2.7");
        assert_eq!(map["x-forwarded-proto"], "https");
        assert_eq!(map["x-forwarded-host"], "a.example:8443");
        assert_eq!(map["x-forwarded-port"], "443");
        assert_eq!(map["x-request-id"].len(), 32);
        assert_eq!(map.len(), 6, "{map:?}");
    }

    #[test]
    fn a_trusted_peer_is_added_to() {
        let mut map =
            headers(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "http"), ("x-request-id", "abc")]);
        request(&mut map, true, true);
        assert_eq!(map["x-forwarded-for"], "1.1.1.1, 192.0.2.7");
        assert_eq!(map["x-forwarded-proto"], "http");
        assert_eq!(map["x-request-id"], "abc");
    }

    #[test]
    fn whether_the_client_came_over_tls_is_what_backends_are_told() {
        let cases: [(&[&str], bool, bool, bool); 9] = [
            // What is said of it, whether that is believed, what is seen.
            (&[], true, true, true),
            (&[], true, false, false),
            (&["https"], true, false, true),
            (&["WSS"], true, false, true),
            (&["http"], true, true, false),
            (&["https"], false, false, false),
            (&["http"], false, true, true),
            (&["https", "https"], true, false, false),
            (&["http", "http"], true, true, true),
        ];
        for (said, trusted, tls, expected) in cases {
            let mut map = HeaderMap::new();
            for said in said {
                map.append(FORWARDED_PROTO, HeaderValue::from_str(said).expect("a value"));
            }
            request(&mut map, trusted, tls);
            assert_eq!(is_over_tls(&map), expected, "{said:?} {trusted} {tls}");
        }
    }
}
