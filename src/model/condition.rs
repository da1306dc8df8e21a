//! Conditions of a route besides that on the path: on the method, on headers and on the query (Gateway API, HTTPRouteMatch).

use std::fmt;
use std::sync::Arc;

use http::Method;
use http::header::HeaderMap;
use serde::{Deserialize, Serialize};

/// Conditions on a request, all of which have to be met.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Conditions {
    /// The method, compared with case (RFC 9110 section 9.1). `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Arc<str>>,
    /// Headers, in the order of their names.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub headers: Box<[NamedValue]>,
    /// Parameters of the query, in the order of their names.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub query: Box<[NamedValue]>,
}

/// A header or a parameter of the query, and the value that it must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NamedValue {
    /// The name. That of a header is in lower case.
    pub name: Arc<str>,
    /// The value, compared with case.
    pub value: Arc<str>,
}

/// What is known of a request, besides its host and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestHead<'a> {
    /// The request itself.
    Received {
        /// The method. That of an extended CONNECT (RFC 8441) counts as GET.
        method: &'a Method,
        /// The headers.
        headers: &'a HeaderMap,
        /// The query, without its `?`.
        query: Option<&'a str>,
    },
    /// The conditions that the request is known to meet. Of the request that opened a session, these are all that is remembered.
    Meets(Option<&'a Conditions>),
}

impl Conditions {
    /// The name of the first condition that a request does not meet. `None`: it meets all of them.
    pub fn unmet(&self, head: &RequestHead<'_>) -> Option<&'static str> {
        let Self { method, headers, query } = self;
        let checks: [(&'static str, bool); 3] = match *head {
            RequestHead::Received { method: sent, headers: sent_headers, query: sent_query } => [
                ("method", method.as_deref().is_none_or(|method| method == sent.as_str())),
                ("header", headers.iter().all(|header| has_header(sent_headers, header))),
                ("query", query.iter().all(|parameter| has_parameter(sent_query.unwrap_or_default(), parameter))),
            ],
            RequestHead::Meets(met) => {
                let none = Self::default();
                let met = met.unwrap_or(&none);
                [
                    ("method", method.is_none() || *method == met.method),
                    ("header", headers.iter().all(|header| met.headers.contains(header))),
                    ("query", query.iter().all(|parameter| met.query.contains(parameter))),
                ]
            }
        };
        checks.into_iter().find(|(_, is_met)| !is_met).map(|(name, _)| name)
    }

    /// The conditions as a route has them: `None` where there is none.
    pub fn into_shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

/// Whether a header has this value. The lines of a repeated header are one value (RFC 9110 section 5.3).
fn has_header(headers: &HeaderMap, NamedValue { name, value }: &NamedValue) -> bool {
    let mut rest = Some(value.as_bytes());
    for (index, line) in headers.get_all(&**name).iter().enumerate() {
        let separator: &[u8] = if index == 0 { b"" } else { b", " };
        rest = rest.and_then(|rest| rest.strip_prefix(separator)?.strip_prefix(line.as_bytes()));
    }
    headers.contains_key(&**name) && rest == Some(b"")
}

/// Whether the first parameter of this name has this value.
fn has_parameter(query: &str, NamedValue { name, value }: &NamedValue) -> bool {
    let mut parameters = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    parameters.find(|(key, _)| is_encoding_of(key, name)).is_some_and(|(_, sent)| is_encoding_of(sent, value))
}

/// Whether a part of a query stands for a text (application/x-www-form-urlencoded: `%XX` is a byte, `+` a space).
fn is_encoding_of(encoded: &str, text: &str) -> bool {
    let mut rest = encoded.as_bytes();
    for byte in text.bytes() {
        let digits = rest.get(1..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| rest.first() == Some(&b'%'));
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (decoded, length) = match (rest.first(), escaped) {
            (Some(_), Some(byte)) => (byte, 3),
            (Some(b'+'), None) => (b' ', 1),
            (Some(other), None) => (*other, 1),
            (None, _) => return false,
        };
        if decoded != byte {
            return false;
        }
        rest = &rest[length..];
    }
    rest.is_empty()
}

impl fmt::Display for Conditions {
    /// `method GET, header x-a "1", query q "2"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, headers, query } = self;
        let method = method.iter().map(|method| format!("method {method}"));
        let named =
            |kind: &'static str| move |NamedValue { name, value }: &NamedValue| format!("{kind} {name} {value:?}");
        let parts = method.chain(headers.iter().map(named("header"))).chain(query.iter().map(named("query")));
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn named(pairs: &[(&str, &str)]) -> Box<[NamedValue]> {
        pairs.iter().map(|(name, value)| NamedValue { name: (*name).into(), value: (*value).into() }).collect()
    }

    fn unmet(conditions: &Conditions, method: &str, headers: &[(&str, &str)], query: &str) -> Option<&'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        conditions.unmet(&RequestHead::Received { method: &method, headers: &map, query: Some(query) })
    }

    #[test]
    fn every_condition_has_to_be_met() {
        let conditions = Conditions {
            method: Some("POST".into()),
            headers: named(&[("version", "two"), ("x-a", "1")]),
            query: named(&[("q", "a b")]),
        };
        let headers = [("Version", "two"), ("x-a", "1")];
        assert_eq!(unmet(&conditions, "POST", &headers, "x=1&q=a+b"), None);
        assert_eq!(unmet(&conditions, "post", &headers, "q=a+b"), Some("method"), "methods are compared with case");
        assert_eq!(unmet(&conditions, "POST", &headers[..1], "q=a+b"), Some("header"));
        assert_eq!(unmet(&conditions, "POST", &headers, "Q=a+b"), Some("query"), "names too");
        assert_eq!(conditions.to_string(), r#"method POST, header version "two", header x-a "1", query q "a b""#);
    }

    #[test]
    fn the_lines_of_a_header_are_one_value_and_of_a_parameter_the_first_counts() {
        let header = Conditions { headers: named(&[("x-a", "1, 2")]), ..Conditions::default() };
        assert_eq!(unmet(&header, "GET", &[("x-a", "1"), ("x-a", "2")], ""), None);
        assert_eq!(unmet(&header, "GET", &[("x-a", "1, 2")], ""), None);
        assert_eq!(unmet(&header, "GET", &[("x-a", "1")], ""), Some("header"));
        let query = Conditions { query: named(&[("é", "1")]), ..Conditions::default() };
        for (sent, expected) in [
            ("é=1&é=2", None),
            ("%C3%a9=%31", None),
            ("é=2&é=1", Some("query")),
            ("%C3=1", Some("query")),
            ("", Some("query")),
        ] {
            assert_eq!(unmet(&query, "GET", &[], sent), expected, "{sent}");
        }
        let empty = Conditions { query: named(&[("q", "")]), ..Conditions::default() };
        assert_eq!([unmet(&empty, "GET", &[], "q"), unmet(&empty, "GET", &[], "q=%")], [None, Some("query")]);
    }

    #[test]
    fn of_a_session_the_conditions_are_known_that_its_request_met() {
        let one = Conditions { headers: named(&[("x-a", "1")]), ..Conditions::default() };
        let both = Conditions { headers: named(&[("x-a", "1"), ("x-b", "2")]), ..Conditions::default() };
        assert_eq!(one.unmet(&RequestHead::Meets(Some(&both))), None);
        assert_eq!(both.unmet(&RequestHead::Meets(Some(&one))), Some("header"));
        assert_eq!(one.unmet(&RequestHead::Meets(None)), Some("header"));
        assert_eq!(Conditions::default().unmet(&RequestHead::Meets(None)), None);
    }
}
