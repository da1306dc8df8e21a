//! Redirects from port 80 to HTTPS: only where an annotation or the class asks for it.

use crate::api::annotations::Redirect;
use crate::model::{HostPattern, PathMatch};
use crate::report::Reason;

use super::HTTPS;
use super::host_tls::HostTls;
use super::parsed::ParsedIngress;
use crate::translate::claim::Claims;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;

/// Status and port of the redirect that a clear-text route of `host` is, if it is one.
pub(super) fn decide(
    ingress: &ParsedIngress,
    path: &PathMatch,
    host: &HostPattern,
    tls: Option<HostTls<'_>>,
    claims: &Claims<'_>,
    reports: &mut Reports,
) -> Option<(u16, u16)> {
    if is_acme_challenge(path) {
        return None;
    }
    let status = match ingress.settings.redirect {
        Some(Redirect::Off) => None,
        Some(Redirect::MovedPermanently) => tls.map(|_| 301),
        Some(Redirect::PermanentRedirect) => tls.map(|_| 308),
        None if ingress.ingress_nginx => tls.filter(|tls| !tls.inherited).map(|_| 308),
        None => None,
    };
    if let Some(status) = status {
        return Some((status, HTTPS));
    }
    if ingress.settings.force_redirect != Some(true) {
        return None;
    }
    let port = tls.map(|_| HTTPS).or_else(|| claims.https_port(host));
    if port.is_none() {
        reports.warning(
            &ingress.owner,
            annotation_field("nginx.ingress.kubernetes.io/force-ssl-redirect"),
            Reason::InvalidAnnotation,
            format!("nothing serves host {host} over HTTPS, so it is served over HTTP and not redirected"),
            "add the host to spec.tls",
        );
    }
    Some((308, port?))
}

/// A certificate authority asks for its challenge on port 80, often before there is a certificate (RFC 8555
/// section 8.3).
fn is_acme_challenge(path: &PathMatch) -> bool {
    let (PathMatch::Exact(text) | PathMatch::Prefix(text)) = path else { return false };
    text.strip_prefix("/.well-known/acme-challenge").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
