//! Rewrites that an Ingress names by AGIC's annotations: a set of the ApplicationGateway of its class, or an object of AGIC's.
//!
//! They adorn. What is missing or can't be read is reported, and requests are served without it.

use std::sync::Arc;

use super::elements::report_missing;
use super::parsed::ParsedIngress;
use crate::api::agic::{
    AzureApplicationGatewayRewriteSpec, AzureHeaderAction, AzureHeaderConfiguration, AzureRewriteActions,
    AzureRewriteCondition, AzureRewriteRule, AzureUrlConfiguration,
};
use crate::api::annotations::AgicSettings;
use crate::api::application_gateway::{
    HeaderConfiguration, RewriteActionSet, RewriteCondition, RewriteRule, RewriteRuleSet, UrlConfiguration,
};
use crate::model::{Kind, ObjectRef, RewriteSet};
use crate::report::Reason;
use crate::source::Key;
use crate::translate::class::annotation_field;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::rewrite_rules::{self, SetField};

const ELEMENT: &str = "appgw.ingress.kubernetes.io/rewrite-rule-set";
const RESOURCE: &str = "appgw.ingress.kubernetes.io/rewrite-rule-set-custom-resource";

/// The rewrites that an Ingress names, if it names some that do anything.
pub(super) fn policy(ingress: &ParsedIngress, lookup: &Lookup<'_>, reports: &mut Reports) -> Option<Arc<RewriteSet>> {
    let AgicSettings { rewrite_rule_set, rewrite_resource, .. } = &ingress.settings.agic;
    let set = match (rewrite_rule_set, rewrite_resource) {
        (None, None) => return None,
        (Some(name), None) => element(ingress, name, lookup, reports)?,
        (None, Some(name)) => resource(ingress, name, lookup, reports)?,
        (Some(_), Some(_)) => {
            let message = "it can't stand beside rewrite-rule-set, so neither is applied";
            let field = annotation_field(RESOURCE);
            reports.error(&ingress.owner, field, Reason::InvalidAnnotation, message, "remove one of the two");
            return None;
        }
    };
    (!set.rules.is_empty()).then(|| lookup.intern_rewrites(set))
}

/// A set of the ApplicationGateway of the class.
fn element(ingress: &ParsedIngress, name: &str, lookup: &Lookup<'_>, reports: &mut Reports) -> Option<RewriteSet> {
    let gateway = ingress.gateway();
    let Some((gateway, found)) = gateway.and_then(|gateway| Some((gateway, gateway.rewrites.get(name)?))) else {
        let field = annotation_field(ELEMENT);
        report_missing(&ingress.owner, gateway, field, "rewrite rule set", "rewriteRuleSets", name, reports);
        return None;
    };
    let source = SetField { owner: &gateway.object, field: &found.field, actions: "actionSet" };
    Some(rewrite_rules::read(source, &found.set, lookup, reports))
}

/// An AzureApplicationGatewayRewrite in the namespace of the Ingress.
fn resource(ingress: &ParsedIngress, name: &str, lookup: &Lookup<'_>, reports: &mut Reports) -> Option<RewriteSet> {
    let key = Key::new(ingress.owner.namespace(), name);
    let object = ObjectRef { kind: Kind::AzureApplicationGatewayRewrite, key: key.clone() };
    let Some(found) = lookup.snapshot.azure_rewrites.get(&key) else {
        let message = format!("there is no {object} that can be read, so requests and answers stay as they are");
        let remedy = "create it, or correct the name";
        reports.error(&ingress.owner, annotation_field(RESOURCE), Reason::ElementNotFound, message, remedy);
        return None;
    };
    let AzureApplicationGatewayRewriteSpec { rewrite_rules } = &found.spec;
    let set = RewriteRuleSet { name: name.to_owned(), rewrite_rules: rewrite_rules.iter().map(rule).collect() };
    let source = SetField { owner: &object, field: "spec", actions: "actions" };
    Some(rewrite_rules::read(source, &set, lookup, reports))
}

/// A rule in the words of an ApplicationGateway. What is missing has the value that AGIC gives it.
fn rule(AzureRewriteRule { name, rule_sequence, actions, conditions }: &AzureRewriteRule) -> RewriteRule {
    let condition =
        |AzureRewriteCondition { ignore_case, negate, variable, pattern }: &AzureRewriteCondition| RewriteCondition {
            variable: variable.clone().unwrap_or_default(),
            pattern: pattern.clone().unwrap_or_default(),
            ignore_case: *ignore_case,
            negate: *negate,
        };
    RewriteRule {
        name: name.clone().unwrap_or_default(),
        rule_sequence: Some(rule_sequence.unwrap_or_default()),
        conditions: conditions.iter().map(condition).collect(),
        action_set: actions.as_ref().map(action_set),
    }
}

fn action_set(actions: &AzureRewriteActions) -> RewriteActionSet {
    let AzureRewriteActions { request_header_configurations, response_header_configurations, url_configuration } =
        actions;
    // AGIC writes the empty text for what is missing, and has Azure keep the path or query by that.
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let url = |AzureUrlConfiguration { modified_path, modified_query_string, reroute }: &AzureUrlConfiguration| {
        UrlConfiguration {
            modified_path: text(modified_path),
            modified_query_string: text(modified_query_string),
            reroute: *reroute,
        }
    };
    RewriteActionSet {
        request_header_configurations: request_header_configurations.iter().map(header).collect(),
        response_header_configurations: response_header_configurations.iter().map(header).collect(),
        url_configuration: url_configuration.as_ref().map(url),
    }
}

fn header(
    AzureHeaderConfiguration { action_type, header_name, header_value }: &AzureHeaderConfiguration,
) -> HeaderConfiguration {
    HeaderConfiguration {
        header_name: header_name.clone().unwrap_or_default(),
        header_value: header_value.clone().filter(|_| *action_type != Some(AzureHeaderAction::Delete)),
        header_value_matcher: None,
    }
}
