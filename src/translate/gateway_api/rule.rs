//! The rules of an attached route: for each match, what is done with its requests (HTTPRouteRule).

use std::sync::Arc;

use super::attachment::AttachedRoute;
use super::backend::{self, Backends};
use super::filter::{self, ReadFilters};
use super::matching;
use super::timeout;
use crate::api::SessionSettings;
use crate::api::gateway_api::{HttpRouteMatch, HttpRouteRule};
use crate::model::{
    Action, EncodedSlashes, Forward, ForwardOptions, HostHeader, ObjectRef, PathMatch, Policies, PolicyOrigin, Route,
    RouteFilters, Unavailable, WeightedPools,
};
use crate::report::Reason;
use crate::translate::claim::PortProtocol;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::websocket;

/// Reads the rules of a route for one of its listeners.
pub(super) struct RuleReader<'r, 'a> {
    pub(super) gateway: &'r ObjectRef,
    /// The port and protocol of the listener.
    pub(super) at: PortProtocol,
    pub(super) route: &'r AttachedRoute<'a>,
    pub(super) lookup: &'r Lookup<'a>,
    pub(super) draft: &'r mut Draft,
}

/// What a rule says, for all its matches.
struct ReadRule {
    field: String,
    /// The filters; or why no request of the rule may be served.
    filters: Result<ReadFilters, Reason>,
    backends: Backends,
    request_timeout: std::time::Duration,
}

impl RuleReader<'_, '_> {
    /// The routes, in the order of rules and matches.
    pub(super) fn routes(&mut self) -> Vec<Route> {
        let default = [HttpRouteRule::default()];
        let rules = self.route.route.spec.rules.as_deref().unwrap_or(&default);
        let mut routes = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let read = self.read(format!("spec.rules[{index}]"), rule);
            let every_path = [HttpRouteMatch::default()];
            let matches = rule.matches.as_deref().filter(|matches| !matches.is_empty()).unwrap_or(&every_path);
            for (index, written) in matches.iter().enumerate() {
                let field = format!("{}.matches[{index}]", read.field);
                let matches = match matching::read(written) {
                    Ok(matches) => matches,
                    Err(mut fault) => {
                        fault.message += ", so the match is left out";
                        self.draft.reports.fault(&self.route.owner, &field, &fault);
                        continue;
                    }
                };
                let (action, policies) = self.action(&read, &matches.path);
                routes.push(Route {
                    field: field.into(),
                    owner: Arc::clone(&self.route.owner),
                    matches,
                    action,
                    policies: policies.into_shared(),
                });
            }
        }
        routes
    }

    fn read(&mut self, field: String, rule: &HttpRouteRule) -> ReadRule {
        let HttpRouteRule { name: _, matches: _, filters, backend_refs, timeouts, retry } = rule;
        let owner = &self.route.owner;
        let redirects = filters.iter().any(|filter| filter.request_redirect.is_some());
        let filters = filter::read(owner, &field, filters, &mut self.draft.reports);
        let reports = &mut self.draft.reports;
        if redirects && !backend_refs.is_empty() {
            let message = "backends have no effect beside a redirect";
            reports.warning(owner, format!("{field}.backendRefs"), Reason::InvalidValue, message, "remove them");
        }
        if retry.is_some() {
            let message = "this version does not send requests again by this field";
            reports.warning(owner, format!("{field}.retry"), Reason::UnsupportedValue, message, "remove it");
        }
        let request_timeout = timeout::read(timeouts.as_ref());
        let filters = match &request_timeout {
            Ok(_) => filters,
            Err(part) => {
                let message = "it is no duration, so requests are answered 500";
                let field = format!("{field}.timeouts.{part}");
                reports.error(owner, field, Reason::InvalidValue, message, "write numbers with units, as in 1m30s");
                Err(Reason::InvalidValue)
            }
        };
        let backends = match redirects {
            true => Backends::default(),
            false => backend::read(owner, self.gateway, &field, backend_refs, self.lookup, self.draft),
        };
        ReadRule { field, filters, backends, request_timeout: request_timeout.unwrap_or_default() }
    }

    /// What is done with the requests of one match of a rule.
    fn action(&mut self, rule: &ReadRule, path: &PathMatch) -> (Action, Policies) {
        let made = rule.filters.as_ref().map_err(|reason| *reason).and_then(|filters| {
            let (owner, reports) = (&self.route.owner, &mut self.draft.reports);
            if let Some(redirect) = &filters.redirect {
                let redirect = filter::redirect(owner, &rule.field, redirect, path, self.at, reports)?;
                return Ok((Action::Redirect(Arc::new(redirect)), Policies::default()));
            }
            let pools = rule.backends.pools()?;
            let (host, path) = filter::rewrite(owner, &rule.field, filters.rewrite.as_ref(), path, reports)?;
            let origin = PolicyOrigin { owner: Arc::clone(owner), field: format!("{}.filters", rule.field).into() };
            let ReadFilters { request, response, redirect: _, rewrite: _ } = filters.clone();
            let filters = RouteFilters { origin, request, response, path };
            let is_empty = filters.request.is_empty() && filters.response.is_empty() && filters.path.is_none();
            let filters = (!is_empty).then(|| Arc::new(filters));
            let forward = self.forward(pools, host, rule.request_timeout);
            Ok((Action::Forward(forward), Policies { filters, ..Policies::default() }))
        });
        made.unwrap_or_else(|reason: Reason| {
            (Action::Unavailable(Unavailable::invalid_backend(reason.name())), Policies::default())
        })
    }

    fn forward(&self, pools: WeightedPools, host: HostHeader, request_timeout: std::time::Duration) -> Forward {
        let options = ForwardOptions {
            host,
            rewrite: None,
            encoded_slashes: EncodedSlashes::Keep,
            request_timeout,
            // The timeouts of a rule end with the handshake.
            websocket: Arc::new(websocket::with_defaults(&SessionSettings::default(), None)),
            upgrade_protocols: None,
            affinity: None,
        };
        Forward { pools, options: self.lookup.intern_options(options) }
    }
}
