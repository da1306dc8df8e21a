//! Redirects: answers that send clients to another URL.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::PathReplacement;

/// A redirect. Of a request, its URL has the parts that `None` and `keep` stand for, and nothing else: where a client is sent is what the
/// object says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redirect {
    /// The status of the answer: mostly 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The scheme of the URL.
    pub scheme: UrlScheme,
    /// The host. `None`: the host that the client asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
    /// The port.
    pub port: RedirectPort,
    /// The path.
    pub path: RedirectPath,
    /// The query.
    pub query: RedirectQuery,
    /// The fragment, without its `#`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragment: Option<Arc<str>>,
}

/// The scheme of a redirect's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum UrlScheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
    /// That of the request.
    Keep,
    /// The URL has neither scheme nor host: it is relative to that of the request (RFC 3986 section 4.2).
    Relative,
}

/// The port of a redirect's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RedirectPort {
    /// That of a listener of the gateway: its frontend port, or the port at which it is bound, for clients that have come to such a port.
    Listener(u16),
    /// As `Listener`, and written even where it is the default of the scheme.
    ListenerWritten(u16),
    /// A port elsewhere.
    Elsewhere(u16),
    /// As the client wrote it.
    Client,
    /// That to which the client came. It is written even where it is the default of the scheme.
    ClientWritten,
    /// None is written.
    None,
}

/// The path of a redirect's URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum RedirectPath {
    /// The path of the request.
    Keep,
    /// The path of the request. If the URL then ends with a `/`, be it of the path or of the query, that one is left out.
    KeepTrimmed,
    /// This path in its place. It begins with `/`, or is empty.
    Replace(Arc<str>),
    /// The path of the request, with another text in the place of the prefix that the route matches.
    ReplacePrefix(PathReplacement),
    /// This path, and then that of the request. It begins with `/` and does not end with it.
    Prepend(Arc<str>),
}

/// The query of a redirect's URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RedirectQuery {
    /// The part that does not depend on the request, without its `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Arc<str>>,
    /// Whether the query of the request is added.
    pub keep: bool,
}

/// What a redirect takes from a request.
#[derive(Debug, Clone, Copy)]
pub struct RedirectedRequest<'a> {
    /// The host that the client asked for, without a port.
    pub host: &'a str,
    /// The scheme by which the client came.
    pub scheme: &'a str,
    /// The port that the client wrote.
    pub written_port: Option<u16>,
    /// The port to which the client came.
    pub port: &'a str,
    /// The port to write where the redirect leads to a listener.
    pub listener_port: u16,
    /// The path, which begins with `/`, in the form of a URL.
    pub path: &'a str,
    /// The path in the form that routes have matched.
    pub matched_path: &'a str,
    /// The query, in the form of a URL.
    pub query: Option<&'a str>,
}

impl Redirect {
    /// A redirect to a listener of HTTPS, on the host, path and query of the request.
    pub fn to_https(status: u16, port: u16) -> Self {
        Self {
            status,
            scheme: UrlScheme::Https,
            host: None,
            port: RedirectPort::Listener(port),
            path: RedirectPath::Keep,
            query: RedirectQuery { own: None, keep: true },
            fragment: None,
        }
    }

    /// The frontend port of HTTPS that it leads to for a request for `host`. A request that has come by HTTPS, through a proxy in front
    /// of the gateway, is there already.
    pub fn https_listener(&self, host: &str) -> Option<u16> {
        let leads_there = self.scheme == UrlScheme::Https && self.host.as_deref().is_none_or(|own| own == host);
        self.listener().filter(|_| leads_there)
    }

    /// The frontend port of the listener that it leads to.
    pub fn listener(&self) -> Option<u16> {
        match self.port {
            RedirectPort::Listener(port) | RedirectPort::ListenerWritten(port) => Some(port),
            RedirectPort::Elsewhere(_) | RedirectPort::Client | RedirectPort::ClientWritten | RedirectPort::None => {
                None
            }
        }
    }

    /// The URL that a request is sent to.
    pub fn location(&self, request: RedirectedRequest<'_>) -> String {
        let Self { status: _, scheme, host, port, path, query, fragment } = self;
        let scheme = match scheme {
            UrlScheme::Http => Some("http"),
            UrlScheme::Https => Some("https"),
            UrlScheme::Keep => Some(request.scheme),
            UrlScheme::Relative => None,
        };
        let mut url = String::new();
        if let Some(scheme) = scheme {
            url = format!("{scheme}://{}", host.as_deref().unwrap_or(request.host));
            let default = if scheme == "https" { 443 } else { 80 };
            let written = match port {
                RedirectPort::Listener(_) => Some(request.listener_port).filter(|port| *port != default),
                RedirectPort::ListenerWritten(_) => Some(request.listener_port),
                RedirectPort::Elsewhere(port) => Some(*port).filter(|port| *port != default),
                RedirectPort::Client => request.written_port,
                RedirectPort::ClientWritten | RedirectPort::None => None,
            };
            url.extend(written.map(|port| format!(":{port}")));
            if *port == RedirectPort::ClientWritten {
                url.extend([":", request.port]);
            }
        }
        match path {
            RedirectPath::Keep | RedirectPath::KeepTrimmed => url.push_str(request.path),
            RedirectPath::Replace(path) => url.push_str(path),
            RedirectPath::ReplacePrefix(replacement) => url.push_str(&replacement.apply(request.matched_path)),
            RedirectPath::Prepend(before) => url.extend([before, request.path]),
        }
        let kept = request.query.filter(|_| query.keep);
        for (separator, part) in ['?', '&'].into_iter().zip(query.own.as_deref().into_iter().chain(kept)) {
            url.push(separator);
            url.push_str(part);
        }
        if *path == RedirectPath::KeepTrimmed && url.ends_with('/') {
            url.pop();
        }
        if let Some(fragment) = fragment {
            url.push('#');
            url.push_str(fragment);
        }
        url
    }
}

impl fmt::Display for Redirect {
    /// `301 to https://{host}{path}?{query}`: what stands in braces is taken from the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listener_port = self.listener().unwrap_or_default();
        let matched_path = match &self.path {
            RedirectPath::ReplacePrefix(PathReplacement::Prefix { prefix, .. }) => format!("{prefix}{{rest}}"),
            _ => String::new(),
        };
        let request = RedirectedRequest {
            host: "{host}",
            scheme: "{scheme}",
            written_port: None,
            port: "{port}",
            listener_port,
            path: "{path}",
            matched_path: &matched_path,
            query: Some("{query}"),
        };
        write!(f, "{} to {}", self.status, self.location(request))?;
        if self.path == RedirectPath::KeepTrimmed { f.write_str(", without a '/' at its end") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_the_parts_of_the_request_that_are_kept() {
        let request = RedirectedRequest {
            host: "a.example",
            scheme: "http",
            written_port: Some(8080),
            port: "80",
            listener_port: 8443,
            path: "//evil.example/x",
            matched_path: "/evil.example/x",
            query: Some("q=1"),
        };
        let base = Redirect::to_https(301, 443);
        let elsewhere = Redirect {
            scheme: UrlScheme::Http,
            host: Some("b.example".into()),
            port: RedirectPort::Elsewhere(80),
            ..base.clone()
        };
        let path = |path: RedirectPath, own: Option<&str>, keep| Redirect {
            path,
            query: RedirectQuery { own: own.map(Into::into), keep },
            ..elsewhere.clone()
        };
        for (redirect, expected) in [
            (base.clone(), "https://a.example:8443//evil.example/x?q=1"),
            (elsewhere.clone(), "http://b.example//evil.example/x?q=1"),
            (
                Redirect { port: RedirectPort::Elsewhere(8080), ..elsewhere.clone() },
                "http://b.example:8080//evil.example/x?q=1",
            ),
            (path(RedirectPath::Keep, None, false), "http://b.example//evil.example/x"),
            (path(RedirectPath::Replace("/".into()), None, true), "http://b.example/?q=1"),
            (
                path(
                    RedirectPath::ReplacePrefix(PathReplacement::Prefix {
                        prefix: "/evil.example".into(),
                        replacement: "/good".into(),
                    }),
                    None,
                    false,
                ),
                "http://b.example/good/x",
            ),
            (
                path(RedirectPath::Prepend("/new".into()), Some("from=old"), true),
                "http://b.example/new//evil.example/x?from=old&q=1",
            ),
            (path(RedirectPath::Replace("/new".into()), Some("from=old"), false), "http://b.example/new?from=old"),
            (
                Redirect { scheme: UrlScheme::Keep, port: RedirectPort::Client, ..base.clone() },
                "http://a.example:8080//evil.example/x?q=1",
            ),
            (
                Redirect { scheme: UrlScheme::Keep, port: RedirectPort::ClientWritten, ..base.clone() },
                "http://a.example:80//evil.example/x?q=1",
            ),
            (
                Redirect { scheme: UrlScheme::Keep, port: RedirectPort::None, ..base.clone() },
                "http://a.example//evil.example/x?q=1",
            ),
            (
                Redirect { scheme: UrlScheme::Relative, path: RedirectPath::Replace("/new".into()), ..base.clone() },
                "/new?q=1",
            ),
            (
                Redirect { fragment: Some("top".into()), ..path(RedirectPath::Keep, None, false) },
                "http://b.example//evil.example/x#top",
            ),
        ] {
            assert_eq!(redirect.location(request), expected);
        }
        let no_query = RedirectedRequest { query: None, ..request };
        let trimmed = path(RedirectPath::KeepTrimmed, None, true);
        for (path, query, expected) in [
            ("/", None, "http://b.example"),
            ("/a/", None, "http://b.example/a"),
            ("/a//", None, "http://b.example/a/"),
            ("/a/", Some("x=1"), "http://b.example/a/?x=1"),
            ("/a", Some("x=/"), "http://b.example/a?x="),
        ] {
            assert_eq!(trimmed.location(RedirectedRequest { path, query, ..request }), expected);
        }
        assert_eq!(path(RedirectPath::Keep, Some("a"), true).location(no_query), "http://b.example//evil.example/x?a");
    }

    #[test]
    fn only_a_redirect_to_the_same_host_over_https_leads_where_one_is() {
        let base = Redirect::to_https(301, 443);
        let named = |host: &str| Redirect { host: Some(host.into()), ..base.clone() };
        assert_eq!(base.https_listener("a.example"), Some(443));
        assert_eq!(named("a.example").https_listener("a.example"), Some(443));
        assert_eq!(named("b.example").https_listener("a.example"), None);
        assert_eq!(Redirect { scheme: UrlScheme::Http, ..base.clone() }.https_listener("a.example"), None);
        assert_eq!(Redirect { port: RedirectPort::Elsewhere(443), ..base }.https_listener("a.example"), None);
    }
}
