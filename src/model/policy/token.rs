//! Tokens (JWT, RFC 7519) that requests have to bring: whose they are, for whom they are meant, and where their keys come from.

mod entra;
mod key_set;
mod key_url;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use serde::{Serialize, Serializer};

use super::PolicyOrigin;

pub use entra::{EntraTenant, EntraTenantError};
pub use key_set::{KeySet, KeySetError, VerificationKey};
pub use key_url::{KeyUrl, KeyUrlError};

/// What a token has to be like for a request to be let through, and what becomes of the requests and sessions that it admits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenPolicy {
    /// The object and field that asked for it.
    pub origin: PolicyOrigin,
    /// Who has issued the token (claim `iss`).
    pub issuer: TokenIssuer,
    /// For whom the token may be meant: one of these is in its claim `aud`. Never empty.
    pub audiences: Box<[Box<str>]>,
    /// Where the issuer's keys come from.
    pub keys: KeySource,
    /// By how much the clocks of issuer and gateway may differ.
    pub clock_skew: Duration,
    /// The header that brings the token, after `Bearer` or alone.
    #[serde(serialize_with = "as_text")]
    pub header: HeaderName,
    /// The parameter of the query that brings it where the header does not. Backends never get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_parameter: Option<Box<str>>,
    /// The claims that backends get as headers.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub claim_headers: Box<[ClaimHeader]>,
    /// What becomes of a request without a valid token.
    pub unauthorized: Unauthorized,
    /// What becomes of a session when its token ends.
    pub session_end: SessionAtTokenEnd,
}

/// Whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum TokenIssuer {
    /// The issuer with this name: `iss` has the same text.
    Named(Box<str>),
    /// Microsoft Entra, for the users of a tenant or of many.
    Entra(EntraTenant),
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum KeySource {
    /// A Secret or ConfigMap, whose value has been read.
    Static(Arc<KeySet>),
    /// A URL, from which they are fetched again from time to time.
    Url(KeyUrl),
}

/// A claim of the token that backends get as a header. What clients send under that name is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClaimHeader {
    /// The name of the claim.
    pub claim: Box<str>,
    /// The name of the header.
    #[serde(serialize_with = "as_text")]
    pub header: HeaderName,
}

/// What becomes of a request without a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Unauthorized {
    /// It is refused.
    #[default]
    Deny,
    /// It goes on, and says nothing of who has sent it.
    Allow,
}

/// What becomes of a session when the token that admitted it ends (claim `exp`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum SessionAtTokenEnd {
    /// It is closed (1008).
    #[default]
    Close,
    /// It stays.
    Keep,
}

fn as_text<S: Serializer>(name: &HeaderName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}
