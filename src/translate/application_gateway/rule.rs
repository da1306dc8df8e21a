//! `requestRoutingRules`: which rule each listener obeys, and the routes that a rule makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::application_gateway::{Reference, RequestRoutingRule, RuleReference, RuleTarget, RuleType, UrlPathMap};
use crate::model::{
    Action, Forward, ObjectRef, PathMatch, Policies, Redirect, RedirectPath, RewriteSet, Route, TokenPolicy,
    Unavailable,
};
use crate::report::Reason;

use super::backend::{Backends, PoolUse};
use super::element::{Element, ElementList, Elements, in_range};
use super::guard::{self, Access};
use super::load_distribution;
use super::redirect::{self, ReadRedirect};
use super::token::Tokens;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// What decides which listener a rule, of HTTP or of streams, is for.
pub(super) struct RuleKey<'a> {
    pub(super) name: &'a str,
    pub(super) priority: Option<i32>,
    /// The field with the listener.
    pub(super) listener_field: &'static str,
    pub(super) listener: &'a Reference,
}

impl<'a> RuleKey<'a> {
    pub(super) fn of_http(rule: &'a RequestRoutingRule) -> Self {
        let RequestRoutingRule { name, priority, http_listener, .. } = rule;
        Self { name, priority: *priority, listener_field: "httpListener", listener: http_listener }
    }
}

/// The rule that each listener obeys, by the listener's name: the rule with the lowest priority number, then rules
/// without one in the order listed.
pub(super) fn by_listener<'a, R, L>(
    owner: &ObjectRef,
    rules: &ElementList<'a, R>,
    listeners: &ElementList<'a, L>,
    key: impl Fn(&'a R) -> RuleKey<'a>,
    reports: &mut Reports,
) -> BTreeMap<&'a str, Element<'a, R>> {
    let mut rules: Vec<_> = rules.iter().map(|rule| (key(rule.value), rule)).collect();
    rules.sort_by_key(|(key, _)| (key.priority.is_none(), key.priority));
    let mut chosen: BTreeMap<&str, Element<'a, R>> = BTreeMap::new();
    for (RuleKey { name: _, priority, listener_field, listener }, rule) in rules {
        let field = &rule.field;
        if let Some(priority) = priority {
            let _reported: Option<u32> = in_range(owner, format!("{field}.priority"), priority, (1, 20000), reports);
        }
        let listener_field = format!("{field}.{listener_field}");
        if listeners.find(owner, listener, &listener_field, reports).is_err() {
            continue;
        }
        if let Some(first) = chosen.get(listener.name.as_str()) {
            let first = key(first.value).name;
            reports.error(
                owner,
                listener_field,
                Reason::Conflict,
                format!("listener {:?} obeys the rule {first:?}, so this one is not used", listener.name),
                "give each rule its own listener, or this one a lower priority number",
            );
            continue;
        }
        chosen.insert(&listener.name, rule);
    }
    chosen
}

/// The routes of one rule so far, with all that they are made of.
struct RuleRoutes<'r, 'a> {
    owner: &'r ObjectRef,
    /// The name of its listener.
    listener: &'r str,
    access: Access,
    backends: &'r Backends<'a>,
    tokens: &'r Tokens<'a>,
    /// The token that all requests of the rule have to bring; an error closes them.
    token: Result<Option<Arc<TokenPolicy>>, Reason>,
    lookup: &'r Lookup<'a>,
    draft: &'r mut Draft,
    routes: Vec<Route>,
    shared_owner: Arc<ObjectRef>,
}

/// The routes of one rule, in their order.
pub(super) fn routes<'a>(
    owner: &ObjectRef,
    Element { field, value: rule }: &Element<'a, RequestRoutingRule>,
    access: Access,
    backends: &Backends<'a>,
    tokens: &Tokens<'a>,
    lookup: &Lookup<'a>,
    draft: &mut Draft,
) -> Vec<Route> {
    let (shared_owner, elements) = (Arc::new(owner.clone()), backends.elements);
    let token = tokens.of(owner, elements, field, rule.token(), &mut draft.reports);
    let mut made = RuleRoutes {
        owner,
        listener: &rule.http_listener.name,
        access,
        backends,
        tokens,
        token,
        lookup,
        draft,
        routes: Vec::new(),
        shared_owner,
    };
    match rule.rule_type {
        RuleType::Basic => {
            let target = rule.target();
            made.add(field, PathMatch::Any, target);
            made.report_reroute(field, target);
        }
        RuleType::PathBasedRouting => {
            let map = match &rule.url_path_map {
                Some(map) => elements.maps.find(owner, map, &format!("{field}.urlPathMap"), &mut made.draft.reports),
                None => Err(missing(owner, field, "urlPathMap", &mut made.draft.reports)),
            };
            match map {
                Ok(map) => made.add_map(&map),
                Err(reason) => made.push(field, PathMatch::Any, unavailable(reason), Policies::default()),
            }
        }
    }
    made.routes
}

impl<'a> RuleRoutes<'_, 'a> {
    /// Reports that the rewrites of a Basic rule ask for a path map again, of which there is none.
    fn report_reroute(&mut self, field: &str, RuleTarget { rewrites, .. }: RuleTarget<'_>) {
        let set = rewrites.reference.and_then(|reference| {
            let found = self.backends.elements.rewrites.find(
                self.owner,
                reference,
                &format!("{field}.{}", rewrites.field),
                &mut self.draft.reports,
            );
            self.backends.rewrites.get(&found.ok()?.field)
        });
        if set.is_some_and(|set| set.may_reroute()) {
            self.draft.reports.warning(
                self.owner,
                format!("{field}.{}", rewrites.field),
                Reason::InvalidValue,
                "the set has a rule with reroute, which has no effect: a Basic rule has no path map",
                "make the rule PathBasedRouting, or name a set without reroute",
            );
        }
    }

    fn add_map(&mut self, Element { field, value: map }: &Element<'a, UrlPathMap>) {
        let mut seen: BTreeSet<PathMatch> = BTreeSet::new();
        for (index, rule) in map.path_rules.iter().enumerate() {
            let field = format!("{field}.pathRules[{index}]");
            guard::report_path_rule(self.owner, &field, rule, &mut self.draft.reports);
            for (index, text) in rule.paths.iter().enumerate() {
                let path_field = format!("{field}.paths[{index}]");
                if let Some(path) = self.read_pattern(&path_field, text, &mut seen) {
                    self.add_at(&field, &path_field, path, rule.target());
                }
            }
        }
        if let Some(target) = map.default_target() {
            self.add(field, PathMatch::Any, target);
        }
    }

    /// Reads a pattern of a path rule, which must not stand further up in its map.
    fn read_pattern(&mut self, field: &str, text: &str, seen: &mut BTreeSet<PathMatch>) -> Option<PathMatch> {
        let path = match PathMatch::pattern(text) {
            Ok(path) => path,
            Err(error) => {
                self.draft.reports.error(
                    self.owner,
                    field,
                    Reason::InvalidValue,
                    format!("{text:?} is not a path pattern, so it is left out: {error}"),
                    "begin it with '/', and put '*' at its end or nowhere",
                );
                return None;
            }
        };
        if !seen.insert(path.clone()) {
            self.draft.reports.error(
                self.owner,
                field,
                Reason::Conflict,
                format!("{text:?} stands further up in this path map, and the first listed wins"),
                "remove one of the two",
            );
            return None;
        }
        Some(path)
    }

    fn add(&mut self, field: &str, path: PathMatch, target: RuleTarget<'a>) {
        self.add_at(field, field, path, target);
    }

    /// Adds a route for a target at `field`, whose path is at `path_field`.
    fn add_at(&mut self, field: &str, path_field: &str, path: PathMatch, target: RuleTarget<'a>) {
        let (action, rewrites) = self.action(field, &path, target);
        let token = match target.token.reference {
            Some(_) => self.tokens.of(self.owner, self.backends.elements, field, target.token, &mut self.draft.reports),
            None => self.token.clone(),
        };
        match token {
            Ok(token) => self.push(path_field, path, action, Policies { token, rewrites, ..Policies::default() }),
            Err(_) => self.push(path_field, path, unavailable(Reason::AccessControl), Policies::default()),
        }
    }

    /// What is done with the requests of a target, and the rewrites that they go through.
    fn action(&mut self, field: &str, path: &PathMatch, target: RuleTarget<'a>) -> (Action, Option<Arc<RewriteSet>>) {
        let rewrites = self.rewrites(field, target);
        let made = self.target_action(field, path, target);
        match (self.access, made.and_then(|action| Ok((action, rewrites?)))) {
            (Access::Closed, _) => (unavailable(Reason::AccessControl), None),
            (Access::Open, Err(reason)) => (unavailable(reason), None),
            (Access::Open, Ok(made)) => made,
        }
    }

    /// The rewrites of a target. What the gateway answers by itself is not rewritten.
    fn rewrites(
        &mut self,
        field: &str,
        RuleTarget { rewrites, redirect, .. }: RuleTarget<'a>,
    ) -> Result<Option<Arc<RewriteSet>>, Reason> {
        let Some(reference) = rewrites.reference else { return Ok(None) };
        let (owner, field) = (self.owner, format!("{field}.{}", rewrites.field));
        let reports = &mut self.draft.reports;
        let found = self.backends.elements.rewrites.find(owner, reference, &field, reports)?;
        if redirect.reference.is_some() {
            let message = "it has no effect beside a redirect: what the gateway answers by itself is not rewritten";
            reports.warning(owner, field, Reason::InvalidValue, message, "remove it");
            return Ok(None);
        }
        let set = self.backends.rewrites.get(&found.field);
        Ok(set.filter(|set| !set.rules.is_empty()).cloned())
    }

    fn target_action(&mut self, field: &str, path: &PathMatch, target: RuleTarget<'a>) -> Result<Action, Reason> {
        match target.redirect.reference {
            Some(reference) => self.redirect(field, path, target, reference).map(Action::Redirect),
            None => self.forward(field, path, target).map(Action::Forward),
        }
    }

    /// The redirect of a target. One that leads back to the path that it is for would never end.
    fn redirect(
        &mut self,
        field: &str,
        path: &PathMatch,
        target: RuleTarget<'a>,
        reference: &Reference,
    ) -> Result<Arc<Redirect>, Reason> {
        let (owner, elements, reports) = (self.owner, self.backends.elements, &mut self.draft.reports);
        let RuleTarget { pool, load_distribution, settings, redirect: own, rewrites: _, token: _ } = target;
        let at = format!("{field}.{}", own.field);
        let found = elements.redirects.find(owner, reference, &at, reports)?;
        let ReadRedirect { redirect, listener } = redirect::read(owner, elements, &found, reports)?;
        let mut refuse = |message: String, remedy: &str| {
            reports.error(owner, &at, Reason::InvalidValue, message, remedy);
            Err(Reason::InvalidValue)
        };
        if let Some(other) = [pool, load_distribution, settings].into_iter().find(|each| each.reference.is_some()) {
            let message = format!("{} and {} can't stand together, so the rule answers 503", own.field, other.field);
            return refuse(message, "remove one of the two");
        }
        let returns = match &redirect.path {
            RedirectPath::Keep
            | RedirectPath::KeepTrimmed
            | RedirectPath::Prepend(_)
            | RedirectPath::ReplacePrefix(_) => true,
            RedirectPath::Replace(to) => {
                path.matches(to) && !self.routes.iter().any(|earlier| earlier.matches.path.matches(to))
            }
        };
        if listener == Some(self.listener) && returns {
            let message = "it leads back to this rule, so clients would be redirected for ever; the rule answers 503";
            return refuse(message.to_owned(), "name another listener, or give the target a path rule of its own");
        }
        Ok(Arc::new(redirect))
    }

    /// Forwards to the backend of a target.
    fn forward(&mut self, field: &str, path: &PathMatch, target: RuleTarget<'a>) -> Result<Forward, Reason> {
        let Self { owner, backends, lookup, draft, .. } = self;
        let Elements { pools, settings, load_distributions, .. } = backends.elements;
        let named = |RuleReference { field: name, reference }: RuleReference<'a>, reports: &mut Reports| {
            reference.ok_or_else(|| missing(owner, field, name, reports))
        };
        // Only the first reference that is missing is reported; if both are there, each may lead nowhere.
        let at = |reference: RuleReference<'_>| format!("{field}.{}", reference.field);
        let (setting, id) = if let Some(policy) = target.load_distribution.reference {
            // It takes the place of a pool that is named as well.
            let setting = named(target.settings, &mut draft.reports)?;
            let policy = load_distributions.find(owner, policy, &at(target.load_distribution), &mut draft.reports);
            let setting = settings.find(owner, setting, &at(target.settings), &mut draft.reports);
            let (policy, setting) = (policy?, setting?);
            let id = load_distribution::pool(backends, &policy, &setting, lookup, draft)?;
            (setting, id)
        } else {
            let pool = named(target.pool, &mut draft.reports)?;
            let setting = named(target.settings, &mut draft.reports)?;
            let pool = pools.find(owner, pool, &at(target.pool), &mut draft.reports);
            let setting = settings.find(owner, setting, &at(target.settings), &mut draft.reports);
            let (pool, setting) = (pool?, setting?);
            let id = backends.pool_id(&pool, &setting, PoolUse::Route, lookup, draft)?;
            (setting, id)
        };
        Ok(backends.forward(id, &setting, path, &mut draft.reports))
    }

    fn push(&mut self, field: &str, path: PathMatch, action: Action, policies: Policies) {
        self.routes.push(Route {
            field: field.into(),
            owner: Arc::clone(&self.shared_owner),
            matches: path.into(),
            action,
            policies: policies.into_shared(),
        });
    }
}

fn unavailable(reason: Reason) -> Action {
    Action::Unavailable(Unavailable::new(reason.name()))
}

fn missing(owner: &ObjectRef, field: &str, name: &str, reports: &mut Reports) -> Reason {
    let message = format!("the rule needs {name}, and has none");
    reports.error(owner, format!("{field}.{name}"), Reason::InvalidValue, message, "name one");
    Reason::InvalidValue
}
