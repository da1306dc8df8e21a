//! `redirectConfigurations`, read: where a redirect leads.

use std::sync::Arc;

use crate::api::application_gateway::{Protocol as Spoken, RedirectConfiguration, RedirectType};
use crate::model::{HostPattern, ObjectRef, Redirect, RedirectPath, RedirectPort, RedirectQuery, UrlScheme};
use crate::report::Reason;

use super::element::{Element, Elements};
use super::listener::{self, FRONTEND_PORTS};
use crate::translate::report::Reports;

/// The longest URL that a redirect may lead to, in bytes, as in the schema.
const MAX_URL_BYTES: usize = 2048;

/// A redirect, and the listener that it leads to, by name.
#[derive(Debug)]
pub(super) struct ReadRedirect<'a> {
    pub(super) redirect: Redirect,
    /// `None`: it leads to a URL.
    pub(super) listener: Option<&'a str>,
}

/// Reads one redirect. `None`: it leads nowhere, which was reported.
pub(super) fn read<'a>(
    owner: &ObjectRef,
    elements: &Elements<'a>,
    Element { field, value }: &Element<'a, RedirectConfiguration>,
    reports: &mut Reports,
) -> Result<ReadRedirect<'a>, Reason> {
    let RedirectConfiguration {
        name: _,
        redirect_type,
        target_listener,
        target_url,
        include_path,
        include_query_string,
    } = value;
    let status = match redirect_type.unwrap_or_default() {
        RedirectType::Permanent => 301,
        RedirectType::Found => 302,
        RedirectType::SeeOther => 303,
        RedirectType::Temporary => 307,
    };
    let (keeps_path, keeps_query) = (include_path.unwrap_or_default(), include_query_string.unwrap_or_default());
    match (target_listener, target_url) {
        (Some(reference), None) => {
            let field = format!("{field}.targetListener");
            let target = elements.listeners.find(owner, reference, &field, reports)?;
            let port = format!("{}.frontendPort", target.field);
            let port = elements.ports.find(owner, &target.value.frontend_port, &port, reports)?.value.port;
            // A port out of range has been reported where it stands.
            let port =
                u16::try_from(port).ok().filter(|_| FRONTEND_PORTS.contains(&port)).ok_or(Reason::InvalidValue)?;
            // Its hosts are reported where the listener is read.
            let hosts = listener::hosts(
                owner,
                &target.field,
                target.value.host_name.as_ref(),
                &target.value.host_names,
                &mut Reports::default(),
            );
            let redirect = Redirect {
                status,
                scheme: match target.value.protocol {
                    Spoken::Http => UrlScheme::Http,
                    Spoken::Https => UrlScheme::Https,
                },
                host: match &hosts[..] {
                    [(HostPattern::Exact(host), _)] => Some(Arc::clone(host)),
                    _ => None,
                },
                port: RedirectPort::Listener(port),
                path: if keeps_path { RedirectPath::Keep } else { RedirectPath::Replace("/".into()) },
                query: RedirectQuery { own: None, keep: keeps_query },
                fragment: None,
            };
            Ok(ReadRedirect { redirect, listener: Some(target.value.name.as_str()) })
        }
        (None, Some(text)) => match TargetUrl::parse(text) {
            Ok(url) => Ok(ReadRedirect { redirect: url.redirect(status, keeps_path, keeps_query), listener: None }),
            Err(problem) => {
                // What may be a password is not printed.
                let shown = if text.contains('@') { "it".to_owned() } else { format!("{text:?}") };
                let message = format!("{shown} is no URL to redirect to: {problem}");
                let remedy = "write a URL such as https://www.example.com/path";
                reports.error(owner, format!("{field}.targetUrl"), Reason::InvalidValue, message, remedy);
                Err(Reason::InvalidValue)
            }
        },
        (given, _) => {
            let given = if given.is_some() {
                "both targetListener and targetUrl"
            } else {
                "neither targetListener nor targetUrl"
            };
            let message = format!("it has {given}, so its rules answer 503");
            reports.error(owner, field, Reason::InvalidValue, message, "give one of the two");
            Err(Reason::InvalidValue)
        }
    }
}

/// A URL of http or https, in its parts.
#[derive(Debug, PartialEq, Eq)]
struct TargetUrl<'a> {
    scheme: UrlScheme,
    host: String,
    port: u16,
    /// The path; it may be empty.
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> TargetUrl<'a> {
    /// Takes a URL apart (RFC 3986 section 3). An error says what it is that can't stand in one.
    fn parse(text: &'a str) -> Result<Self, &'static str> {
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

    fn redirect(self, status: u16, keeps_path: bool, keeps_query: bool) -> Redirect {
        let Self { scheme, host, port, path, query, fragment } = self;
        let path = match (keeps_path, path) {
            (true, path) if path.trim_end_matches('/').is_empty() => RedirectPath::Keep,
            (true, path) => RedirectPath::Prepend(path.trim_end_matches('/').into()),
            (false, "") => RedirectPath::Replace("/".into()),
            (false, path) => RedirectPath::Replace(path.into()),
        };
        Redirect {
            status,
            scheme,
            host: Some(host.into()),
            port: RedirectPort::Elsewhere(port),
            path,
            query: RedirectQuery { own: query.filter(|query| !query.is_empty()).map(Into::into), keep: keeps_query },
            fragment: fragment.map(Into::into),
        }
    }
}

/// What stands before the first `separator`, and what stands after it.
fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}
