//! The URL of a key set.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;
use serde::{Serialize, Serializer};

/// The URL of a key set: HTTPS, or HTTP where nobody else can be on the way. It is displayed without its query, which may be secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyUrl {
    is_https: bool,
    /// A DNS name in lower case, or an IP address without brackets.
    host: Box<str>,
    port: u16,
    /// Path and query.
    path: Box<str>,
}

/// Why a text is no URL of a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyUrlError {
    /// It is no URL.
    #[error("it is not a URL: expected https://HOST/PATH")]
    Malformed,
    /// Its scheme is another than HTTP or HTTPS.
    #[error("its scheme is neither https nor http")]
    Scheme,
    /// It has a user's name or password in it.
    #[error("it has a user name in it, which is not sent")]
    UserInfo,
}

impl KeyUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// The text is none, or one that can't be fetched from.
    pub fn parse(text: &str) -> Result<Self, KeyUrlError> {
        let uri: Uri = text.parse().map_err(|_| KeyUrlError::Malformed)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(KeyUrlError::Malformed);
        };
        let is_https = *scheme == Scheme::HTTPS;
        if !is_https && *scheme != Scheme::HTTP {
            return Err(KeyUrlError::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(KeyUrlError::UserInfo);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        // A port that is none is left out by `port_u16`.
        let named = authority.as_str().rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        let port = match (named, authority.port_u16()) {
            (None, _) => {
                if is_https {
                    443
                } else {
                    80
                }
            }
            (Some(_), Some(port @ 1..)) => port,
            (Some(_), _) => return Err(KeyUrlError::Malformed),
        };
        if host.is_empty() {
            return Err(KeyUrlError::Malformed);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self { is_https, host: host.into(), port, path: path.into() })
    }

    /// Whether it is fetched over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host: a DNS name in lower case, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host, where it is an IP address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as the request has them.
    pub fn path_and_query(&self) -> &str {
        &self.path
    }

    /// Host and port, as the request has them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        match (self.is_https, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}

impl fmt::Debug for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_displayed_without_its_query() {
        let url = KeyUrl::parse("https://Login.Example/realms/a/certs?key=secret").expect("a URL");
        assert_eq!(
            (url.host(), url.port(), url.path_and_query()),
            ("login.example", 443, "/realms/a/certs?key=secret")
        );
        assert_eq!(url.to_string(), "https://login.example/realms/a/certs");
        assert_eq!(format!("{url:?}"), "https://login.example/realms/a/certs");
        let url = KeyUrl::parse("http://[::1]:8080").expect("a URL");
        assert_eq!(
            (url.is_https(), url.ip(), url.port(), url.path_and_query()),
            (false, "::1".parse().ok(), 8080, "/")
        );
        assert_eq!(url.to_string(), "http://[::1]:8080/");
        assert_eq!(KeyUrl::parse("https://a.example:8443/k").expect("a URL").authority(), "a.example:8443");
    }

    #[test]
    fn what_can_not_be_fetched_is_refused() {
        for (text, error) in [
            ("", KeyUrlError::Malformed),
            ("/keys", KeyUrlError::Malformed),
            ("login.example", KeyUrlError::Malformed),
            ("https://", KeyUrlError::Malformed),
            ("https://a.example:0/", KeyUrlError::Malformed),
            ("https://a.example:99999/", KeyUrlError::Malformed),
            ("https://a.example:/", KeyUrlError::Malformed),
            ("https://a b/", KeyUrlError::Malformed),
            ("file:///etc/passwd", KeyUrlError::Malformed),
            ("ftp://a.example/keys", KeyUrlError::Scheme),
            ("https://user:password@a.example/", KeyUrlError::UserInfo),
        ] {
            assert_eq!(KeyUrl::parse(text), Err(error), "{text}");
        }
    }
}
