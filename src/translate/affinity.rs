//! Sticky sessions: the affinity cookie that annotations and settings ask for.

use md5::{Digest, Md5};

use crate::api::annotations::{self, AffinityBy, AffinitySettings, SessionCookie};
use crate::api::cookie;
use crate::model::{Affinity, CookieSecure, ForwardOptions, ObjectRef, PathMatch, SameSite};
use crate::report::Reason;
use crate::source::Key;

use super::report::Reports;
use super::rewrite;

/// The name of the cookie in Azure.
pub(super) const AZURE_NAME: &str = "ApplicationGatewayAffinity";

/// The cookies of Azure: one for requests of the site itself and, over HTTPS, one for requests from other sites.
pub(super) fn azure(name: String) -> Affinity {
    Affinity {
        cookie: name,
        path: "/".to_owned(),
        domain: None,
        max_age: None,
        same_site: None,
        secure: CookieSecure::Never,
        cors: true,
    }
}

/// The cookie that annotations ask for, for requests to `path` that go to a Service.
pub(super) fn from_annotations(settings: &AffinitySettings, service: &Key, path: &PathMatch) -> Option<Affinity> {
    match settings.by? {
        AffinityBy::Off => None,
        AffinityBy::Agic => Some(azure(match (settings.distinct_name, &settings.agic_cookie) {
            (Some(true), _) => distinct_name(service),
            (_, Some(name)) => name.clone(),
            (_, None) => AZURE_NAME.to_owned(),
        })),
        AffinityBy::IngressNginx => Some(ingress_nginx(&settings.cookie, path)),
    }
}

/// The cookie of ingress-nginx.
fn ingress_nginx(settings: &SessionCookie, path: &PathMatch) -> Affinity {
    // The cookie is limited to the path of the route, so that cookies of several backends do not replace each other.
    let own_path =
        || Some(rewrite::literal(path)).filter(|path| cookie::is_path(path)).unwrap_or_else(|| "/".to_owned());
    Affinity {
        cookie: settings.name.clone().unwrap_or_else(|| "INGRESSCOOKIE".to_owned()),
        path: settings.path.clone().unwrap_or_else(own_path),
        domain: settings.domain.clone(),
        max_age: settings.max_age.or(settings.expires),
        same_site: settings.same_site.map(|same_site| match same_site {
            annotations::SameSiteSetting::None => SameSite::None,
            annotations::SameSiteSetting::Lax => SameSite::Lax,
            annotations::SameSiteSetting::Strict => SameSite::Strict,
        }),
        secure: match settings.secure {
            None => CookieSecure::OverTls,
            Some(true) => CookieSecure::Always,
            Some(false) => CookieSecure::Never,
        },
        cors: false,
    }
}

/// The name that AGIC gives to the cookie of a Service. Clients keep their cookie when an Ingress moves here, and nothing rests on the
/// hash being hard to collide.
fn distinct_name(service: &Key) -> String {
    let hash = Md5::digest(format!("{}-{}", service.namespace(), service.name()));
    hash.iter().fold("appgw-affinity-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// The key of the annotation that asks for affinity.
pub(super) fn annotation_key(settings: &AffinitySettings) -> &'static str {
    match settings.by {
        Some(AffinityBy::IngressNginx) => "nginx.ingress.kubernetes.io/affinity",
        _ => "appgw.ingress.kubernetes.io/cookie-based-affinity",
    }
}

/// Reports options with both affinity and rebalancing: the cookie would bring the clients of rebalanced sessions back
/// to their member. `field` is the one that asks for affinity.
pub(super) fn check(owner: &ObjectRef, field: &str, options: &ForwardOptions, reports: &mut Reports) {
    if options.affinity.is_some() && options.websocket.rebalance.is_some() {
        reports.warning(
            owner,
            field,
            Reason::Unsupported,
            "clients come back to the same member by their cookie, so rebalancing closes WebSocket sessions and moves nobody",
            "give up one of the two",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::model::{EncodedSlashes, HostHeader, Kind, WebSocket};

    #[test]
    fn affinity_and_rebalancing_together_are_reported() {
        let owner = ObjectRef::new(Kind::Ingress, "default", "site");
        for (affinity, rebalance, expected) in [(true, Some(10), 1), (true, None, 0), (false, Some(10), 0)] {
            let options = ForwardOptions {
                host: HostHeader::Preserve,
                rewrite: None,
                encoded_slashes: EncodedSlashes::Keep,
                request_timeout: Duration::from_secs(30),
                websocket: Arc::new(WebSocket { rebalance, ..WebSocket::default() }),
                upgrade_protocols: None,
                affinity: affinity.then(|| Arc::new(azure(AZURE_NAME.to_owned()))),
            };
            let mut reports = Reports::default();
            check(&owner, "field", &options, &mut reports);
            assert_eq!(reports.into_sorted().len(), expected, "{affinity} {rebalance:?}");
        }
    }

    #[test]
    fn a_path_that_no_cookie_can_have_gives_a_cookie_for_all() {
        let settings = AffinitySettings { by: Some(AffinityBy::IngressNginx), ..AffinitySettings::default() };
        for (path, expected) in [("/", "/"), ("/a/", "/a"), ("/a;b", "/"), ("/é", "/%C3%A9")] {
            let path = PathMatch::prefix(path).expect("a path");
            let affinity = from_annotations(&settings, &Key::new("default", "web"), &path).expect("affinity is on");
            assert_eq!(affinity.path, expected);
        }
    }
}
