//! Sticky sessions: the cookie that brings a client back to its member.

use std::time::Duration;

use serde::Serialize;

/// The cookie of one route. Its value is the pool's to say, and no script may read it (`HttpOnly`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Affinity {
    /// Name, a token.
    pub cookie: String,
    /// `Path`.
    pub path: String,
    /// `Domain`; `None`: the host that was asked, alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// `Max-Age`; `None`: until the browser ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// `SameSite`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_site: Option<SameSite>,
    /// `Secure`.
    pub secure: CookieSecure,
    /// Whether HTTPS clients get a second one, called `<name>CORS`, that goes with requests from other sites too.
    pub cors: bool,
}

/// Which requests of other sites a cookie goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SameSite {
    /// All.
    None,
    /// Those that lead the user here.
    Lax,
    /// None.
    Strict,
}

impl SameSite {
    /// As it stands in the cookie.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Lax => "Lax",
            Self::Strict => "Strict",
        }
    }
}

/// Whether a cookie goes over TLS alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CookieSecure {
    /// No.
    Never,
    /// If it was set over TLS.
    OverTls,
    /// Yes, though the gateway itself may have been asked in clear text.
    Always,
}
