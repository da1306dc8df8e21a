//! Which headers cross the gateway (RFC 9110 section 7.6), and which it adds.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::Method;
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// Names a request through every log that it leaves a trace in.
pub(in crate::proxy) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where the requests of a connection come from.
pub(in crate::proxy) struct Hop {
    peer: HeaderValue,
    /// Whether what the peer says of earlier hops is believed.
    trusted: bool,
    proto: HeaderValue,
    /// The frontend port.
    port: HeaderValue,
}

impl Hop {
    pub(in crate::proxy) fn new(peer: IpAddr, trusted: bool, tls: bool, port: u16) -> Self {
        Self {
            peer: HeaderValue::from_str(&peer.to_string()).expect("an address"),
            trusted,
            proto: HeaderValue::from_static(if tls { "https" } else { "http" }),
            port: HeaderValue::from(port),
        }
    }
}

/// Who asks: the peer, or where peers are trusted, the first in what they say of earlier hops that is not.
pub(in crate::proxy) fn client(headers: &HeaderMap, peer: IpAddr, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
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

/// A hop as proxies write it: IPv6 in brackets or not, some with the port that it came from.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    match hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')) {
        Some(bracketed) => bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => hop.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip())),
    }
}

/// Makes a client's headers those that the backend is to see; an upgrade's own are left to the caller. `TE: trailers`
/// stays, for it says what the client can take. `authority`: host and port as the client wrote them.
pub(in crate::proxy) fn request(headers: &mut HeaderMap, hop: &Hop, authority: &HeaderValue) {
    let seen = Seen::of(headers);
    let trailers = seen.rare && takes_trailers(headers);
    if seen.hop_by_hop {
        hop_by_hop(headers);
    }
    if seen.rare {
        headers.remove(header::TE);
        // Programs started by CGI take it for their own setting (httpoxy).
        headers.remove("proxy");
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("TE"));
    }
    if seen.cookie {
        join(headers, header::COOKIE, b"; ");
    }
    if seen.claims && !hop.trusted {
        drop_claims(headers);
    }
    forwarded(headers, hop, authority);
    let usable = |id: &HeaderValue| id.len() <= 128 && id.to_str().is_ok() && !id.is_empty();
    if !headers.get(REQUEST_ID).is_some_and(usable) {
        headers.insert(REQUEST_ID, new_id());
    }
}

/// What is among the names of a request's headers, which are looked through once: each look-up has its price.
#[derive(Debug, Default)]
struct Seen {
    hop_by_hop: bool,
    cookie: bool,
    claims: bool,
    rare: bool,
}

impl Seen {
    fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "cookie" => seen.cookie = true,
                "te" | "proxy" => seen.rare = true,
                text if is_hop_by_hop(text) => seen.hop_by_hop = true,
                text => seen.claims |= is_claim(text),
            }
        }
        seen
    }
}

/// Whether the client says that it can take trailers.
fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TE).iter().flat_map(|te| te.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// 32 hex digits.
fn new_id() -> HeaderValue {
    let mut id = [0; 32];
    for (digits, byte) in id.chunks_exact_mut(2).zip(fastrand::u128(..).to_be_bytes()) {
        digits.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    HeaderValue::from_bytes(&id).expect("hex digits")
}

/// Whether the client's own hop was over TLS, by what [`request`] has made of the headers: a trusted peer's word, else what
/// is seen.
pub(in crate::proxy) fn over_tls(headers: &HeaderMap) -> bool {
    let proto = headers.get(FORWARDED_PROTO).map(|proto| proto.as_bytes().trim_ascii());
    proto.is_some_and(|proto| [&b"https"[..], b"wss"].iter().any(|tls| proto.eq_ignore_ascii_case(tls)))
}

/// Says how the body's end is told, where the method or the version leaves it open. What the client's own framing was
/// has been removed.
pub(in crate::proxy) fn frame(headers: &mut HeaderMap, method: &Method, has_body: bool) {
    if headers.contains_key(header::CONTENT_LENGTH) {
        return;
    }
    if has_body {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    } else if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

/// Makes a backend's headers those that the client is to see.
///
/// # Errors
/// The body is coded in a way that is not undone here.
pub(in crate::proxy) fn response(headers: &mut HeaderMap) -> Result<(), UnknownCoding> {
    if !headers.keys().any(|name| is_hop_by_hop(name.as_str())) {
        return Ok(());
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(UnknownCoding);
        }
        // It says nothing where the body is chunked (RFC 9112 section 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    hop_by_hop(headers);
    Ok(())
}

/// A `Transfer-Encoding` other than chunked.
#[derive(Debug)]
pub(in crate::proxy) struct UnknownCoding;

/// What frames a message, routes it, says who asks, or how it is to be read (RFC 9110 section 6.5.1).
const ONLY_IN_HEADERS: [HeaderName; 14] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::MAX_FORWARDS,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    REQUEST_ID,
];

/// Drops from a client's trailers what only the header may say.
pub(in crate::proxy) fn trailers(trailers: &mut HeaderMap) {
    hop_by_hop(trailers);
    for name in ONLY_IN_HEADERS {
        trailers.remove(name);
    }
    drop_claims(trailers);
}

/// Removes the headers that are about one connection alone: the known ones, and those that `Connection` names.
fn hop_by_hop(headers: &mut HeaderMap) {
    if let Entry::Occupied(entry) = headers.entry(header::CONNECTION) {
        let (_, values) = entry.remove_entry_mult();
        let values: Vec<HeaderValue> = values.collect();
        let names: Vec<HeaderName> = values
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
            // Removed below, as it nearly always is.
            .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive") && !name.eq_ignore_ascii_case(b"upgrade"))
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .collect();
        for name in names {
            // These say where the message ends and whom it is for; nobody may make them go away.
            if name != header::CONTENT_LENGTH && name != header::HOST {
                headers.remove(name);
            }
        }
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS, header::TRANSFER_ENCODING, header::UPGRADE] {
        headers.remove(name);
    }
}

/// Whether a header is one of those, by its own name.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "http2-settings" | "transfer-encoding" | "upgrade"
    )
}

/// Makes one header of several. HTTP/2 may split a cookie into crumbs, which HTTP/1.1 does not know (RFC 9113 section 8.2.3).
fn join(headers: &mut HeaderMap, name: HeaderName, separator: &[u8]) {
    if headers.get_all(&name).iter().nth(1).is_none() {
        return;
    }
    let parts: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&parts.join(separator)) {
        headers.insert(name, joined);
    }
}

/// Drops what says who the client is, in every spelling that a backend might take for it.
fn drop_claims(headers: &mut HeaderMap) {
    let claimed: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claimed {
        headers.remove(name);
    }
}

/// Whether a header says who the client is. Nearly all names are told apart by their first letter.
fn is_claim(name: &str) -> bool {
    let name = name.as_bytes();
    let same = |byte: u8, other: u8| byte == other || (byte == b'_' && other == b'-');
    let starts =
        |start: &[u8]| name.len() >= start.len() && name.iter().zip(start).all(|(byte, other)| same(*byte, *other));
    name == b"forwarded" || starts(b"x-forwarded-") || (name.len() == 9 && starts(b"x-real-ip"))
}

/// Says who the client is. What an untrusted peer claims of it has been dropped.
fn forwarded(headers: &mut HeaderMap, hop: &Hop, authority: &HeaderValue) {
    let Hop { peer, trusted, proto, port } = hop;
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
        // What a trusted peer has said once stands.
        let stands = *trusted && headers.get_all(&name).iter().count() == 1;
        if !stands && (*trusted || !value.is_empty()) {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    fn hop(trusted: bool, tls: bool) -> Hop {
        Hop::new(IpAddr::from([192, 0, 2, 7]), trusted, tls, 443)
    }

    fn request(headers: &mut HeaderMap, trusted: bool, tls: bool) {
        super::request(headers, &hop(trusted, tls), &HeaderValue::from_static("a.example:8443"));
    }

    #[test]
    fn the_client_is_the_first_hop_from_the_right_that_is_not_trusted() {
        let client_of = |lines: &[&[u8]]| {
            let mut map = HeaderMap::new();
            for line in lines {
                map.append(FORWARDED_FOR, HeaderValue::from_bytes(line).expect("a value"));
            }
            let trusts = |peer: IpAddr| matches!(peer, IpAddr::V4(peer) if peer.octets()[0] == 10);
            client(&map, IpAddr::from([10, 0, 0, 1]), trusts).to_string()
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
    fn what_is_about_one_connection_stays_there() {
        let mut map = headers(&[
            ("connection", "close, X-Secret, content-length, host"),
            ("x-secret", "1"),
            ("content-length", "3"),
            ("host", "a"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers, gzip"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("trailer", "x-sum"),
        ]);
        request(&mut map, false, true);
        for gone in ["x-secret", "keep-alive", "proxy-connection", "upgrade", "http2-settings"] {
            assert!(!map.contains_key(gone), "{gone}");
        }
        assert_eq!(
            (&map["te"], &map["connection"]),
            (&HeaderValue::from_static("trailers"), &HeaderValue::from_static("TE"))
        );
        for kept in ["content-length", "host", "trailer"] {
            assert!(map.contains_key(kept), "{kept}");
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
            assert_eq!(over_tls(&map), expected, "{said:?} {trusted} {tls}");
        }
    }

    #[test]
    fn an_answer_is_framed_in_one_way() {
        let mut both = headers(&[("content-length", "5"), ("transfer-encoding", "chunked")]);
        assert!(response(&mut both).is_ok() && both.is_empty());
        assert!(response(&mut headers(&[("transfer-encoding", "gzip, chunked")])).is_err());
    }

    #[test]
    fn trailers_say_nothing_that_only_a_header_may() {
        let mut map =
            headers(&[("x-forwarded-for", "1.1.1.1"), ("host", "b"), ("content-type", "a/b"), ("grpc-status", "0")]);
        trailers(&mut map);
        assert_eq!(map.keys().collect::<Vec<_>>(), ["grpc-status"]);
    }

    #[test]
    fn cookie_crumbs_become_one_header() {
        let mut map = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
        request(&mut map, false, true);
        assert_eq!(map.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
