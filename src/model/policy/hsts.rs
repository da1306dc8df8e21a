//! HTTP Strict Transport Security.

use http::HeaderValue;
use serde::{Serialize, Serializer};

use super::PolicyOrigin;

/// `Strict-Transport-Security` in every answer to a client that came over TLS (RFC 6797 section 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hsts {
    /// Who asked for it.
    pub origin: PolicyOrigin,
    /// The value of the header.
    #[serde(serialize_with = "as_text")]
    pub value: HeaderValue,
}

fn as_text<S: Serializer>(value: &HeaderValue, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.to_str().unwrap_or_default())
}
