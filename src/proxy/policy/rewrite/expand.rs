//! From templates to values. What a variable gives is put in as it is, or escaped where a URL asks for that; it is never read as a template.

use regex::bytes::Captures;

use super::facts::Facts;
use crate::model::rewrite::{RewriteRule, ServerVariable, Template, TemplatePart, Variable};
use crate::model::{escape_target, has_dots, normalise_path};
use crate::proxy::limits::MAX_REWRITTEN_BYTES;

/// A rule whose conditions are met, with what the groups of their patterns have matched.
pub(super) struct MetRule<'r> {
    pub(super) rule: &'r RewriteRule,
    /// The groups of each condition, from the first, as far as they are used.
    groups: Vec<Box<[Box<[u8]>]>>,
}

/// A value that a template can't make of this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadValue {
    /// It is longer than a value may be.
    TooLong,
    /// A path has `.` or `..` elements, which come from the client.
    Dots,
}

/// Where a value is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    Header,
    Path,
    Query,
}

impl<'r> MetRule<'r> {
    /// The rule, if all its conditions are met.
    pub(super) fn check(rule: &'r RewriteRule, facts: &Facts<'_>) -> Option<Self> {
        let mut groups = Vec::new();
        for condition in &rule.conditions {
            let value = facts.value(&condition.variable);
            if condition.negate || condition.pattern.groups() == 0 {
                if condition.pattern.is_match(&value) == condition.negate {
                    return None;
                }
                groups.push(Box::default());
                continue;
            }
            let captures = condition.pattern.captures(&value)?;
            let matched = |group| captures.get(group).map(|group| group.as_bytes().into()).unwrap_or_default();
            groups.push((1..captures.len()).map(matched).collect());
        }
        Some(Self { rule, groups })
    }

    /// The value of a header. `matched` is the value that it takes the place of, where a matcher has chosen that.
    pub(super) fn header(
        &self,
        template: &Template,
        facts: &Facts<'_>,
        matched: Option<(&[u8], Option<&Captures<'_>>)>,
    ) -> Result<Vec<u8>, BadValue> {
        self.expand(template, facts, Context::Header, matched)
    }

    /// A path, in its normal form.
    pub(super) fn path(&self, template: &Template, facts: &Facts<'_>) -> Result<String, BadValue> {
        let mut path = self.expand(template, facts, Context::Path, None)?;
        if path.first() != Some(&b'/') {
            path.insert(0, b'/');
        }
        let path = String::from_utf8_lossy(&path);
        if has_dots(&path) {
            return Err(BadValue::Dots);
        }
        Ok(normalise_path(&path).into_owned())
    }

    /// A query.
    pub(super) fn query(&self, template: &Template, facts: &Facts<'_>) -> Result<String, BadValue> {
        let query = self.expand(template, facts, Context::Query, None)?;
        Ok(escape_target(&String::from_utf8_lossy(&query)).into_owned())
    }

    fn expand(
        &self,
        template: &Template,
        facts: &Facts<'_>,
        context: Context,
        matched: Option<(&[u8], Option<&Captures<'_>>)>,
    ) -> Result<Vec<u8>, BadValue> {
        let mut out = Vec::new();
        for part in &template.0 {
            match part {
                TemplatePart::Text(text) => out.extend_from_slice(text.as_bytes()),
                TemplatePart::Variable(variable) => put(&mut out, &facts.value(variable), variable, context),
                TemplatePart::Capture { condition, group } => {
                    let value = self.groups.get(*condition).and_then(|groups| groups.get(group - 1));
                    let variable = self.rule.conditions.get(*condition).map(|condition| &condition.variable);
                    if let (Some(value), Some(variable)) = (value, variable) {
                        put(&mut out, value, variable, context);
                    }
                }
                TemplatePart::MatchedValue => {
                    out.extend_from_slice(matched.map(|(value, _)| value).unwrap_or_default())
                }
                TemplatePart::MatchedGroup(group) => {
                    let value = matched.and_then(|(_, captures)| captures?.get(*group));
                    out.extend_from_slice(value.map(|value| value.as_bytes()).unwrap_or_default());
                }
            }
            if out.len() > MAX_REWRITTEN_BYTES {
                return Err(BadValue::TooLong);
            }
        }
        Ok(out)
    }
}

/// Puts the value of a variable in. What would begin another part of a URL is escaped: a client can add no parameter to a query by what it
/// writes into a path or a header, and no query to a path.
fn put(out: &mut Vec<u8>, value: &[u8], variable: &Variable, context: Context) {
    let escaped: &[u8] = match context {
        Context::Header => b"",
        Context::Path => b"?#",
        Context::Query if is_query(variable) => b"",
        Context::Query => b"&+;#",
    };
    if !value.iter().any(|byte| escaped.contains(byte)) {
        return out.extend_from_slice(value);
    }
    for byte in value {
        match escaped.contains(byte) {
            true => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            false => out.push(*byte),
        }
    }
}

/// Whether a variable is a query already, or ends in one.
fn is_query(variable: &Variable) -> bool {
    use ServerVariable::{QueryString, RequestQuery, RequestUri};
    matches!(variable, Variable::Server(QueryString | RequestQuery | RequestUri))
}
