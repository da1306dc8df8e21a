//! The redirect of `/` to the root of an application, in the words of ingress-nginx: `app-root`. It is for the host as a whole.

use std::sync::Arc;

use crate::model::{Action, HostPattern, PathMatch, Redirect, RedirectPath, RedirectPort, RedirectQuery, UrlScheme};
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::ingress::merge::MergedPath;
use crate::translate::ingress::parsed::ParsedIngress;
use crate::translate::report::Reports;

pub(in crate::translate::ingress) const ANNOTATION: &str = "nginx.ingress.kubernetes.io/app-root";

const FOUND: u16 = 302;

/// The path that is redirected, and what is done with its requests.
pub(in crate::translate::ingress) fn route(ingress: &ParsedIngress) -> Option<(PathMatch, Action)> {
    let root = ingress.settings.paths.app_root.as_deref()?;
    let redirect = Redirect {
        status: FOUND,
        scheme: UrlScheme::Keep,
        host: None,
        port: RedirectPort::Client,
        path: RedirectPath::Replace(root.into()),
        query: RedirectQuery { own: None, keep: false },
        fragment: None,
    };
    Some((PathMatch::Exact("/".into()), Action::Redirect(Arc::new(redirect))))
}

/// Takes the path out that is redirected, where some rule has it. That is reported.
pub(in crate::translate::ingress) fn take_path(
    owner: &ParsedIngress,
    host: &HostPattern,
    path: &PathMatch,
    paths: &mut Vec<MergedPath<'_>>,
    reports: &mut Reports,
) {
    paths.retain(|merged| {
        if merged.path.path != *path {
            return true;
        }
        let message = format!("{} redirects / of host {host} by {}", owner.owner, annotation_field(ANNOTATION));
        let remedy = "remove the path or that annotation";
        reports.warning(&merged.ingress.owner, merged.field().to_string(), Reason::Conflict, message, remedy);
        false
    });
}
