//! `listeners`, `routingRules` and `backendSettingsCollection`: streams without HTTP.

mod backend;
mod listener;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::application_gateway::{RuleType, StreamRoutingRule};
use crate::model::{Action, ObjectRef, PathMatch, Route, Stream, TlsMode, Unavailable};
use crate::report::Reason;

use super::backend::Backends;
use super::element::{Element, Elements};
use super::guard::Access;
use super::rule::{self, RuleKey};
use super::ssl_profile::Profiles;
use crate::translate::claim::{Claims, ListenerClaim};
use crate::translate::claimed::ClaimedListener;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls;

use listener::ParsedStreamListener;

/// The listeners of streams, each with the rule that it obeys.
#[derive(Debug)]
pub(super) struct Streams<'a> {
    owner: &'a ObjectRef,
    listeners: Vec<ParsedStreamListener<'a>>,
    /// By the listener's name.
    rules: BTreeMap<&'a str, Element<'a, StreamRoutingRule>>,
}

impl<'a> Streams<'a> {
    /// Reads the listeners and rules. What refers to nothing is reported, and left out.
    pub(super) fn read(
        owner: &'a ObjectRef,
        elements: &Elements<'a>,
        profiles: &Profiles<'a>,
        lookup: &Lookup<'_>,
        reports: &mut Reports,
    ) -> Self {
        let listeners = listener::read(owner, elements, profiles, lookup, reports);
        let key = |rule: &'a StreamRoutingRule| RuleKey {
            name: &rule.name,
            priority: rule.priority,
            listener_field: "listener",
            listener: &rule.listener,
        };
        let rules = rule::by_listener(owner, &elements.stream_rules, &elements.stream_listeners, key, reports);
        Self { owner, listeners, rules }
    }

    fn serves(&self, listener: &ParsedStreamListener<'_>) -> bool {
        !listener.lacks_certificate() && self.rules.contains_key(listener.name())
    }

    /// What the listeners claim, in the order listed.
    pub(super) fn claims(&self) -> impl Iterator<Item = ListenerClaim> {
        self.listeners.iter().map(|listener| ListenerClaim {
            at: listener.at,
            hosts: listener.hosts.iter().map(|(host, _)| host.clone()).collect(),
            serves: self.serves(listener),
            // No request can be redirected there.
            is_certified: false,
        })
    }

    /// The listeners as they claim. `first`: the number of the first of these claims.
    fn claimed(&self, first: usize) -> impl Iterator<Item = (&ParsedStreamListener<'a>, ClaimedListener<'_>)> {
        self.listeners.iter().enumerate().map(move |(index, listener)| {
            let ParsedStreamListener { field, at, hosts, .. } = listener;
            let (owner, index, serves) = (self.owner, first + index, self.serves(listener));
            (listener, ClaimedListener { owner, index, field, at: *at, hosts, serves })
        })
    }

    /// Reports the ports and hosts that others had first.
    pub(super) fn report_lost_claims(&self, first: usize, claims: &Claims<'_>, reports: &mut Reports) {
        self.claimed(first).for_each(|(_, claimed)| claimed.report_lost(claims, reports));
    }

    /// Puts hosts, routes and pools into the draft.
    pub(super) fn build(
        &self,
        first: usize,
        backends: &Backends<'a>,
        lookup: &Lookup<'a>,
        claims: &Claims<'_>,
        draft: &mut Draft,
    ) {
        for (listener, claimed) in self.claimed(first) {
            let held = claimed.held(claims);
            if held.is_empty() {
                continue;
            }
            let (field, action) = match self.rules.get(listener.name()) {
                Some(rule) => {
                    let stream = self.stream(listener, rule, backends, lookup, draft);
                    let unavailable = |reason: Reason| Action::Unavailable(Unavailable::new(reason.name()));
                    (&rule.field, stream.map_or_else(unavailable, |stream| Action::Stream(Box::new(stream))))
                }
                None => {
                    draft.reports.warning(
                        self.owner,
                        &listener.field,
                        Reason::ElementNotFound,
                        format!("no rule names the listener {:?}, so it serves nothing", listener.name()),
                        "add a routingRule for it",
                    );
                    (&listener.field, Action::NotFound)
                }
            };
            if !claims.speaks(listener.at) {
                continue;
            }
            if claimed.serves {
                let rule = self.rules.get(listener.name()).filter(|_| matches!(action, Action::Stream(_)));
                draft.parts.stream_listeners.insert(listener.name().to_owned());
                draft.parts.stream_rules.extend(rule.map(|rule| rule.value.name.clone()));
            }
            let (owner, field) = (Arc::new(self.owner.clone()), field.as_str().into());
            let route = Route { field, owner, matches: PathMatch::Any.into(), policies: None, action };
            for host in held {
                draft.add_host(listener.at.port, listener.at.protocol, host.clone(), vec![route.clone()]);
                draft.set_tls(listener.at.port, host, listener.guarded.tls.as_ref());
                if let Some(id) = &listener.certificate {
                    let field = format!("{}.sslCertificate", listener.field);
                    tls::check_names(lookup, id, host, self.owner, &field, &mut draft.reports);
                    draft.set_certificate(listener.at.port, host, id);
                }
            }
        }
    }

    /// What a rule does with the connections of its listener.
    fn stream(
        &self,
        listener: &ParsedStreamListener<'a>,
        Element { field, value: rule }: &Element<'a, StreamRoutingRule>,
        backends: &Backends<'a>,
        lookup: &Lookup<'_>,
        draft: &mut Draft,
    ) -> Result<Stream, Reason> {
        if rule.rule_type == Some(RuleType::PathBasedRouting) {
            let message = "streams have no path to route by, so the rule is not served";
            let field = format!("{field}.ruleType");
            draft.reports.error(self.owner, field, Reason::InvalidValue, message, "write Basic");
            return Err(Reason::InvalidValue);
        }
        // Both references are looked up, since each may lead nowhere.
        let Elements { pools, stream_settings, .. } = backends.elements;
        let at = |name: &str| format!("{field}.{name}");
        let pool = pools.find(self.owner, &rule.backend_address_pool, &at("backendAddressPool"), &mut draft.reports);
        let settings =
            stream_settings.find(self.owner, &rule.backend_settings, &at("backendSettings"), &mut draft.reports);
        let stream = backends.stream(&pool?, &settings?, listener.tls, lookup, draft)?;
        match listener.guarded.access {
            Access::Open if listener.tls == Some(TlsMode::Terminate) && listener.certificate.is_none() => {
                // Reported with the certificate.
                Err(Reason::InvalidCertificate)
            }
            Access::Open => Ok(stream),
            Access::Closed => Err(Reason::AccessControl),
        }
    }
}
