//! Redirects of all requests to one URL, in the words of ingress-nginx: `temporal-redirect` and `permanent-redirect`.

use std::sync::Arc;

use crate::api::annotations::RedirectSettings;
use crate::model::{ObjectRef, Redirect, RedirectPath, RedirectPort, RedirectQuery, RedirectUrl, UrlScheme};
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;

const MOVED_PERMANENTLY: u16 = 301;
const FOUND: u16 = 302;

/// The redirect that annotations ask for. One that can't be made is reported, and requests are served.
pub(in crate::translate::ingress) fn read(
    owner: &ObjectRef,
    settings: &RedirectSettings,
    reports: &mut Reports,
) -> Option<Arc<Redirect>> {
    let RedirectSettings { permanent, permanent_code, temporal, temporal_code, relative, .. } = settings;
    let (key, text, status) = match (temporal, permanent) {
        (Some(url), _) => ("temporal-redirect", url, temporal_code.unwrap_or(FOUND)),
        (None, Some(url)) => ("permanent-redirect", url, permanent_code.unwrap_or(MOVED_PERMANENTLY)),
        (None, None) => return None,
    };
    if text.starts_with('/') {
        let scheme = if *relative == Some(true) { UrlScheme::Relative } else { UrlScheme::Keep };
        let (path, query) = text.split_once('?').map_or((&**text, None), |(path, query)| (path, Some(query)));
        return Some(Arc::new(Redirect {
            status,
            scheme,
            host: None,
            port: RedirectPort::None,
            path: RedirectPath::Replace(path.into()),
            query: RedirectQuery { own: query.map(Into::into), keep: false },
            fragment: None,
        }));
    }
    match RedirectUrl::parse(text) {
        Ok(url) => Some(Arc::new(url.redirect(status))),
        Err(problem) => {
            let field = annotation_field(&format!("nginx.ingress.kubernetes.io/{key}"));
            let message = format!("{text:?} is no URL to redirect to, so requests are not redirected: {problem}");
            reports.error(
                owner,
                field,
                Reason::InvalidAnnotation,
                message,
                "write a URL such as https://www.example.com/path",
            );
            None
        }
    }
}
