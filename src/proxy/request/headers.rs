//! Which headers cross the gateway (RFC 9110 section 7.6), and how a body's end is told in them.

mod client_facts;
mod forwarded;
mod forwarded_field;

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};

use crate::proxy::limits::MAX_REQUEST_ID_BYTES;

pub(in crate::proxy) use client_facts::{ClientFacts, ClientHop};
pub(in crate::proxy) use forwarded::forwarded_for;

/// The header that carries the reason of the gateway's own answers, and of no other.
pub(super) const REASON_HEADER: HeaderName = HeaderName::from_static("x-steadygate-reason");

/// The gateway's name: in `Via`, and in `Server` where a member gives none.
const PRODUCT: &str = "steadygate";

/// The header that names a request in every log where it leaves a trace.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The `Upgrade` of a WebSocket handshake.
pub(in crate::proxy) const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Fields that frame a message, route it, say who asks, or say how it is to be read or kept: none of them may be in trailers (RFC
/// 9110 section 6.5.1).
const NOT_IN_TRAILERS: [HeaderName; 35] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::EXPECT,
    header::EXPIRES,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::LOCATION,
    header::MAX_FORWARDS,
    header::PRAGMA,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::RETRY_AFTER,
    header::SERVER,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::VARY,
    header::VIA,
    header::WARNING,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("proxy"),
    REASON_HEADER,
    REQUEST_ID,
];

macro_rules! hop_by_hop {
    ($($name:literal),+ $(,)?) => {
        /// The hop-by-hop headers by name (RFC 9110 section 7.6.1), but for `Connection`, which names others.
        const HOP_BY_HOP: [HeaderName; [$($name),+].len()] = [$(HeaderName::from_static($name)),+];

        /// Whether a header is hop-by-hop by its own name.
        fn is_hop_by_hop(name: &str) -> bool {
            matches!(name, "connection" $(| $name)+)
        }
    };
}

hop_by_hop!("keep-alive", "proxy-connection", "http2-settings", "transfer-encoding", "upgrade");

/// A backend's answer has a `Transfer-Encoding` other than chunked.
#[derive(Debug)]
pub(in crate::proxy) struct UnknownCoding;

/// Marks an answer whose `Server` has been removed by a rule.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct ServerRemoved;

/// The kinds of headers in a request, found in one pass over the names: each look-up in the map has its price.
#[derive(Debug, Default)]
struct HeaderKinds {
    hop_by_hop: bool,
    cookie: bool,
    /// Headers that say who the client is.
    client_claims: bool,
    /// `TE`, `Proxy` or `X-Steadygate-Reason`.
    rare: bool,
}

/// The number of gateways like this one that a request has come through, by its `Via` (RFC 9110 section 7.6.3). All have one name:
/// a loop may lead through every replica, and through other installations.
pub(in crate::proxy) fn own_hops(headers: &HeaderMap) -> usize {
    let hops = headers.get_all(header::VIA).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let by = |hop: &[u8]| {
        let mut words = hop.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.nth(1).is_some_and(|name| name.eq_ignore_ascii_case(PRODUCT.as_bytes()))
    };
    hops.filter(|hop| by(hop)).count()
}

/// Turns a client's headers into those that the backend gets. The headers of an upgrade are left to the caller. `TE: trailers`
/// stays, because it says what the client can take. `authority` is host and port as the client wrote them, and `version` that of
/// its request.
pub(in crate::proxy) fn prepare_request(
    headers: &mut HeaderMap,
    hop: &ClientHop,
    client: &ClientFacts,
    authority: &HeaderValue,
    version: Version,
) {
    let kinds = HeaderKinds::of(headers);
    let trailers = kinds.rare && takes_trailers(headers);
    if kinds.hop_by_hop {
        remove_hop_by_hop(headers);
    }
    if kinds.rare {
        headers.remove(header::TE);
        // CGI programs take it for a setting of their own (httpoxy).
        headers.remove("proxy");
        headers.remove(REASON_HEADER);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("TE"));
    }
    if kinds.cookie {
        join(headers, header::COOKIE, b"; ");
    }
    if kinds.client_claims && !hop.is_trusted() {
        forwarded::remove_claims(headers);
    }
    forwarded::add(headers, hop, client, authority);
    let via = match version {
        Version::HTTP_2 => "2.0 steadygate",
        Version::HTTP_10 => "1.0 steadygate",
        _ => "1.1 steadygate",
    };
    headers.append(header::VIA, HeaderValue::from_static(via));
    let mut ids = headers.get_all(REQUEST_ID).iter();
    let usable = |id: &HeaderValue| id.len() <= MAX_REQUEST_ID_BYTES && id.to_str().is_ok() && !id.is_empty();
    if !ids.next().is_some_and(usable) || ids.next().is_some() {
        headers.insert(REQUEST_ID, new_id());
    }
}

/// Turns a backend's headers into those that the client gets. An answer to `HEAD`, and one with a status that has no body, says
/// nothing of a body's end but how long it would be (RFC 9110 sections 8.6 and 9.3.2).
///
/// # Errors
/// The body has a transfer coding that the gateway does not undo.
pub(in crate::proxy) fn prepare_response(
    headers: &mut HeaderMap,
    status: StatusCode,
    to_head: bool,
) -> Result<(), UnknownCoding> {
    if has_no_length(status) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let (mut hop_by_hop, mut forged) = (false, false);
    for name in headers.keys() {
        match name.as_str() {
            "x-steadygate-reason" => forged = true,
            text => hop_by_hop |= is_hop_by_hop(text),
        }
    }
    if forged {
        headers.remove(REASON_HEADER);
    }
    if !hop_by_hop {
        return Ok(());
    }
    let bodiless = to_head || has_no_length(status) || status == StatusCode::NOT_MODIFIED;
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if !bodiless && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Err(UnknownCoding);
        }
        // It means nothing where the body is chunked (RFC 9112 section 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    remove_hop_by_hop(headers);
    Ok(())
}

/// Whether an answer with this status has neither a body nor a length (RFC 9110 section 8.6).
fn has_no_length(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT
}

/// Says in an answer who has made it, if it does not say so, unless a rule has removed that.
pub(in crate::proxy) fn add_server<B>(answer: &mut Response<B>) {
    if answer.extensions().get::<ServerRemoved>().is_none() {
        answer.headers_mut().entry(header::SERVER).or_insert(HeaderValue::from_static(PRODUCT));
    }
}

/// Removes from trailers, of a client or a member, the fields that only a header may have.
pub(in crate::proxy) fn prepare_trailers(trailers: &mut HeaderMap) {
    remove_hop_by_hop(trailers);
    for name in NOT_IN_TRAILERS {
        trailers.remove(name);
    }
    forwarded::remove_claims(trailers);
}

/// Adds how the body's end is told, where the client's headers leave it open. The client's own framing has been removed.
pub(in crate::proxy) fn add_framing(headers: &mut HeaderMap, method: &Method, has_body: bool) {
    if headers.contains_key(header::CONTENT_LENGTH) {
        return;
    }
    if has_body {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    } else if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

/// Adds the headers of an upgrade to `protocols`, or of its answer (RFC 9110 section 7.8).
pub(in crate::proxy) fn add_upgrade(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocols);
}

impl HeaderKinds {
    fn of(headers: &HeaderMap) -> Self {
        let mut kinds = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "cookie" => kinds.cookie = true,
                "te" | "proxy" | "x-steadygate-reason" => kinds.rare = true,
                text if is_hop_by_hop(text) => kinds.hop_by_hop = true,
                text => kinds.client_claims |= forwarded::is_claim(text),
            }
        }
        kinds
    }
}

/// Whether the client can take trailers.
fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TE).iter().flat_map(|te| te.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// A request id: 32 random hex digits.
fn new_id() -> HeaderValue {
    let mut id = [0; 32];
    for (digits, byte) in id.chunks_exact_mut(2).zip(fastrand::u128(..).to_be_bytes()) {
        digits.copy_from_slice(&[byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    HeaderValue::from_bytes(&id).expect("hex digits")
}

/// Removes the hop-by-hop headers: those of [`HOP_BY_HOP`], `Connection`, and the headers that `Connection` names.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Entry::Occupied(entry) = headers.entry(header::CONNECTION) {
        let (_, values) = entry.remove_entry_mult();
        let values: Vec<HeaderValue> = values.collect();
        let names: Vec<HeaderName> = values
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
            // Nearly every `Connection` names these, and they are removed below.
            .filter(|name| !name.eq_ignore_ascii_case(b"keep-alive") && !name.eq_ignore_ascii_case(b"upgrade"))
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .collect();
        for name in names {
            // They say where the message ends and whom it is for; nobody may have them removed.
            if name != header::CONTENT_LENGTH && name != header::HOST {
                headers.remove(name);
            }
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes from an answer what HTTP/2 has no place for (RFC 9113 section 8.2.2).
pub(in crate::proxy) fn remove_connection_headers(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(header::TE);
}

/// Joins the values of a header to one. HTTP/2 may split a cookie into crumbs, which HTTP/1.1 does not know (RFC 9113 section
/// 8.2.3).
fn join(headers: &mut HeaderMap, name: HeaderName, separator: &[u8]) {
    if headers.get_all(&name).iter().nth(1).is_none() {
        return;
    }
    if let Some(joined) = joined(headers, &name, separator) {
        headers.insert(name, joined);
    }
}

/// The values of a header, joined to one (RFC 9110 section 5.2). `None`: there is none.
pub(in crate::proxy) fn joined(headers: &HeaderMap, name: &HeaderName, separator: &[u8]) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_none() {
        return Some(first.clone());
    }
    let parts: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&parts.join(separator)).ok()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    pub(super) fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    fn hop(trusted: bool, tls: bool) -> ClientHop {
        ClientHop::new(IpAddr::from([192, 0, 2, 7]), trusted, tls, if tls { 443 } else { 80 })
    }

    /// Prepares a request of 192.0.2.7 to port 443 or 80, behind the proxy 192.0.2.1 if it comes from there.
    pub(super) fn request(headers: &mut HeaderMap, trusted: bool, tls: bool) {
        let hop = hop(trusted, tls);
        let proxies = [[192, 0, 2, 7], [192, 0, 2, 1]].map(IpAddr::from);
        let client = ClientFacts::read(&hop, headers, |peer| proxies.contains(&peer));
        let authority = HeaderValue::from_static("a.example:8443");
        prepare_request(headers, &hop, &client, &authority, Version::HTTP_11);
        assert_eq!(headers.remove(header::VIA).expect("a hop"), "1.1 steadygate");
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
    fn an_answer_is_framed_in_one_way() {
        let prepared = |lines: &[_], status: u16, to_head| {
            let mut map = headers(lines);
            let status = StatusCode::from_u16(status).expect("a status");
            prepare_response(&mut map, status, to_head).map(|()| map).ok()
        };
        let (length, chunked) = (("content-length", "5"), ("transfer-encoding", "chunked"));
        let both = [length, chunked];
        assert_eq!(prepared(&both, 200, false), Some(HeaderMap::new()));
        assert_eq!(prepared(&[("transfer-encoding", "gzip, chunked")], 200, false), None);
        // What has no body has no framing; it may say how long the body would have been.
        for (status, to_head) in [(200, true), (304, false)] {
            assert_eq!(prepared(&[length], status, to_head), Some(headers(&[length])), "{status}");
            assert_eq!(prepared(&[("transfer-encoding", "gzip")], status, to_head), Some(HeaderMap::new()), "{status}");
        }
        assert_eq!(prepared(&both, 204, false), Some(HeaderMap::new()));
        assert_eq!(prepared(&[length], 204, false), Some(HeaderMap::new()));
    }

    #[test]
    fn the_reason_header_is_the_gateways_own() {
        let mut map = headers(&[("x-steadygate-reason", "NoEndpoints"), ("x-steadygate-reason", "b"), ("x-a", "1")]);
        assert!(prepare_response(&mut map, StatusCode::OK, false).is_ok());
        assert_eq!(map.keys().collect::<Vec<_>>(), ["x-a"]);
        let mut map = headers(&[("x-steadygate-reason", "a")]);
        request(&mut map, true, true);
        assert!(!map.contains_key(REASON_HEADER));
    }

    #[test]
    fn the_gateways_own_hops_are_counted_among_others() {
        for (lines, expected) in [
            (&[][..], 0),
            (&[("via", "1.1 steadygate")], 1),
            (&[("via", "1.0 fred, 2.0 Steadygate ,1.1 steadygate (edge)"), ("via", "HTTP/1.1\tsteadygate")], 3),
            (&[("via", "1.1 steadygate2, steadygate, 1.1 x steadygate,, 1.1")], 0),
        ] {
            assert_eq!(own_hops(&headers(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn via_is_added_to() {
        for (version, via) in [(Version::HTTP_10, "1.0 steadygate"), (Version::HTTP_2, "2.0 steadygate")] {
            let (hop, mut map) = (hop(false, true), headers(&[("via", "1.1 fred")]));
            let client = ClientFacts::read(&hop, &map, |_| false);
            prepare_request(&mut map, &hop, &client, &HeaderValue::from_static("a"), version);
            assert_eq!(map.get_all("via").iter().collect::<Vec<_>>(), ["1.1 fred", via]);
        }
    }

    #[test]
    fn trailers_say_nothing_that_only_a_header_may() {
        let mut map = headers(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("host", "b"),
            ("content-type", "a/b"),
            ("set-cookie", "a=1"),
            ("connection", "x-secret"),
            ("x-secret", "1"),
            ("upgrade", "h2c"),
            ("x-steadygate-reason", "NoRoute"),
            ("grpc-status", "0"),
        ]);
        prepare_trailers(&mut map);
        assert_eq!(map.keys().collect::<Vec<_>>(), ["grpc-status"]);
    }

    #[test]
    fn cookie_crumbs_become_one_header() {
        let mut map = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
        request(&mut map, false, true);
        assert_eq!(map.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
    #[test]
    fn a_request_has_one_id() {
        let mut map = headers(&[("x-request-id", "a"), ("x-request-id", "b")]);
        request(&mut map, false, true);
        let ids: Vec<_> = map.get_all(REQUEST_ID).iter().map(HeaderValue::len).collect();
        assert_eq!(ids, [32]);
    }

    #[test]
    fn a_long_request_id_is_replaced() {
        for (length, stays) in [(MAX_REQUEST_ID_BYTES, true), (MAX_REQUEST_ID_BYTES + 1, false)] {
            let mut map = HeaderMap::new();
            map.insert(REQUEST_ID, HeaderValue::from_str(&"a".repeat(length)).expect("a value"));
            request(&mut map, false, true);
            assert_eq!(map[REQUEST_ID].len() == length, stays, "{length}");
        }
    }
}
