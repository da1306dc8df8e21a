//! `redirectConfigurations`, read: where a redirect leads.

use std::sync::Arc;

use crate::api::application_gateway::{Protocol as Spoken, RedirectConfiguration, RedirectType};
use crate::model::{
    HostPattern, ObjectRef, Redirect, RedirectPath, RedirectPort, RedirectQuery, RedirectUrl, UrlScheme,
};
use crate::report::Reason;

use super::element::{Element, Elements};
use super::listener::{self, FRONTEND_PORTS};
use crate::translate::report::Reports;

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
        (None, Some(text)) => match RedirectUrl::parse(text) {
            Ok(url) => Ok(ReadRedirect { redirect: redirect_to(url, status, keeps_path, keeps_query), listener: None }),
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

fn redirect_to(url: RedirectUrl<'_>, status: u16, keeps_path: bool, keeps_query: bool) -> Redirect {
    let path = match (keeps_path, url.path) {
        (true, path) if path.trim_end_matches('/').is_empty() => RedirectPath::Keep,
        (true, path) => RedirectPath::Prepend(path.trim_end_matches('/').into()),
        (false, "") => RedirectPath::Replace("/".into()),
        (false, path) => RedirectPath::Replace(path.into()),
    };
    let redirect = url.redirect(status);
    Redirect { path, query: RedirectQuery { keep: keeps_query, ..redirect.query.clone() }, ..redirect }
}
