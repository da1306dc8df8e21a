//! Headers that backends behind ingress-nginx get, besides those that all backends get here.

use std::sync::Arc;

use http::HeaderName;

use crate::model::rewrite::{HeaderRewrite, RewriteRule, ServerVariable, Template, TemplatePart, Variable};
use crate::model::{ObjectRef, PolicyOrigin, RewriteSet};
use crate::translate::class::ClassOrigin;

/// The headers and what they are made of. What a client sends in one of them is replaced, or removed if there is no value.
const HEADERS: [(HeaderName, Source); 4] = [
    (HeaderName::from_static("x-scheme"), Source::Scheme),
    (HeaderName::from_static("x-forwarded-scheme"), Source::Scheme),
    (HeaderName::from_static("x-original-forwarded-for"), Source::Header(HeaderName::from_static("x-forwarded-for"))),
    (HeaderName::from_static("x-original-forwarded-host"), Source::Header(HeaderName::from_static("x-forwarded-host"))),
];

enum Source {
    Scheme,
    /// What the client sent in another header.
    Header(HeaderName),
}

/// The rewrite that sets them, for Ingresses of a class of ingress-nginx.
pub(super) fn rewrites(owner: &Arc<ObjectRef>, origin: ClassOrigin) -> Option<Arc<RewriteSet>> {
    if origin != ClassOrigin::IngressNginx {
        return None;
    }
    let header = |(name, source): (HeaderName, Source)| {
        let variable = match source {
            Source::Scheme => Variable::Server(ServerVariable::RequestScheme),
            Source::Header(name) => Variable::RequestHeader(name),
        };
        HeaderRewrite { name, matcher: None, value: Template([TemplatePart::Variable(variable)].into()) }
    };
    let rule = RewriteRule {
        name: "ingress-nginx".into(),
        conditions: Box::default(),
        request_headers: HEADERS.into_iter().map(header).collect(),
        response_headers: Box::default(),
        url: None,
    };
    let origin = PolicyOrigin { owner: Arc::clone(owner), field: "spec.ingressClassName".into() };
    Some(Arc::new(RewriteSet::new(origin, [rule].into())))
}
