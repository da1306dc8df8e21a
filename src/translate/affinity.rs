//! Sticky sessions: the cookie that annotations and settings ask for.

use aws_lc_rs::digest::{SHA256, digest};

use crate::api::annotations::{self, AffinityBy, AffinitySettings, SessionCookie};
use crate::api::cookie;
use crate::model::{Affinity, Backend, CookieSecure, ObjectRef, PathMatch, PoolId, SameSite};
use crate::report::Reason;

use super::report::Reports;
use super::rewrite;

/// Azure's name for the cookie.
pub(super) const AZURE_NAME: &str = "ApplicationGatewayAffinity";

/// Azure's cookies: one for this site, and over HTTPS one for requests from other sites.
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

/// What annotations ask for, for the requests to `path` that go to `pool`.
pub(super) fn annotated(settings: &AffinitySettings, pool: &PoolId, path: &PathMatch) -> Option<Affinity> {
    match settings.by? {
        AffinityBy::Off => None,
        AffinityBy::Agic => Some(azure(match settings.distinct_name {
            Some(true) => format!("{AZURE_NAME}{}", short_hash(pool)),
            _ => AZURE_NAME.to_owned(),
        })),
        AffinityBy::IngressNginx => Some(ingress_nginx(&settings.cookie, path)),
    }
}

fn ingress_nginx(asked: &SessionCookie, path: &PathMatch) -> Affinity {
    // A cookie of each path: those of two backends do not take each other's place.
    let own = || Some(rewrite::literal(path)).filter(|path| cookie::is_path(path)).unwrap_or_else(|| "/".to_owned());
    Affinity {
        cookie: asked.name.clone().unwrap_or_else(|| "INGRESSCOOKIE".to_owned()),
        path: asked.path.clone().unwrap_or_else(own),
        domain: asked.domain.clone(),
        max_age: asked.max_age.or(asked.expires),
        same_site: asked.same_site.map(|same_site| match same_site {
            annotations::SameSiteSetting::None => SameSite::None,
            annotations::SameSiteSetting::Lax => SameSite::Lax,
            annotations::SameSiteSetting::Strict => SameSite::Strict,
        }),
        secure: match asked.secure {
            None => CookieSecure::OverTls,
            Some(true) => CookieSecure::Always,
            Some(false) => CookieSecure::Never,
        },
        cors: false,
    }
}

fn short_hash(pool: &PoolId) -> String {
    digest(&SHA256, pool.0.as_bytes()).as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The annotation that asks for affinity.
pub(super) fn annotation(settings: &AffinitySettings) -> &'static str {
    match settings.by {
        Some(AffinityBy::IngressNginx) => "nginx.ingress.kubernetes.io/affinity",
        _ => "appgw.ingress.kubernetes.io/cookie-based-affinity",
    }
}

/// Tells of a backend whose sessions are to be moved to other members, and are kept on theirs: `field` asks for the latter.
pub(super) fn check(owner: &ObjectRef, field: &str, backend: &Backend, reports: &mut Reports) {
    if backend.affinity.is_some() && backend.websocket.rebalance.is_some() {
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
    use crate::model::{ForwardOptions, HostHeader, Kind, WebSocket};

    #[test]
    fn affinity_and_rebalancing_together_are_told() {
        let owner = ObjectRef::new(Kind::Ingress, "default", "site");
        for (affinity, rebalance, expected) in [(true, Some(10), 1), (true, None, 0), (false, Some(10), 0)] {
            let options = ForwardOptions {
                host: HostHeader::Preserve,
                rewrite: None,
                request_timeout: Duration::from_secs(30),
                websocket: Arc::new(WebSocket { rebalance, ..WebSocket::default() }),
                affinity: affinity.then(|| Arc::new(azure(AZURE_NAME.to_owned()))),
            };
            let backend = Backend { pool: PoolId("pool".into()), options: Arc::new(options) };
            let mut reports = Reports::default();
            check(&owner, "field", &backend, &mut reports);
            assert_eq!(reports.into_sorted().len(), expected, "{affinity} {rebalance:?}");
        }
    }

    #[test]
    fn a_path_that_no_cookie_can_have_gives_a_cookie_for_all() {
        let settings = AffinitySettings { by: Some(AffinityBy::IngressNginx), ..AffinitySettings::default() };
        for (path, expected) in [("/", "/"), ("/a/", "/a"), ("/a;b", "/"), ("/é", "/%C3%A9")] {
            let path = PathMatch::prefix(path).expect("a path");
            let affinity = annotated(&settings, &PoolId("pool".into()), &path).expect("asked for");
            assert_eq!(affinity.path, expected);
        }
    }
}
