//! Redirects from port 80 to HTTPS, where an annotation or the class asks for them. The others are in files of their own.

pub(super) mod app_root;
pub(super) mod to_url;
pub(super) mod www;

use std::sync::Arc;

use super::acme;
use super::host_tls::HostTls;
use super::parsed::ParsedIngress;
use crate::api::annotations::{RedirectSettings, SslRedirect};
use crate::model::{ClearTextRedirect, HostPattern, PathMatch, PolicyOrigin, Redirect, RedirectPath, RedirectPort};
use crate::report::Reason;
use crate::translate::claim::Claims;
use crate::translate::class::{ClassOrigin, annotation_field};
use crate::translate::report::Reports;

const MOVED_PERMANENTLY: u16 = 301;
const PERMANENT_REDIRECT: u16 = 308;
const HTTPS: u16 = 443;
const FORCE: &str = "nginx.ingress.kubernetes.io/force-ssl-redirect";

/// A redirect to HTTPS.
pub(super) enum HttpsRedirect {
    /// It answers all requests.
    All(Redirect),
    /// It answers those whose client came in clear text: nothing here serves the host over HTTPS, but a proxy in front may.
    ClearText(Redirect),
}

/// The redirect that answers a path of `host` on port 80. `None`: the path is served in clear text.
pub(super) fn decide(
    ingress: &ParsedIngress,
    path: &PathMatch,
    host: &HostPattern,
    tls: Option<HostTls<'_>>,
    claims: &Claims<'_>,
    reports: &mut Reports,
) -> Option<HttpsRedirect> {
    if acme::is_challenge(path) {
        return None;
    }
    // Redirects where the host is served over TLS.
    let is_of_nginx = ingress.class.origin == ClassOrigin::IngressNginx;
    let redirect = match ingress.settings.redirect {
        None if is_of_nginx => Some(SslRedirect::PermanentRedirect),
        asked => asked,
    };
    let to = |port| match redirect {
        Some(SslRedirect::MovedPermanently) => Redirect::to_https(MOVED_PERMANENTLY, port),
        _ => permanent(ingress, port),
    };
    if let (Some(_), Some(port)) = (tls, ingress.ports.https)
        && !matches!(redirect, None | Some(SslRedirect::Off))
    {
        return Some(HttpsRedirect::All(to(port)));
    }
    // Redirects to whatever serves the host over HTTPS, be it another object.
    if ingress.settings.force_redirect != Some(true) {
        return None;
    }
    let port = tls.and(ingress.ports.https).or_else(|| claims.https_port(ingress.owner.namespace(), host));
    match port {
        Some(port) => Some(HttpsRedirect::All(permanent(ingress, port))),
        None if is_of_nginx => Some(HttpsRedirect::ClearText(permanent(ingress, HTTPS))),
        None => {
            reports.warning(
                &ingress.owner,
                annotation_field(FORCE),
                Reason::InvalidAnnotation,
                format!("nothing serves host {host} over HTTPS, so it is served over HTTP and not redirected"),
                "add the host to spec.tls",
            );
            None
        }
    }
}

/// The redirect of ingress-nginx to HTTPS.
fn permanent(ingress: &ParsedIngress, port: u16) -> Redirect {
    let RedirectSettings { preserve_trailing_slash, port: names_port, .. } = ingress.settings.redirects;
    let keeps_slash = preserve_trailing_slash.unwrap_or(ingress.class.origin != ClassOrigin::IngressNginx);
    Redirect {
        port: if names_port == Some(true) { RedirectPort::ListenerWritten(port) } else { RedirectPort::Listener(port) },
        path: if keeps_slash { RedirectPath::Keep } else { RedirectPath::KeepTrimmed },
        ..Redirect::to_https(PERMANENT_REDIRECT, port)
    }
}

/// The policy that redirects clients that came in clear text.
pub(super) fn of_clear_text(ingress: &ParsedIngress, redirect: Redirect) -> ClearTextRedirect {
    let origin = PolicyOrigin { owner: Arc::clone(&ingress.owner), field: annotation_field(FORCE).into() };
    ClearTextRedirect { origin, redirect: Arc::new(redirect) }
}

/// Whether a path that is not redirected must not be served in clear text either.
pub(super) fn refuses_clear_text(
    ingress: &ParsedIngress,
    path: &PathMatch,
    host: &HostPattern,
    tls: Option<HostTls<'_>>,
    reports: &mut Reports,
) -> bool {
    if ingress.is_tls_only(host, path) {
        return true;
    }
    let refuses = ingress.settings.allow_http == Some(false) && !acme::is_challenge(path);
    if refuses && tls.is_none() {
        reports.warning(
            &ingress.owner,
            annotation_field("kubernetes.io/ingress.allow-http"),
            Reason::InvalidAnnotation,
            format!("host {host} is not to be served in clear text, and nothing serves it over TLS, so it answers 404"),
            "add the host to spec.tls, or remove the annotation",
        );
    }
    refuses
}
