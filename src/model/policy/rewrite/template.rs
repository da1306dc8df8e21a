//! Values with variables in them: `https://{var_host}{http_resp_Location_2}`. They are parsed once, when they are configured. What a
//! variable gives is put in and never read as a template again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderName;
use serde::{Serialize, Serializer};

use super::variable::{Stage, Variable, VariableError};
use super::{RewriteCondition, ValueMatcher};

/// A text with variables in it. Without any part it is the empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(pub Box<[TemplatePart]>);

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// This text.
    Text(Arc<str>),
    /// The value of a variable.
    Variable(Variable),
    /// What a group of a condition's pattern has matched.
    Capture {
        /// The index of the condition in its rule. It is not negated.
        condition: usize,
        /// The group, from 1.
        group: usize,
    },
    /// The value of the header that is being rewritten, which the matcher of its action chose.
    MatchedValue,
    /// What a group of the matcher has matched in that value, from 1.
    MatchedGroup(usize),
}

/// What the variables of a template may refer to.
#[derive(Debug, Clone, Copy)]
pub struct TemplateScope<'a> {
    /// When the template is used.
    pub stage: Stage,
    /// The conditions of its rule.
    pub conditions: &'a [RewriteCondition],
    /// The header that the action is for, and the matcher that chooses among its values.
    pub matched: Option<(&'a HeaderName, &'a ValueMatcher)>,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A variable begins and does not end.
    #[error("{0:?} has no closing brace")]
    Unclosed(String),
    /// What stands in braces is no variable.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// A capture has no condition whose pattern could have captured it.
    #[error("{0:?} stands for a group, but no condition of this rule that is not negated looks at {1}")]
    NoCondition(String, String),
    /// The pattern of the condition has not so many groups.
    #[error("{0:?} stands for group {1} of {2}, which has {3}")]
    NoGroup(String, usize, String, usize),
    /// A request is rewritten before there is an answer.
    #[error("{0:?} is of the answer, which is not there when a request is rewritten")]
    Answer(String),
    /// The text has a character that can't stand in a header or a URL.
    #[error("{0:?} is a control character")]
    Control(char),
}

impl Template {
    /// Parses a text. Braces that hold no variable are text: `{"group":"default"}`.
    ///
    /// # Errors
    /// A variable is unknown, or can't be used there.
    pub fn parse(text: &str, scope: TemplateScope<'_>) -> Result<Self, TemplateError> {
        if let Some(control) = text.chars().find(|c| c.is_control() && *c != '\t') {
            return Err(TemplateError::Control(control));
        }
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find('{') {
            let (before, from_brace) = rest.split_at(at);
            literal.push_str(before);
            let inner = &from_brace[1..];
            if !["var_", "http_req_", "http_resp_"].iter().any(|start| inner.starts_with(start)) {
                literal.push('{');
                rest = inner;
                continue;
            }
            let Some(end) = inner.find('}') else { return Err(TemplateError::Unclosed(from_brace.to_owned())) };
            if !literal.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(TemplatePart::parse(&inner[..end], scope)?);
            rest = &inner[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(TemplatePart::Text(literal.into()));
        }
        Ok(Self(parts.into()))
    }

    /// Whether it is the empty text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it may become: an `x` stands for the value of each variable.
    pub fn example(&self) -> String {
        let text = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => Arc::clone(text),
            _ => Arc::from("x"),
        };
        self.0.iter().map(text).fold(String::new(), |example, text| example + &text)
    }

    /// The variables whose values are put in as they are.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Variable(variable) => Some(variable),
            _ => None,
        })
    }
}

impl TemplatePart {
    /// Parses what stands in braces. A number at its end stands for a group of the pattern of the condition, or the matcher, that looks at
    /// the variable before it; of several conditions the last one counts.
    fn parse(text: &str, scope: TemplateScope<'_>) -> Result<Self, TemplateError> {
        let TemplateScope { stage, conditions, matched } = scope;
        let matcher_of = |variable: &Variable| {
            matched.filter(|(name, _)| matches!(variable, Variable::ResponseHeader(header) if header == *name))
        };
        let numbered = text.rsplit_once('_').and_then(|(name, group)| Some((name, group_number(group)?)));
        if let Some((name, group)) = numbered
            && let Ok(variable) = Variable::from_str(name)
        {
            let no_group = |groups| TemplateError::NoGroup(text.to_owned(), group, variable.to_string(), groups);
            if let Some((_, matcher)) = matcher_of(&variable)
                && !matcher.negate
            {
                let groups = matcher.pattern.groups();
                return if group <= groups { Ok(Self::MatchedGroup(group)) } else { Err(no_group(groups)) };
            }
            let looks = |condition: &RewriteCondition| condition.variable == variable && !condition.negate;
            match conditions.iter().rposition(looks) {
                Some(condition) => {
                    let groups = conditions[condition].pattern.groups();
                    let capture = Self::Capture { condition, group };
                    return if group <= groups { Ok(capture) } else { Err(no_group(groups)) };
                }
                // A cookie may have a name that ends so.
                None if matches!(variable, Variable::Cookie(_)) => {}
                None => return Err(TemplateError::NoCondition(text.to_owned(), variable.to_string())),
            }
        }
        let variable = Variable::from_str(text)?;
        if variable.stage() > stage {
            return Err(TemplateError::Answer(text.to_owned()));
        }
        Ok(if matcher_of(&variable).is_some() { Self::MatchedValue } else { Self::Variable(variable) })
    }
}

/// The number of a group: one or two digits, from 1.
fn group_number(text: &str) -> Option<usize> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}

impl fmt::Display for Template {
    /// Groups of conditions are shown as `{1.2}`: the second group of the condition that is listed first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            TemplatePart::Text(text) => f.write_str(text),
            TemplatePart::Variable(variable) => write!(f, "{{{variable}}}"),
            TemplatePart::Capture { condition, group } => write!(f, "{{{}.{group}}}", condition + 1),
            TemplatePart::MatchedValue => f.write_str("{matched}"),
            TemplatePart::MatchedGroup(group) => write!(f, "{{matched.{group}}}"),
        })
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Case, Pattern};

    fn condition(variable: &str, pattern: &str, negate: bool) -> RewriteCondition {
        let pattern = Pattern::compile(pattern, Case::Sensitive).expect("a pattern");
        RewriteCondition { variable: variable.parse().expect("a variable"), pattern, negate }
    }

    fn parse(text: &str, stage: Stage) -> Result<String, String> {
        let conditions = [
            condition("var_uri_path", "/(.+)/(.+)", false),
            condition("http_req_User-Agent", "(x)", true),
            condition("http_resp_location", "(a)(b)", false),
            condition("var_cookie_a", "(.)", false),
        ];
        let scope = TemplateScope { stage, conditions: &conditions, matched: None };
        Template::parse(text, scope).map(|template| template.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_and_groups_are_found_in_text() {
        for (text, expected) in [
            ("", ""),
            ("text", "text"),
            ("category={var_uri_path_1}&product={var_uri_path_2}", "category={1.1}&product={1.2}"),
            ("{http_resp_Location_1}://{var_host}", "{3.1}://{var_host}"),
            ("{var_cookie_a_1}{var_cookie_b_1}", "{4.1}{var_cookie_b_1}"),
            ("{\"group\":\"{var_host}\"}", "{\"group\":\"{var_host}\"}"),
            ("{{var_host}}", "{{var_host}}"),
        ] {
            assert_eq!(parse(text, Stage::Answer), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_can_be_no_value_says_why() {
        for (text, expected) in [
            ("a{var_host", "\"{var_host\" has no closing brace"),
            ("{var_hots}", "there is no server variable \"hots\", perhaps \"host\" is meant"),
            (
                "{http_req_User-Agent_1}",
                "\"http_req_User-Agent_1\" stands for a group, but no condition of this rule that is not negated looks at \
                 http_req_user-agent",
            ),
            ("{var_uri_path_3}", "\"var_uri_path_3\" stands for group 3 of var_uri_path, which has 2"),
            (
                "{http_resp_Server}",
                "\"http_resp_Server\" is of the answer, which is not there when a request is rewritten",
            ),
            (
                "{var_http_status}",
                "\"var_http_status\" is of the answer, which is not there when a request is rewritten",
            ),
            ("a\r\nx: y", "'\\r' is a control character"),
        ] {
            assert_eq!(parse(text, Stage::Request), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_matcher_gives_the_groups_of_its_header() {
        let name = http::header::SET_COOKIE;
        let pattern = Pattern::compile("^(a=.*)$", Case::Sensitive).expect("a pattern");
        let matcher = ValueMatcher { pattern, negate: false };
        let scope = TemplateScope { stage: Stage::Answer, conditions: &[], matched: Some((&name, &matcher)) };
        let parsed = |text| Template::parse(text, scope).map(|template| template.to_string());
        assert_eq!(parsed("{http_resp_Set-Cookie_1}; Secure"), Ok("{matched.1}; Secure".to_owned()));
        assert_eq!(parsed("{http_resp_Set-Cookie}; Secure"), Ok("{matched}; Secure".to_owned()));
        assert!(matches!(parsed("{http_resp_Set-Cookie_2}"), Err(TemplateError::NoGroup(..))));
    }
}
