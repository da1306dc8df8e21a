//! Which headers cross the gateway (RFC 9110 section 7.6), and which it adds.

use std::net::IpAddr;

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
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where a request came hop.
pub(super) struct Hop<'a> {
    pub(super) peer: IpAddr,
    /// Whether what the peer says of earlier hops is believed.
    pub(super) trusted: bool,
    pub(super) tls: bool,
    /// Host and port as the client wrote them.
    pub(super) authority: &'a str,
    /// The frontend port.
    pub(super) port: u16,
}

/// Makes a client's headers those that the backend is to see; an upgrade's own are left to the caller. `TE: trailers`
/// stays, for it says what the client can take.
pub(super) fn request(headers: &mut HeaderMap, hop: &Hop<'_>) {
    let trailers = headers.get(header::TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    hop_by_hop(headers);
    headers.remove(header::TE);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    join_cookies(headers);
    forwarded(headers, hop);
    let usable = |id: &HeaderValue| id.len() <= 128 && id.to_str().is_ok() && !id.is_empty();
    if !headers.get(REQUEST_ID).is_some_and(usable) {
        let id = format!("{:032x}", fastrand::u128(..));
        headers.insert(REQUEST_ID, HeaderValue::from_str(&id).expect("hex digits"));
    }
}

/// Makes a backend's headers those that the client is to see.
pub(super) fn response(headers: &mut HeaderMap) {
    hop_by_hop(headers);
}

/// Removes the headers that are about one connection alone: the known ones, and those that `Connection` names.
fn hop_by_hop(headers: &mut HeaderMap) {
    if let Entry::Occupied(entry) = headers.entry(header::CONNECTION) {
        let (_, values) = entry.remove_entry_mult();
        let names: Vec<HeaderName> = values
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .flat_map(|value| value.split(',').filter_map(|name| name.trim().parse().ok()).collect::<Vec<_>>())
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

/// HTTP/2 may split a cookie into crumbs; HTTP/1.1 knows only one header (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Says who the client is. What an untrusted peer claims of it is dropped, in every spelling that a backend might
/// take for it.
fn forwarded(headers: &mut HeaderMap, hop: &Hop<'_>) {
    let earlier = if hop.trusted { headers.get(FORWARDED_FOR).cloned() } else { None };
    if !hop.trusted {
        let claims = |name: &HeaderName| {
            let name = name.as_str();
            let spelt = |wanted: &str| name.len() == wanted.len() && name.replace('_', "-") == wanted;
            name == "forwarded" || spelt("x-real-ip") || name.replace('_', "-").starts_with("x-forwarded-")
        };
        let claimed: Vec<HeaderName> = headers.keys().filter(|name| claims(name)).cloned().collect();
        for name in claimed {
            headers.remove(name);
        }
    }
    let peer = hop.peer.to_string();
    let chain = match earlier.as_ref().and_then(|earlier| earlier.to_str().ok()) {
        Some(earlier) => format!("{earlier}, {peer}"),
        None => peer.clone(),
    };
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(FORWARDED_FOR, &chain);
    if hop.trusted {
        return keep_or_set(headers, hop, &peer);
    }
    set(REAL_IP, &peer);
    set(FORWARDED_PROTO, if hop.tls { "https" } else { "http" });
    set(FORWARDED_PORT, &hop.port.to_string());
    if !hop.authority.is_empty() {
        set(FORWARDED_HOST, hop.authority);
    }
}

/// What a trusted peer has said stands; the rest is set.
fn keep_or_set(headers: &mut HeaderMap, hop: &Hop<'_>, peer: &str) {
    let port = hop.port.to_string();
    let proto = if hop.tls { "https" } else { "http" };
    let values =
        [(REAL_IP, peer), (FORWARDED_PROTO, proto), (FORWARDED_PORT, port.as_str()), (FORWARDED_HOST, hop.authority)];
    for (name, value) in values {
        if let (Entry::Vacant(vacant), Ok(value)) = (headers.entry(name), HeaderValue::from_str(value)) {
            vacant.insert(value);
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

    fn hop(trusted: bool) -> Hop<'static> {
        Hop { peer: IpAddr::from([192, 0, 2, 7]), trusted, tls: true, authority: "a.example:8443", port: 443 }
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
        request(&mut map, &hop(false));
        for gone in ["connection", "x-secret", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings"] {
            assert!(!map.contains_key(gone), "{gone}");
        }
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
        request(&mut map, &hop(false));
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
        request(&mut map, &hop(true));
        assert_eq!(map["x-forwarded-for"], "1.1.1.1, 192.0.2.7");
        assert_eq!(map["x-forwarded-proto"], "http");
        assert_eq!(map["x-request-id"], "abc");
    }

    #[test]
    fn cookie_crumbs_become_one_header() {
        let mut map = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
        request(&mut map, &hop(false));
        assert_eq!(map.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
