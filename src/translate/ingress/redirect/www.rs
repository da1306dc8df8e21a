//! Redirects between a host and `www.` before it, in the words of ingress-nginx: `from-to-www-redirect`.

use std::sync::Arc;

use crate::model::{Action, HostPattern, Redirect, RedirectPath, RedirectPort, RedirectQuery, UrlScheme};

use super::PERMANENT_REDIRECT;

pub(in crate::translate::ingress) const ANNOTATION: &str = "nginx.ingress.kubernetes.io/from-to-www-redirect";

/// The host that is redirected to a host of a rule, and the host to which it is: each is the other's.
pub(in crate::translate::ingress) fn counterpart(host: &HostPattern) -> Option<HostPattern> {
    let HostPattern::Exact(name) = host else { return None };
    let other = name.strip_prefix("www.").map_or_else(|| format!("www.{name}"), str::to_owned);
    HostPattern::ingress(&other).ok().filter(|other| matches!(other, HostPattern::Exact(_)))
}

/// The redirect of every request for `host` to its counterpart.
pub(in crate::translate::ingress) fn action(host: &HostPattern) -> Option<Action> {
    let Some(HostPattern::Exact(to)) = counterpart(host) else { return None };
    Some(Action::Redirect(Arc::new(Redirect {
        status: PERMANENT_REDIRECT,
        scheme: UrlScheme::Keep,
        host: Some(to),
        port: RedirectPort::ClientWritten,
        path: RedirectPath::KeepTrimmed,
        query: RedirectQuery { own: None, keep: true },
        fragment: None,
    })))
}
