//! Session affinity: the cookies that name the member of a client.

use std::fmt::Write;

use http::HeaderMap;
use http::header::{self, HeaderValue};

use crate::model::{Affinity, CookieSecure, SameSite};
use crate::pool::Token;
use crate::table::{PoolIndex, Target};

/// The suffix of the second cookie's name, behind the name of the first.
const CORS_SUFFIX: &str = "CORS";

/// The affinity cookies of a request, and those that its answer has to set.
pub(super) struct AffinityCookies<'a> {
    affinity: Option<&'a Affinity>,
    tls: bool,
    wanted: Vec<Token>,
}

impl<'a> AffinityCookies<'a> {
    /// Reads a request's cookies, which stay as they are.
    pub(super) fn read(affinity: Option<&'a Affinity>, headers: &HeaderMap, tls: bool) -> Self {
        let wanted = affinity.map(|affinity| tokens(affinity, headers)).unwrap_or_default();
        Self { affinity, tls, wanted }
    }

    /// The members that the cookies name, in the order of the cookies.
    pub(super) fn wanted(&self) -> &[Token] {
        &self.wanted
    }

    /// Adds the cookie to an answer, unless a cookie of the request names the member that answered.
    pub(super) fn set(&self, headers: &mut HeaderMap, member: impl FnOnce() -> Token) {
        let Some(affinity) = self.affinity else { return };
        let token = member();
        if self.wanted.contains(&token) {
            return;
        }
        let first = cookie(affinity, token, self.tls);
        let second = (affinity.cors && self.tls).then(|| cors_cookie(affinity, token));
        for cookie in [Some(first), second].into_iter().flatten() {
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                headers.append(header::SET_COOKIE, cookie);
            }
        }
    }
}

/// The pool of a route that has the member which a cookie names.
pub(in crate::proxy) fn named_pool(affinity: &Affinity, target: &Target, headers: &HeaderMap) -> Option<PoolIndex> {
    let wanted = tokens(affinity, headers);
    let position = target.pools().position(|pool| wanted.iter().any(|token| pool.is_named_by(*token)));
    position.map(|position| target.pool_at(position))
}

/// The tokens in the cookies that have one of the two names.
fn tokens(affinity: &Affinity, headers: &HeaderMap) -> Vec<Token> {
    let ours = |name: &[u8]| match name.strip_prefix(affinity.cookie.as_bytes()) {
        Some(rest) => rest.is_empty() || (affinity.cors && rest == CORS_SUFFIX.as_bytes()),
        None => false,
    };
    let cookies = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let pairs = cookies.filter_map(|cookie| {
        let equals = cookie.iter().position(|byte| *byte == b'=')?;
        Some((cookie[..equals].trim_ascii(), cookie[equals + 1..].trim_ascii()))
    });
    pairs.filter(|(name, _)| ours(name)).filter_map(|(_, value)| Token::read(value)).collect()
}

/// The value of `Set-Cookie`.
fn cookie(affinity: &Affinity, token: Token, tls: bool) -> String {
    let Affinity { cookie: name, path, domain, max_age, same_site, secure, cors: _ } = affinity;
    let mut cookie = format!("{name}={token}; Path={path}");
    if let Some(domain) = domain {
        let _infallible = write!(cookie, "; Domain={domain}");
    }
    if let Some(age) = max_age {
        let _infallible = write!(cookie, "; Max-Age={}", age.as_secs());
    }
    if let Some(same_site) = same_site {
        let _infallible = write!(cookie, "; SameSite={}", same_site.name());
    }
    let secure = match secure {
        CookieSecure::Never => false,
        CookieSecure::OverTls => tls,
        CookieSecure::Always => true,
    };
    if secure {
        cookie.push_str("; Secure");
    }
    cookie.push_str("; HttpOnly");
    cookie
}

/// The second cookie. Browsers accept `SameSite=None` only with `Secure`, and `Secure` only over TLS.
fn cors_cookie(affinity: &Affinity, token: Token) -> String {
    let second = Affinity {
        cookie: format!("{}{CORS_SUFFIX}", affinity.cookie),
        same_site: Some(SameSite::None),
        secure: CookieSecure::Always,
        ..affinity.clone()
    };
    cookie(&second, token, true)
}

#[cfg(test)]
mod tests;
