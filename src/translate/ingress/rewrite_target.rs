//! Rewrites of paths, in the words of ingress-nginx: `rewrite-target` and `x-forwarded-prefix`.
//!
//! The text of an annotation is taken apart once. What a group has matched is put in between the parts, and is never read again.

use std::sync::Arc;

use http::HeaderName;

use super::backend_ref::BackendField;
use crate::api::annotations::PathSettings;
use crate::model::rewrite::{
    HeaderRewrite, RewriteCondition, RewriteRule, ServerVariable, Template, TemplatePart, UrlRewrite, Variable,
};
use crate::model::{ObjectRef, PathMatch, PolicyOrigin, RewriteSet, has_dots};
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;

const REWRITE_TARGET: &str = "nginx.ingress.kubernetes.io/rewrite-target";
const FORWARDED_PREFIX: &str = "nginx.ingress.kubernetes.io/x-forwarded-prefix";
const FORWARDED_PREFIX_HEADER: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// A path of a rule whose requests are rewritten.
pub(super) struct RewrittenPath<'a> {
    pub(super) owner: &'a Arc<ObjectRef>,
    pub(super) field: BackendField,
    /// The path, as it is written.
    pub(super) text: &'a str,
    pub(super) path: &'a PathMatch,
}

impl RewrittenPath<'_> {
    /// The rewrite that annotations ask for. There is none where the target is the path itself.
    pub(super) fn rewrites(&self, settings: &PathSettings, reports: &mut Reports) -> Option<Arc<RewriteSet>> {
        let Self { owner, text, .. } = *self;
        let target = settings.rewrite_target.as_deref().filter(|target| *target != text)?;
        if has_dots(target) {
            let message = format!("{target:?} has '.' or '..' elements, so paths are not rewritten");
            let field = annotation_field(REWRITE_TARGET);
            reports.error(owner, field, Reason::InvalidAnnotation, message, "write the path without them");
            return None;
        }
        let prefix = settings.forwarded_prefix.as_deref();
        let rule = RewriteRule {
            name: "rewrite-target".into(),
            conditions: self.condition([Some(target), prefix]).into_iter().collect(),
            request_headers: prefix.map(|text| self.header(text, reports)).into_iter().collect(),
            response_headers: Box::default(),
            url: Some(UrlRewrite {
                path: Some(self.template(target, REWRITE_TARGET, reports)),
                query: None,
                reroute: false,
            }),
        };
        let origin = PolicyOrigin { owner: Arc::clone(owner), field: annotation_field(REWRITE_TARGET).into() };
        Some(Arc::new(RewriteSet::new(origin, [rule].into())))
    }

    fn header(&self, text: &str, reports: &mut Reports) -> HeaderRewrite {
        let value = self.template(text, FORWARDED_PREFIX, reports);
        HeaderRewrite { name: FORWARDED_PREFIX_HEADER, matcher: None, value }
    }

    /// The condition whose groups the texts name, if they name any. It is met by every request that has come to the path.
    fn condition(&self, texts: [Option<&str>; 2]) -> Option<RewriteCondition> {
        let PathMatch::Regex(regex) = self.path else { return None };
        let has_groups = texts.into_iter().flatten().any(|text| text.contains('$'));
        has_groups.then(|| RewriteCondition {
            variable: Variable::Server(ServerVariable::UriPath),
            pattern: regex.pattern().clone(),
            negate: false,
        })
    }

    /// Takes a text apart: what stands between `$1` to `$9`. A group that the path does not have is empty.
    fn template(&self, text: &str, annotation: &str, reports: &mut Reports) -> Template {
        let groups = match self.path {
            PathMatch::Regex(regex) => regex.pattern().groups(),
            _ => 0,
        };
        let mut pieces = text.split('$');
        let mut parts: Vec<TemplatePart> = literal(pieces.next().unwrap_or_default()).into_iter().collect();
        for piece in pieces {
            let (digit, rest) = piece.split_at_checked(1).unwrap_or_default();
            let group: usize = digit.parse().unwrap_or_default();
            if (1..=groups).contains(&group) {
                parts.push(TemplatePart::Capture { condition: 0, group });
            } else {
                let Self { owner, field, text, .. } = self;
                let message = format!("the path {text:?} at {field} has {groups} groups, so ${digit} is empty for it");
                let remedy = format!("add a group in parentheses to the path, or remove ${digit}");
                reports.warning(owner, annotation_field(annotation), Reason::InvalidAnnotation, message, remedy);
            }
            parts.extend(literal(rest));
        }
        Template(parts.into())
    }
}

fn literal(text: &str) -> Option<TemplatePart> {
    (!text.is_empty()).then(|| TemplatePart::Text(text.into()))
}
