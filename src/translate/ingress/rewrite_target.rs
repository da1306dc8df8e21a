//! What backends get of paths and hosts, in the words of ingress-nginx: `rewrite-target`, `x-forwarded-prefix`, `upstream-vhost`.
//!
//! The text of an annotation is taken apart once. What a group has matched is put in between the parts, and is never read again.

use std::sync::Arc;

use http::{HeaderName, header};

use super::backend_ref::{BackendField, BackendTarget};
use super::variables::VariableScope;
use crate::api::annotations::PathSettings;
use crate::model::rewrite::{
    HeaderRewrite, RewriteCondition, RewriteRule, ServerVariable, Template, TemplatePart, UrlRewrite, Variable,
};
use crate::model::{ObjectRef, PathMatch, PolicyOrigin, RewriteSet, has_dots};
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::report::Reports;

const REWRITE_TARGET: &str = "nginx.ingress.kubernetes.io/rewrite-target";
const UPSTREAM_VHOST: &str = "nginx.ingress.kubernetes.io/upstream-vhost";
const FORWARDED_PREFIX: &str = "nginx.ingress.kubernetes.io/x-forwarded-prefix";
const FORWARDED_PREFIX_HEADER: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// A path of a rule whose requests are rewritten.
pub(super) struct RewrittenPath<'a> {
    pub(super) owner: &'a Arc<ObjectRef>,
    pub(super) field: BackendField,
    /// The path, as it is written.
    pub(super) text: &'a str,
    pub(super) path: &'a PathMatch,
    /// Its backend.
    pub(super) target: &'a BackendTarget,
}

impl RewrittenPath<'_> {
    /// The rewrite that annotations ask for, if they do.
    pub(super) fn rewrites(&self, settings: &PathSettings, reports: &mut Reports) -> Option<Arc<RewriteSet>> {
        let (field, rules): (&str, Vec<RewriteRule>) =
            match (self.path_rule(settings, reports), self.host_rule(settings, reports)) {
                (None, None) => return None,
                (Some(path), host) => (REWRITE_TARGET, [path].into_iter().chain(host).collect()),
                (None, Some(host)) => (UPSTREAM_VHOST, vec![host]),
            };
        let origin = PolicyOrigin { owner: Arc::clone(self.owner), field: annotation_field(field).into() };
        Some(Arc::new(RewriteSet::new(origin, rules.into())))
    }

    /// What becomes of the path. Nothing, where the target is the path itself.
    fn path_rule(&self, settings: &PathSettings, reports: &mut Reports) -> Option<RewriteRule> {
        let Self { owner, text, .. } = *self;
        let target = settings.rewrite_target.as_deref().filter(|target| *target != text)?;
        if has_dots(target) {
            let message = format!("{target:?} has '.' or '..' elements, so paths are not rewritten");
            let field = annotation_field(REWRITE_TARGET);
            reports.error(owner, field, Reason::InvalidAnnotation, message, "write the path without them");
            return None;
        }
        let prefix = settings.forwarded_prefix.as_deref();
        Some(RewriteRule {
            name: "rewrite-target".into(),
            conditions: self.condition([Some(target), prefix]).into_iter().collect(),
            request_headers: prefix.map(|text| self.header(text, reports)).into_iter().collect(),
            response_headers: Box::default(),
            url: Some(UrlRewrite {
                path: Some(self.template(target, REWRITE_TARGET, reports)),
                query: None,
                reroute: false,
            }),
        })
    }

    /// What becomes of the host, where variables make it.
    fn host_rule(&self, settings: &PathSettings, reports: &mut Reports) -> Option<RewriteRule> {
        let Self { owner, target, text, .. } = *self;
        let host = settings.host.as_deref()?;
        let value = VariableScope { owner, target, path: text }.template(host).map_err(|unknown| {
            let message = format!("there is no variable ${unknown}, so backends get the host of the client");
            let remedy = "use $service_name, $namespace, $service_port, $ingress_name, $host or $http_…";
            reports.error(owner, annotation_field(UPSTREAM_VHOST), Reason::InvalidAnnotation, message, remedy);
        });
        Some(RewriteRule {
            name: "upstream-vhost".into(),
            conditions: Box::default(),
            request_headers: [HeaderRewrite { name: header::HOST, matcher: None, value: value.ok()? }].into(),
            response_headers: Box::default(),
            url: None,
        })
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
