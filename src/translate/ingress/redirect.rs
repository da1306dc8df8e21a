//! Redirects from port 80 to HTTPS, where an annotation or the class asks for them.

use super::acme;
use super::host_tls::HostTls;
use super::parsed::ParsedIngress;
use crate::api::annotations::SslRedirect;
use crate::model::{HostPattern, PathMatch, Redirect};
use crate::report::Reason;
use crate::translate::claim::Claims;
use crate::translate::class::{ClassOrigin, annotation_field};
use crate::translate::report::Reports;

const MOVED_PERMANENTLY: u16 = 301;
const PERMANENT_REDIRECT: u16 = 308;

/// The redirect that answers a path of `host` on port 80. `None`: the path is served in clear text.
pub(super) fn decide(
    ingress: &ParsedIngress,
    path: &PathMatch,
    host: &HostPattern,
    tls: Option<HostTls<'_>>,
    claims: &Claims<'_>,
    reports: &mut Reports,
) -> Option<Redirect> {
    if acme::is_challenge(path) {
        return None;
    }
    // Redirects where the host is served over TLS.
    let status = match ingress.settings.redirect {
        Some(SslRedirect::Off) => None,
        Some(SslRedirect::MovedPermanently) => tls.map(|_| MOVED_PERMANENTLY),
        Some(SslRedirect::PermanentRedirect) => tls.map(|_| PERMANENT_REDIRECT),
        None if ingress.origin == ClassOrigin::IngressNginx => {
            tls.filter(|tls| !tls.inherited).map(|_| PERMANENT_REDIRECT)
        }
        None => None,
    };
    if let (Some(status), Some(port)) = (status, ingress.ports.https) {
        return Some(Redirect::to_https(status, port));
    }
    // Redirects to whatever serves the host over HTTPS, be it another object.
    if ingress.settings.force_redirect != Some(true) {
        return None;
    }
    let port = tls.and(ingress.ports.https).or_else(|| claims.https_port(ingress.owner.namespace(), host));
    if port.is_none() {
        reports.warning(
            &ingress.owner,
            annotation_field("nginx.ingress.kubernetes.io/force-ssl-redirect"),
            Reason::InvalidAnnotation,
            format!("nothing serves host {host} over HTTPS, so it is served over HTTP and not redirected"),
            "add the host to spec.tls",
        );
    }
    Some(Redirect::to_https(PERMANENT_REDIRECT, port?))
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
