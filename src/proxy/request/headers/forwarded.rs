//! What backends are told of the client: `X-Forwarded-*`, `X-Real-IP`, and `Forwarded` where a trusted peer sent it.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::client_facts::{
    self, ClientFacts, ClientHop, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PROTO, REAL_IP,
};
use super::joined;

/// Adds the headers that say who the client is. The claims of a peer that is not trusted have been removed; what a trusted peer
/// has said stays, as far as it is said once and can be read.
pub(super) fn add(headers: &mut HeaderMap, hop: &ClientHop, client: &ClientFacts, authority: &HeaderValue) {
    add_chain(headers, hop, client);
    let trusted = hop.is_trusted();
    let stands = |headers: &HeaderMap, name: &HeaderName, is_valid: fn(&[u8]) -> bool| {
        let mut lines = headers.get_all(name).iter();
        trusted && lines.next().is_some_and(|line| is_valid(line.as_bytes())) && lines.next().is_none()
    };
    if !stands(headers, &REAL_IP, |value| client_facts::address(value).is_some()) {
        let address = if client.address == hop.address { hop.peer.clone() } else { address(client.address) };
        headers.insert(REAL_IP, address);
    }
    if !stands(headers, &FORWARDED_PROTO, |value| client_facts::scheme(value).is_some()) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if client.tls { "https" } else { "http" }));
    }
    let port = if client.port == hop.port { hop.port_text.clone() } else { HeaderValue::from(client.port) };
    headers.insert(FORWARDED_PORT, port);
    match client.authority.as_ref().unwrap_or(authority) {
        host if host.is_empty() => headers.remove(FORWARDED_HOST),
        host => headers.insert(FORWARDED_HOST, host.clone()),
    };
}

/// The `X-Forwarded-For` of a request that has these headers of its client: the peer, behind the hops that a trusted peer has noted.
pub(in crate::proxy) fn forwarded_for(headers: &HeaderMap, hop: &ClientHop, client: &ClientFacts) -> HeaderValue {
    if !hop.is_trusted() {
        return hop.peer.clone();
    }
    let noted = joined(headers, &FORWARDED_FOR, b", ").filter(|noted| noted.to_str().is_ok());
    // Who was named in another way is the first of the chain.
    let earlier = noted.or_else(|| (client.address != hop.address).then(|| address(client.address)));
    let chain = earlier
        .and_then(|earlier| HeaderValue::from_bytes(&[earlier.as_bytes(), b", ", hop.peer.as_bytes()].concat()).ok());
    chain.unwrap_or_else(|| hop.peer.clone())
}

/// Adds the peer to the hops before it: to `X-Forwarded-For`, and to `Forwarded` if there is one.
fn add_chain(headers: &mut HeaderMap, hop: &ClientHop, client: &ClientFacts) {
    let chain = forwarded_for(headers, hop, client);
    headers.insert(FORWARDED_FOR, chain);
    if !hop.is_trusted() {
        return;
    }
    if headers.contains_key(header::FORWARDED) {
        let node = match hop.address {
            IpAddr::V4(address) => format!("for={address}"),
            IpAddr::V6(address) => format!("for=\"[{address}]\""),
        };
        headers.append(header::FORWARDED, HeaderValue::from_str(&node).expect("an address"));
    }
}

fn address(address: IpAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string()).expect("an address")
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
    let is = |whole: &[u8]| name.len() == whole.len() && starts(whole);
    name == b"forwarded" || starts(b"x-forwarded-") || is(b"x-real-ip") || is(b"front-end-https")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{headers, request};

    #[test]
    fn claims_of_a_stranger_are_replaced_in_every_spelling() {
        let mut map = headers(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-prefix", "/admin"),
            ("x_forwarded_for", "1.1.1.1"),
            ("x_real-ip", "1.1.1.1"),
            ("forwarded", "for=1.1.1.1"),
            ("front_end-https", "on"),
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
        assert_eq!(map["x-real-ip"], "1.1.1.1");
        assert_eq!(map["x-forwarded-proto"], "http");
        assert_eq!(map["x-forwarded-port"], "80");
        assert_eq!(map["x-request-id"], "abc");
    }

    #[test]
    fn backends_are_told_what_the_gateway_itself_goes_by() {
        for (lines, expected) in [
            (
                &[("forwarded", "for=\"[2001:db8::7]:4711\";proto=https;host=b.example")][..],
                ["2001:db8::7, 192.0.2.7", "2001:db8::7", "https", "443", "b.example"],
            ),
            (
                &[("x-real-ip", "198.51.100.9")],
                ["198.51.100.9, 192.0.2.7", "198.51.100.9", "http", "80", "a.example:8443"],
            ),
            // What a trusted peer says stands, as far as it can be read.
            (
                &[("x-forwarded-for", "198.51.100.9"), ("x-real-ip", "198.51.100.8"), ("x-forwarded-proto", "WSS")],
                ["198.51.100.9, 192.0.2.7", "198.51.100.8", "WSS", "8443", "a.example:8443"],
            ),
            (
                &[
                    ("x-forwarded-for", "nobody"),
                    ("x-real-ip", "nobody"),
                    ("x-forwarded-proto", "gopher"),
                    ("x-forwarded-port", "-1"),
                    ("x-forwarded-host", "b.example:x"),
                ],
                ["nobody, 192.0.2.7", "192.0.2.7", "http", "80", "a.example:8443"],
            ),
            (
                &[
                    ("x-forwarded-for", "198.51.100.9, 192.0.2.1"),
                    ("x-forwarded-proto", "https, http"),
                    ("x-forwarded-port", "443, 80"),
                    ("x-forwarded-host", "b.example, inner.example"),
                ],
                ["198.51.100.9, 192.0.2.1, 192.0.2.7", "198.51.100.9", "https", "443", "b.example"],
            ),
        ] {
            let mut map = headers(&[&[("host", "a.example:8443")], lines].concat());
            request(&mut map, true, false);
            let names = ["x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-host"];
            let seen = names.map(|name| map[name].to_str().expect("text"));
            assert_eq!(seen, expected, "{lines:?}");
        }
    }

    #[test]
    fn forwarded_is_added_to_where_a_trusted_peer_sends_it() {
        let mut map = headers(&[("forwarded", "for=198.51.100.9")]);
        request(&mut map, true, false);
        assert_eq!(map.get_all("forwarded").iter().collect::<Vec<_>>(), ["for=198.51.100.9", "for=192.0.2.7"]);
    }
}
