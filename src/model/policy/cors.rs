//! Cross-origin requests (Fetch Standard, section 3.2): which origins a browser may let read the answers of a route.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use serde::{Serialize, Serializer};

use super::PolicyOrigin;

/// The origins that are allowed, and what they are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cors {
    /// Who asked for it.
    pub origin: PolicyOrigin,
    /// The origins.
    pub origins: AllowedOrigins,
    /// `Access-Control-Allow-Methods`.
    #[serde(serialize_with = "as_text")]
    pub methods: HeaderValue,
    /// `Access-Control-Allow-Headers`.
    #[serde(serialize_with = "as_text")]
    pub headers: HeaderValue,
    /// `Access-Control-Expose-Headers`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub exposed: Option<HeaderValue>,
    /// Whether a browser may send cookies and passwords (`Access-Control-Allow-Credentials`).
    pub credentials: bool,
    /// Seconds for which a browser remembers it.
    pub max_age: u64,
}

/// Origins of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum AllowedOrigins {
    /// Every origin, and requests without one.
    Any,
    /// These.
    List(Box<[AllowedOrigin]>),
}

/// An origin: `https://a.example:8080`. It is compared as a whole, without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// This one, in lower case.
    Exact(Arc<str>),
    /// Those with one label more in front of their host: `https://*.example`.
    SingleLabel {
        /// The scheme, with `://`, in lower case.
        scheme: Arc<str>,
        /// The host behind the label, with its dot and the port, in lower case.
        parent: Arc<str>,
    },
}

impl AllowedOrigin {
    /// Parses an origin. `None`: it has no scheme, or something that no origin has.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if text == "null" {
            return Some(Self::Exact(text.into()));
        }
        let (scheme, host) = text.split_once("://")?;
        let is_scheme =
            !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let of_host = |host: &str| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
        };
        if !is_scheme {
            return None;
        }
        match host.strip_prefix('*') {
            Some(parent) if parent.starts_with('.') && of_host(parent) => {
                Some(Self::SingleLabel { scheme: format!("{scheme}://").into(), parent: parent.into() })
            }
            None if of_host(host) => Some(Self::Exact(text.into())),
            _ => None,
        }
    }

    /// Whether it is the origin of a request.
    pub fn matches(&self, origin: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => origin.eq_ignore_ascii_case(exact.as_bytes()),
            Self::SingleLabel { scheme, parent } => {
                let starts = |text: &[u8]| text.eq_ignore_ascii_case(scheme.as_bytes());
                let ends = |text: &[u8]| text.eq_ignore_ascii_case(parent.as_bytes());
                let Some((start, rest)) = origin.split_at_checked(scheme.len()) else { return false };
                let Some(label) = rest.len().checked_sub(parent.len()) else { return false };
                let (label, end) = rest.split_at(label);
                let is_label =
                    !label.is_empty() && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
                starts(start) && ends(end) && is_label
            }
        }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(origin) => f.write_str(origin),
            Self::SingleLabel { scheme, parent } => write!(f, "{scheme}*{parent}"),
        }
    }
}

impl Serialize for AllowedOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("every origin"),
            Self::List(list) => f.write_str(&list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

fn as_text<S: Serializer>(value: &HeaderValue, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.to_str().unwrap_or_default())
}

fn as_optional_text<S: Serializer>(value: &Option<HeaderValue>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_as_a_whole() {
        for (allowed, origin, expected) in [
            ("https://a.test", "https://a.test", true),
            ("https://a.test", "HTTPS://A.TEST", true),
            ("https://a.test", "xhttps://a.test", false),
            ("https://a.test", "https://a.test.evil", false),
            ("https://a.test", "https://axtest", false),
            ("http://a.test:8080", "http://a.test", false),
            ("http://*.a.test:8080", "http://x.a.test:8080", true),
            ("http://*.a.test:8080", "http://x.y.a.test:8080", false),
            ("http://*.a.test:8080", "http://.a.test:8080", false),
            ("http://*.a.test:8080", "http://a.test:8080", false),
            ("http://*.a.test", "http://evil/.a.test", false),
            ("http://*.a.test", "http", false),
            ("tauri://localhost:3000", "tauri://localhost:3000", true),
            ("null", "null", true),
        ] {
            let allowed = AllowedOrigin::parse(allowed).expect("an origin");
            assert_eq!(allowed.matches(origin.as_bytes()), expected, "{allowed} {origin}");
        }
        for text in ["a.test", "://a", "https://", "https://*", "https://*a.test", "https://a.test/x", "https://a b"] {
            assert_eq!(AllowedOrigin::parse(text), None, "{text}");
        }
    }
}
