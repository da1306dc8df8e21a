//! The token that a request brings: in a header, or in the query where browsers open WebSocket sessions, to which they add no header.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};

use super::fault::TokenFault;
use crate::model::TokenPolicy;
use crate::proxy::limits::MAX_TOKEN_BYTES;
use crate::proxy::request::target::RequestTarget;

/// The scheme of RFC 6750.
const SCHEME: &str = "bearer";

/// A token as a client has sent it. It is never printed.
pub(super) struct Bearer(Box<str>);

/// The hash of a token, by which it is remembered.
pub(super) type TokenDigest = [u8; 32];

impl Bearer {
    fn new(text: &str) -> Result<Self, TokenFault> {
        match text.len() {
            0 => Err(TokenFault::Missing),
            1..=MAX_TOKEN_BYTES => Ok(Self(text.into())),
            _ => Err(TokenFault::TooLong),
        }
    }

    /// The text.
    pub(super) fn token(&self) -> &str {
        &self.0
    }

    /// The hash of the text.
    pub(super) fn digest(&self) -> TokenDigest {
        let digest = digest(&SHA256, self.0.as_bytes());
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redacted ({} bytes)", self.0.len())
    }
}

/// The token of a request. The parameter of the query that may bring one is removed, whether it is used or not: neither backends nor
/// redirects get it.
pub(super) fn take(
    policy: &TokenPolicy,
    headers: &HeaderMap,
    requested: &mut RequestTarget,
) -> Result<Bearer, TokenFault> {
    let from_query = policy.query_parameter.as_deref().and_then(|name| remove_parameter(&mut requested.uri, name));
    if from_query.is_some() {
        requested.raw = None;
    }
    match from_header(policy, headers) {
        Err(TokenFault::Missing) => from_query.unwrap_or(Err(TokenFault::Missing)),
        from_header => from_header,
    }
}

/// The token of the header. Credentials of another scheme, such as a password, are no token.
fn from_header(policy: &TokenPolicy, headers: &HeaderMap) -> Result<Bearer, TokenFault> {
    let mut values = headers.get_all(&policy.header).iter();
    let Some(value) = values.next() else { return Err(TokenFault::Missing) };
    if values.next().is_some() {
        return Err(TokenFault::Repeated);
    }
    let text = value.to_str().map_err(|_| TokenFault::Malformed)?.trim();
    match text.split_once(' ') {
        None if text.eq_ignore_ascii_case(SCHEME) => Err(TokenFault::Missing),
        None => Bearer::new(text),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => Bearer::new(token.trim_start()),
        Some(_) => Err(TokenFault::Missing),
    }
}

/// Removes a parameter from the query of a request. `None`: it has none of that name.
fn remove_parameter(uri: &mut Uri, name: &str) -> Option<Result<Bearer, TokenFault>> {
    let query = uri.query()?;
    let named = |pair: &&str| decoded(pair.split('=').next().unwrap_or_default()) == name;
    let mut found = query.split('&').filter(named);
    let first = found.next()?;
    let bearer = match found.next() {
        Some(_) => Err(TokenFault::Repeated),
        None => Bearer::new(&decoded(first.split_once('=').map_or("", |(_, value)| value))),
    };
    let rest: Vec<&str> = query.split('&').filter(|pair| !named(pair)).collect();
    let target = if rest.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), rest.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    // Less of a URI that was one is one. If it were not, the request would go out without a query rather than with a token.
    *uri = Uri::from_parts(parts).unwrap_or_else(|_| Uri::from_static("/"));
    Some(bearer)
}

/// A name or value of a query, as HTML forms write it (WHATWG URL, application/x-www-form-urlencoded).
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let hex = hex.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let escaped = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (byte, _) => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::proxy::policy::token::verify::tests::policy;

    fn taken(values: &[&str], uri: &str) -> (Result<String, TokenFault>, String) {
        let policy = TokenPolicy { query_parameter: Some("access_token".into()), ..policy() };
        let request = http::Request::get(uri).header("host", "a").body(()).expect("a request");
        let Ok(mut requested) = RequestTarget::read(&request.into_parts().0) else { panic!("refused") };
        let headers = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).expect("a value")));
        let taken = take(&policy, &headers.collect(), &mut requested).map(|bearer| bearer.token().to_owned());
        (taken, requested.uri.to_string())
    }

    fn header(values: &[&str]) -> Result<String, TokenFault> {
        taken(values, "/").0
    }

    #[test]
    fn a_header_brings_it_after_bearer_or_alone() {
        assert_eq!(header(&["Bearer a.b.c"]), Ok("a.b.c".to_owned()));
        assert_eq!(header(&["bearer   a.b.c "]), Ok("a.b.c".to_owned()));
        assert_eq!(header(&["a.b.c"]), Ok("a.b.c".to_owned()));
        for missing in [&[][..], &[""], &["Bearer"], &["Bearer "], &["Basic dTpw"]] {
            assert_eq!(header(missing), Err(TokenFault::Missing), "{missing:?}");
        }
        assert_eq!(header(&["Bearer a.b.c", "Bearer d.e.f"]), Err(TokenFault::Repeated));
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        assert_eq!(header(&[&long]), Err(TokenFault::TooLong));
        assert!(header(&[&long[..long.len() - 1]]).is_ok());
    }

    #[test]
    fn a_parameter_brings_it_and_goes_no_further() {
        let taken = |values: &[&str], uri: &str| {
            let (taken, left) = taken(values, uri);
            (taken.unwrap_or_else(|fault| format!("{fault:?}")), left)
        };
        let to = |token: &str, left: &str| (token.to_owned(), left.to_owned());
        assert_eq!(taken(&[], "/ws?access_token=a.b.c"), to("a.b.c", "/ws"));
        assert_eq!(taken(&[], "/ws?x=1&access_token=a.b.c&y=%20"), to("a.b.c", "/ws?x=1&y=%20"));
        assert_eq!(taken(&[], "/ws?%61ccess_token=a%2Eb.c"), to("a.b.c", "/ws"));
        assert_eq!(taken(&["Bearer h.h.h"], "/ws?access_token=a.b.c&x"), to("h.h.h", "/ws?x"));
        assert_eq!(taken(&[], "/ws?access_token=a&access_token=b&z"), to("Repeated", "/ws?z"));
        assert_eq!(taken(&[], "/ws?access_token"), to("Missing", "/ws"));
        assert_eq!(taken(&[], "/ws?Access_Token=a"), to("Missing", "/ws?Access_Token=a"));
        assert_eq!(taken(&[], "http://a/ws?access_token=a.b.c"), to("a.b.c", "http://a/ws"));
        assert_eq!(taken(&[], "/ws?access_token=%zz%"), to("%zz%", "/ws"));
    }

    #[test]
    fn a_token_is_never_printed() {
        assert_eq!(format!("{:?}", Bearer::new("secret").expect("a token")), "redacted (6 bytes)");
    }
}
