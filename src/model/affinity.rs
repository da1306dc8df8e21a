//! Session affinity: the cookie that brings a client back to its member.

use std::time::Duration;

use serde::Serialize;

/// The affinity cookie of a route. Its value is a token of the pool; no script may read it (`HttpOnly`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Affinity {
    /// The name: a token (RFC 6265 section 4.1.1).
    pub cookie: String,
    /// The attribute `Path`.
    pub path: String,
    /// The attribute `Domain`. `None`: the cookie is for the request's host alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The attribute `Max-Age`. `None`: the cookie lasts until the browser is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// The attribute `SameSite`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_site: Option<SameSite>,
    /// The attribute `Secure`.
    pub secure: CookieSecure,
    /// Whether HTTPS clients get a second cookie, `<name>CORS`, that browsers also send with requests from other sites.
    pub cors: bool,
}

/// Which requests from other sites a cookie is sent with (RFC 6265bis section 4.1.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SameSite {
    /// With all of them.
    None,
    /// With those that bring the user to this site.
    Lax,
    /// With none.
    Strict,
}

impl SameSite {
    /// The value, as the cookie has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Lax => "Lax",
            Self::Strict => "Strict",
        }
    }
}

/// Whether a cookie is marked `Secure`: browsers send such a cookie over TLS only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CookieSecure {
    /// The cookie is not marked.
    Never,
    /// The cookie is marked if it was set over TLS.
    OverTls,
    /// The cookie is marked, even if the gateway was asked in clear text, as behind a proxy with TLS.
    Always,
}
