//! Rewrites of headers and URLs (ARM `rewriteRuleSets`).

mod header;
mod template;
mod variable;

use std::sync::Arc;

use http::HeaderName;
use serde::{Serialize, Serializer};

use super::PolicyOrigin;
use crate::model::Pattern;

pub use header::{Direction, HeaderNameError, rewritable_header};
pub use template::{Template, TemplateError, TemplatePart, TemplateScope};
pub use variable::{ServerVariable, Stage, Variable, VariableError};

/// Rules that rewrite the requests of a route and their answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RewriteSet {
    /// Who asked for it.
    pub origin: PolicyOrigin,
    /// The rules, in the order in which they are applied.
    pub rules: Box<[RewriteRule]>,
    /// The headers of the request that the rules look at once there is an answer: they are kept until then.
    #[serde(skip)]
    kept_headers: Box<[HeaderName]>,
    /// Whether the rules look at headers of the answer.
    #[serde(skip)]
    looks_at_answers: bool,
}

/// What is rewritten, and in which case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RewriteRule {
    /// Its name, for people.
    pub name: Arc<str>,
    /// The conditions, all of which have to be met. Where something of a request is rewritten, none looks at the answer.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub conditions: Box<[RewriteCondition]>,
    /// Headers of the request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub request_headers: Box<[HeaderRewrite]>,
    /// Headers of the answer.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub response_headers: Box<[HeaderRewrite]>,
    /// The URL that the backend gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<UrlRewrite>,
}

/// A condition: the value of a variable matches a pattern, or does not. What is not there has the empty value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RewriteCondition {
    /// What is looked at.
    pub variable: Variable,
    /// The pattern, which may match anywhere in the value.
    pub pattern: Pattern,
    /// Whether the condition is met where the pattern does not match.
    #[serde(skip_serializing_if = "is_false")]
    pub negate: bool,
}

/// A header that is set or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeaderRewrite {
    /// The header: none that belongs to one connection, or tells where a message ends.
    #[serde(serialize_with = "as_text")]
    pub name: HeaderName,
    /// Which of several values are rewritten, each by itself. `None`: one value takes the place of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matcher: Option<ValueMatcher>,
    /// The new value. Empty: the header, or the value, is removed.
    pub value: Template,
}

/// A choice among the values of a header (ARM `headerValueMatcher`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueMatcher {
    /// The pattern that values match.
    pub pattern: Pattern,
    /// Whether the values are meant that do not match.
    #[serde(skip_serializing_if = "is_false")]
    pub negate: bool,
}

/// The URL that a backend gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UrlRewrite {
    /// The path. `None`: it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Template>,
    /// The query. Empty: it is removed; `None`: it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Template>,
    /// Whether the new path decides on the route, once.
    #[serde(skip_serializing_if = "is_false")]
    pub reroute: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn as_text<S: Serializer>(name: &HeaderName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

impl RewriteSet {
    /// A set of these rules, which are in the order in which they are applied.
    pub fn new(origin: PolicyOrigin, rules: Box<[RewriteRule]>) -> Self {
        let of_answers = rules.iter().filter(|rule| !rule.response_headers.is_empty());
        let variables = || of_answers.clone().flat_map(RewriteRule::answer_variables);
        let looks_at_answers = variables().any(|variable| matches!(variable, Variable::ResponseHeader(_)));
        let mut kept: Vec<HeaderName> = variables().filter_map(Variable::request_header).collect();
        kept.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        kept.dedup();
        Self { origin, kept_headers: kept.into(), looks_at_answers, rules }
    }

    /// The rules of this set, and then those of another.
    pub fn followed_by(&self, other: &Self) -> Self {
        Self::new(self.origin.clone(), self.rules.iter().chain(&other.rules).cloned().collect())
    }

    /// The headers of the request that the rules look at once there is an answer.
    pub fn kept_headers(&self) -> &[HeaderName] {
        &self.kept_headers
    }

    /// Whether the rules look at headers of the answer.
    pub fn looks_at_answers(&self) -> bool {
        self.looks_at_answers
    }

    /// Whether the path that it writes may decide on the route.
    pub fn may_reroute(&self) -> bool {
        self.rules.iter().any(|rule| rule.url.as_ref().is_some_and(|url| url.reroute))
    }

    /// Whether it rewrites answers.
    pub fn rewrites_answers(&self) -> bool {
        self.rules.iter().any(|rule| !rule.response_headers.is_empty())
    }
}

impl RewriteRule {
    /// Whether it rewrites something of requests.
    pub fn rewrites_requests(&self) -> bool {
        !self.request_headers.is_empty() || self.url.is_some()
    }

    /// Everything that its conditions and its headers of answers look at.
    fn answer_variables(&self) -> impl Iterator<Item = &Variable> {
        let values = self.response_headers.iter().flat_map(|header| header.value.variables());
        self.conditions.iter().map(|condition| &condition.variable).chain(values)
    }
}
