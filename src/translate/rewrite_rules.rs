//! Sets of rewrite rules, read: what languages share that write them in ARM's words.
//!
//! A rewrite adorns. What can't be made of a rule is reported and left out, by itself where the rest of the rule can stand without it.

use std::sync::Arc;

use http::header;

use crate::api::application_gateway::{
    HeaderConfiguration, HeaderValueMatcher, RewriteActionSet, RewriteRuleSet, UrlConfiguration,
};
use crate::api::application_gateway::{RewriteCondition as WrittenCondition, RewriteRule as WrittenRule};
use crate::model::rewrite::{
    Direction, HeaderRewrite, RewriteCondition, RewriteRule, Stage, Template, TemplateScope, UrlRewrite, ValueMatcher,
    Variable, rewritable_header,
};
use crate::model::{Case, ObjectRef, Pattern, PolicyOrigin, RewriteSet, has_dots};
use crate::report::Reason;

use super::lookup::Lookup;
use super::report::Reports;

/// The sequence number of a rule that has none.
const DEFAULT_SEQUENCE: i32 = 100;

/// Where a set is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct SetField<'a> {
    pub(super) owner: &'a ObjectRef,
    /// The field of the set: `spec.rewriteRuleSets[0]`.
    pub(super) field: &'a str,
    /// The name of the field in which a rule has its actions.
    pub(super) actions: &'static str,
}

/// Reads a set.
pub(super) fn read(
    SetField { owner, field, actions }: SetField<'_>,
    RewriteRuleSet { name: _, rewrite_rules }: &RewriteRuleSet,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> RewriteSet {
    let mut rules: Vec<(usize, &WrittenRule)> = rewrite_rules.iter().enumerate().collect();
    rules.sort_by_key(|(_, rule)| rule.rule_sequence.unwrap_or(DEFAULT_SEQUENCE));
    let rules = rules.into_iter().filter_map(|(index, rule)| {
        RuleReader { owner, field: format!("{field}.rewriteRules[{index}]"), actions, lookup, reports }.rule(rule)
    });
    let origin = PolicyOrigin { owner: Arc::new(owner.clone()), field: field.into() };
    RewriteSet::new(origin, rules.collect())
}

/// One rule, while it is read.
struct RuleReader<'r> {
    owner: &'r ObjectRef,
    /// The field of the rule.
    field: String,
    /// The name of the field that has its actions.
    actions: &'static str,
    lookup: &'r Lookup<'r>,
    reports: &'r mut Reports,
}

/// The rule is left out, and it has been reported why.
struct LeftOut;

impl RuleReader<'_> {
    /// Reports something that is left out.
    fn error(&mut self, part: &str, message: String, remedy: &str) {
        self.reports.error(self.owner, format!("{}.{part}", self.field), Reason::InvalidValue, message, remedy);
    }

    /// Reports something among the actions that is left out.
    fn action_error(&mut self, part: &str, message: String, remedy: &str) {
        self.error(&format!("{}.{part}", self.actions), message, remedy);
    }

    fn rule(mut self, written: &WrittenRule) -> Option<RewriteRule> {
        let WrittenRule { name, rule_sequence, conditions, action_set } = written;
        if let Some(sequence) = rule_sequence.filter(|sequence| *sequence < 0) {
            let message = format!("{sequence} is less than 0, and the rule comes before those with greater numbers");
            self.reports.warning(
                self.owner,
                format!("{}.ruleSequence", self.field),
                Reason::InvalidValue,
                message,
                "write a number from 0",
            );
        }
        let read: Vec<_> =
            conditions.iter().enumerate().map(|(index, condition)| self.condition(index, condition)).collect();
        let conditions = read.into_iter().collect::<Result<Vec<_>, LeftOut>>().ok()?;
        let Some(RewriteActionSet { request_header_configurations, response_header_configurations, url_configuration }) =
            action_set
        else {
            let message = format!("the rule has no {}, so it changes nothing", self.actions);
            self.reports.warning(
                self.owner,
                &self.field,
                Reason::InvalidValue,
                message,
                "add what it is to do, or remove the rule",
            );
            return None;
        };
        let request = ("requestHeaderConfigurations", &request_header_configurations[..], Direction::Request);
        let answer = ("responseHeaderConfigurations", &response_header_configurations[..], Direction::Answer);

        // A condition on the answer can't decide on what has been sent before.
        let late = conditions.iter().position(|condition| condition.variable.stage() == Stage::Answer);
        let early =
            (!request.1.is_empty()).then_some(request.0).or(url_configuration.as_ref().map(|_| "urlConfiguration"));
        let (mut request_headers, mut url) = (Vec::new(), None);
        if let (Some(late), Some(early)) = (late, early) {
            let message = format!(
                "conditions[{late}] looks at {}, which is not known when a request is rewritten, so this rule rewrites no request",
                conditions[late].variable
            );
            self.action_error(early, message, "put what rewrites requests into a rule of its own");
        } else {
            request_headers = self.headers(request, &conditions);
            url = url_configuration.as_ref().and_then(|url| self.url(url, &conditions));
        }
        let response_headers = self.headers(answer, &conditions);
        let rule = RewriteRule {
            name: name.as_str().into(),
            conditions: conditions.into(),
            request_headers: request_headers.into(),
            response_headers: response_headers.into(),
            url,
        };
        (rule.rewrites_requests() || !rule.response_headers.is_empty()).then_some(rule)
    }

    fn condition(&mut self, index: usize, written: &WrittenCondition) -> Result<RewriteCondition, LeftOut> {
        let WrittenCondition { variable, pattern, ignore_case, negate } = written;
        let part = format!("conditions[{index}]");
        let variable: Result<Variable, LeftOut> = variable.parse::<Variable>().map_err(|error| {
            let remedy = "name var_…, http_req_… or http_resp_…; docs/rewrites.md has them all";
            self.error(&format!("{part}.variable"), format!("{error}, so the rule is left out"), remedy);
            LeftOut
        });
        let pattern = self.pattern(&format!("{part}.pattern"), pattern, *ignore_case, "the rule");
        Ok(RewriteCondition { variable: variable?, pattern: pattern?, negate: negate.unwrap_or_default() })
    }

    fn pattern(&mut self, part: &str, text: &str, ignore_case: Option<bool>, what: &str) -> Result<Pattern, LeftOut> {
        let case = if ignore_case == Some(true) { Case::Insensitive } else { Case::Sensitive };
        self.lookup.pattern(text, case).map_err(|error| {
            self.error(part, format!("{text:?} is no pattern, so {what} is left out: {error}"), error.remedy());
            LeftOut
        })
    }

    fn headers(
        &mut self,
        (part, written, direction): (&str, &[HeaderConfiguration], Direction),
        conditions: &[RewriteCondition],
    ) -> Vec<HeaderRewrite> {
        let fields = written.iter().enumerate().map(|(index, header)| (format!("{part}[{index}]"), header));
        fields.filter_map(|(part, header)| self.header(&part, header, direction, conditions).ok()).collect()
    }

    fn header(
        &mut self,
        part: &str,
        HeaderConfiguration { header_name, header_value, header_value_matcher }: &HeaderConfiguration,
        direction: Direction,
        conditions: &[RewriteCondition],
    ) -> Result<HeaderRewrite, LeftOut> {
        let name = rewritable_header(header_name, direction).map_err(|error| {
            let message = format!("{error}, so it is not rewritten");
            self.action_error(&format!("{part}.headerName"), message, "remove it, or name another header");
            LeftOut
        })?;
        if direction == Direction::Request && header_value_matcher.is_some() {
            let message =
                "only headers of answers can be chosen by their values, so this one is not rewritten".to_owned();
            self.action_error(
                &format!("{part}.headerValueMatcher"),
                message,
                "remove it: one value takes the place of all",
            );
            return Err(LeftOut);
        }
        let matcher = header_value_matcher
            .as_ref()
            .map(|HeaderValueMatcher { pattern, ignore_case, negate }| {
                let field = format!("{}.{part}.headerValueMatcher.pattern", self.actions);
                let pattern = self.pattern(&field, pattern, *ignore_case, "this header")?;
                Ok(ValueMatcher { pattern, negate: negate.unwrap_or_default() })
            })
            .transpose()?;
        let stage = if direction == Direction::Request { Stage::Request } else { Stage::Answer };
        let matched = matcher.as_ref().map(|matcher| (&name, matcher));
        let scope = TemplateScope { stage, conditions, matched };
        let value =
            self.template(&format!("{part}.headerValue"), header_value.as_deref().unwrap_or_default(), scope)?;
        if name == header::HOST && direction == Direction::Request && value.is_empty() {
            let message = "every request has a Host, so it can't be removed, and stays as it is".to_owned();
            self.action_error(&format!("{part}.headerValue"), message, "write the host that the backend is to see");
            return Err(LeftOut);
        }
        Ok(HeaderRewrite { name, matcher, value })
    }

    fn template(&mut self, part: &str, text: &str, scope: TemplateScope<'_>) -> Result<Template, LeftOut> {
        Template::parse(text, scope).map_err(|error| {
            let remedy = "correct it: variables stand in braces, as in {var_host}";
            self.action_error(part, format!("{error}, so this is not rewritten"), remedy);
            LeftOut
        })
    }

    fn url(&mut self, written: &UrlConfiguration, conditions: &[RewriteCondition]) -> Option<UrlRewrite> {
        let UrlConfiguration { modified_path, modified_query_string, reroute } = written;
        let scope = TemplateScope { stage: Stage::Request, conditions, matched: None };
        // An export of Azure's has the empty text where there is no path.
        let path =
            modified_path.as_deref().filter(|path| !path.is_empty()).map(|text| self.path(text, scope)).transpose();
        let query = modified_query_string.as_deref().map(|text| self.query(text, scope)).transpose();
        let (Ok(path), Ok(query)) = (path, query) else { return None };
        let mut reroute = reroute.unwrap_or_default();
        if reroute && path.is_none() {
            let message = "there is no modifiedPath that could decide on the route, so it has no effect".to_owned();
            self.action_error("urlConfiguration.reroute", message, "write one, or remove reroute");
            reroute = false;
        }
        (path.is_some() || query.is_some()).then_some(UrlRewrite { path, query, reroute })
    }

    fn path(&mut self, text: &str, scope: TemplateScope<'_>) -> Result<Template, LeftOut> {
        let part = "urlConfiguration.modifiedPath";
        let template = self.template(part, text, scope)?;
        let example = template.example();
        let fault = match () {
            () if example.contains(['?', '#']) => "a path has no '?' or '#'",
            () if has_dots(&example) => "a path has no '.' or '..' elements",
            () => return Ok(template),
        };
        let message = format!("{fault}, so the URL is not rewritten by {text:?}");
        self.action_error(part, message, "write the path alone; its query is modifiedQueryString");
        Err(LeftOut)
    }

    fn query(&mut self, text: &str, scope: TemplateScope<'_>) -> Result<Template, LeftOut> {
        let part = "urlConfiguration.modifiedQueryString";
        let template = self.template(part, text, scope)?;
        if template.example().starts_with('?') || template.example().contains('#') {
            let message =
                format!("a query begins behind its '?' and has no '#', so the URL is not rewritten by {text:?}");
            self.action_error(part, message, "write it without");
            return Err(LeftOut);
        }
        Ok(template)
    }
}
