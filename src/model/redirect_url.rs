//! URLs that users write for redirects.

use super::{HostPattern, Redirect, RedirectPath, RedirectPort, RedirectQuery, UrlScheme};

/// The longest URL that a redirect may lead to, in bytes, as in the schema of ApplicationGateway.
const MAX_URL_BYTES: usize = 2048;

/// A URL of http or https, in its parts.
#[derive(Debug, PartialEq, Eq)]
pub struct RedirectUrl<'a> {
    scheme: UrlScheme,
    host: String,
    port: u16,
    /// The path; it may be empty.
    pub path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> RedirectUrl<'a> {
    /// Takes a URL apart (RFC 3986 section 3).
    ///
    /// # Errors
    /// What it is that can't stand in one.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > MAX_URL_BYTES {
            return Err("it is longer than 2,048 bytes");
        }
        if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
            return Err(if wrong == '{' || wrong == '}' {
                "variables are not replaced in it"
            } else {
                "it has a character that no URL has; write it as %XX"
            });
        }
        let (name, rest) = text.split_once("://").ok_or("it does not begin with http:// or https://")?;
        let (scheme, default_port) = match name.to_ascii_lowercase().as_str() {
            "http" => (UrlScheme::Http, 80),
            "https" => (UrlScheme::Https, 443),
            _ => return Err("it does not begin with http:// or https://"),
        };
        let (rest, fragment) = split(rest, '#');
        let (rest, query) = split(rest, '?');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority: http::uri::Authority = authority.parse().map_err(|_| "its host is none")?;
        if authority.as_str().contains('@') {
            return Err("a name and a password can't stand in it");
        }
        let host = authority.host().to_ascii_lowercase();
        let is_address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        if !is_address && !matches!(HostPattern::ingress(&host), Ok(HostPattern::Exact(_))) {
            return Err("its host is none");
        }
        let port = match authority.as_str().get(host.len()..) {
            None | Some("") => default_port,
            Some(text) => {
                let number = text.strip_prefix(':').and_then(|text| text.parse().ok());
                number.filter(|number| *number > 0).ok_or("its port is none")?
            }
        };
        Ok(Self { scheme, host, port, path, query, fragment })
    }

    /// A redirect to this very URL.
    pub fn redirect(self, status: u16) -> Redirect {
        let Self { scheme, host, port, path, query, fragment } = self;
        Redirect {
            status,
            scheme,
            host: Some(host.into()),
            port: RedirectPort::Elsewhere(port),
            path: RedirectPath::Replace(path.into()),
            query: RedirectQuery { own: query.filter(|query| !query.is_empty()).map(Into::into), keep: false },
            fragment: fragment.map(Into::into),
        }
    }
}

/// What stands before the first `separator`, and what stands after it.
fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}
