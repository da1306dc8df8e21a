//! Look-up: the route that takes a request.
//!
//! The precedence is `model::precedence`'s. Each host keeps its routes in that order, and the hosts with wildcards are kept in that
//! order; a property test compares the look-up with the naive reading of the specification.

use std::sync::Arc;

use super::{HostTable, ListenerTable, Paths, Target};
use crate::model::{HostPattern, MatchInput, Route, RouteId};

impl ListenerTable {
    /// The route of a request for `host` (lower case, without port).
    pub fn find(&self, host: &str, input: MatchInput<'_>) -> Option<&Arc<Target>> {
        let exact = self.exact.get(host).and_then(|routes| routes.find(input));
        exact.or_else(|| self.find_wildcard(host, input)).or_else(|| self.any.as_ref()?.find(input))
    }

    fn find_wildcard(&self, host: &str, input: MatchInput<'_>) -> Option<&Arc<Target>> {
        self.wildcards(host).find_map(|routes| routes.find(input))
    }

    /// The wildcard hosts that match `host`, in the order of their precedence.
    pub(super) fn wildcards(&self, host: &str) -> impl Iterator<Item = &Arc<HostTable>> {
        let parent = host.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| parent);
        let single = parent.and_then(|parent| self.single_label.get(parent));
        let before = single.map_or(0, |single| {
            self.globs.partition_point(|glob| glob.pattern.precedence() < single.pattern.precedence())
        });
        let (before, after) = self.globs.split_at(before);
        let matching = move |routes: &&Arc<HostTable>| routes.pattern.matches(host);
        before.iter().filter(matching).chain(single).chain(after.iter().filter(matching))
    }

    /// Where the glob is, or where it belongs.
    pub(super) fn glob_index(&self, pattern: &HostPattern) -> Result<usize, usize> {
        self.globs.binary_search_by(|glob| glob.pattern.precedence().cmp(&pattern.precedence()))
    }

    /// The routes of the host with exactly this pattern.
    pub(super) fn host(&self, pattern: &HostPattern) -> Option<&Arc<HostTable>> {
        match pattern {
            HostPattern::Exact(name) => self.exact.get(name),
            HostPattern::SingleLabel(parent) => self.single_label.get(parent),
            HostPattern::Glob(_) => self.glob_index(pattern).ok().map(|index| &self.globs[index]),
            HostPattern::Any => self.any.as_ref(),
        }
    }

    /// Whether the listener has the route with this identity, whichever requests reach it.
    pub(super) fn has_route(&self, id: &RouteId) -> bool {
        self.host(&id.host).is_some_and(|routes| routes.targets.iter().any(|target| target.has_id(id)))
    }

    /// The identity of every route.
    pub fn route_ids(&self) -> impl Iterator<Item = RouteId> {
        self.hosts().flat_map(|routes| &routes.targets).map(|target| target.id())
    }

    fn hosts(&self) -> impl Iterator<Item = &Arc<HostTable>> {
        self.exact.iter().chain(self.single_label.iter()).chain(self.globs.iter()).chain(&self.any)
    }

    /// Why a request goes where it goes: every route in the order of precedence, for people.
    pub fn explain(&self, host: &str, input: MatchInput<'_>) -> Explanation {
        let chosen = self.find(host, input).cloned();
        let mut hosts: Vec<_> = self.hosts().collect();
        hosts.sort_by(|a, b| a.pattern.precedence().cmp(&b.pattern.precedence()));
        let mut considered = Vec::new();
        for routes in hosts {
            let host_matches = routes.pattern.matches(host);
            for target in &routes.targets {
                let miss = if !host_matches {
                    Some(Miss::Host)
                } else if let Some(condition) = target.route.matches.unmet(input) {
                    Some(Miss::Condition(condition))
                } else if chosen.as_ref().is_some_and(|chosen| !Arc::ptr_eq(chosen, target)) {
                    Some(Miss::Precedence)
                } else {
                    None
                };
                considered.push(Considered { host: routes.pattern.clone(), route: Arc::clone(&target.route), miss });
            }
        }
        Explanation { chosen, considered }
    }
}

impl HostTable {
    fn find(&self, input: MatchInput<'_>) -> Option<&Arc<Target>> {
        if self.takes_all && input.path.starts_with('/') {
            return self.targets.first();
        }
        let routes = &self.host.routes;
        let index = match &self.paths {
            None => routes.iter().position(|route| route.matches.accepts(input)),
            Some(paths) => paths.find(routes, input),
        };
        self.targets.get(index?)
    }
}

impl Paths {
    /// The index of the first route that accepts a request. `routes` are those of the host.
    fn find(&self, routes: &[Arc<Route>], input: MatchInput<'_>) -> Option<usize> {
        let accepted = |first: &usize| first_accepted(routes, *first, input);
        let first_of = |indices: &[usize]| indices.iter().copied().find(|index| routes[*index].matches.accepts(input));
        let exact = self.exact.get(input.path).and_then(accepted);
        exact.or_else(|| self.find_start(input.path, accepted, first_of)).or_else(|| first_of(&self.others))
    }

    /// The prefix or the regular expression that goes first of those that accept a path.
    fn find_start(
        &self,
        path: &str,
        accepted: impl Fn(&usize) -> Option<usize>,
        first_of: impl Fn(&[usize]) -> Option<usize>,
    ) -> Option<usize> {
        let prefix = self.find_prefix(path, accepted);
        // Routes are in the order of their precedence.
        let before = prefix.map_or(self.regexes.len(), |prefix| self.regexes.partition_point(|index| *index < prefix));
        first_of(&self.regexes[..before]).or(prefix)
    }

    /// Goes through the prefixes of a path, the longest first. `accepted` gets the index of the first route of each.
    fn find_prefix(&self, path: &str, accepted: impl Fn(&usize) -> Option<usize>) -> Option<usize> {
        if self.prefix.is_empty() {
            return None;
        }
        if path.len() <= self.longest_prefix
            && let Some(index) = self.prefix.get(path).and_then(&accepted)
        {
            return Some(index);
        }
        // Each `/`, from the right, ends a shorter prefix.
        let reach = path.len().min(self.longest_prefix + 1);
        let slashes = path.as_bytes()[..reach].iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        slashes.into_iter().find_map(|(at, _)| self.prefix.get(&path[..at]).and_then(&accepted))
    }
}

/// The index of the first route that accepts a request, among the route at `first` and those after it that have its path.
fn first_accepted(routes: &[Arc<Route>], first: usize, input: MatchInput<'_>) -> Option<usize> {
    let path = &routes[first].matches.path;
    let mut of_path = routes[first..].iter().take_while(|route| route.matches.path == *path);
    of_path.position(|route| route.matches.accepts(input)).map(|offset| first + offset)
}

/// Why a request goes where it goes.
#[derive(Debug)]
pub struct Explanation {
    /// The route that takes it, if one does.
    pub chosen: Option<Arc<Target>>,
    /// Every route of the listener, in order of precedence.
    pub considered: Vec<Considered>,
}

/// A route, and whether it takes the request.
#[derive(Debug)]
pub struct Considered {
    /// The host that the route belongs to.
    pub host: HostPattern,
    /// The route.
    pub route: Arc<Route>,
    /// Why the route does not take the request. `None`: it does.
    pub miss: Option<Miss>,
}

/// Why a route does not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// The host of the request does not match.
    Host,
    /// The request does not meet the condition with this name ([`crate::model::RouteMatch::unmet`]).
    Condition(&'static str),
    /// The request matches, and so does a route that goes before.
    Precedence,
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use imbl::OrdMap;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Action, Host, Kind, Listener, Model, ObjectRef, PathMatch, Protocol, Route, Unavailable};
    use crate::table::{RoutingTable, SessionOrigin, compile};

    /// A model with one clear-text listener on port 80 and the given hosts and path prefixes.
    pub(in crate::table) fn model(routes: &[(&str, &str)]) -> Model {
        let routes = routes.iter().map(|(host, path)| {
            (HostPattern::ingress(host).expect("a host"), PathMatch::prefix(path).expect("a path"))
        });
        model_of(routes.collect())
    }

    fn model_of(routes: Vec<(HostPattern, PathMatch)>) -> Model {
        let mut hosts: OrdMap<HostPattern, Arc<Host>> = OrdMap::new();
        for (index, (pattern, path)) in routes.into_iter().enumerate() {
            let host = hosts
                .entry(pattern)
                .or_insert_with(|| Arc::new(Host { certificate: None, tls: None, routes: Vec::new() }));
            let host = Arc::make_mut(host);
            if host.routes.iter().any(|route| route.matches.path == path) {
                continue;
            }
            host.routes.push(Arc::new(Route {
                field: format!("spec.rules[{index}]").into(),
                owner: ObjectRef::new(Kind::Ingress, "default", "site").into(),
                matches: path.into(),
                action: Action::Unavailable(Unavailable::new("Test")),
                policies: None,
            }));
            host.routes.sort_by(|a, b| a.matches.precedence().cmp(&b.matches.precedence()));
        }
        let listener = Listener { protocol: Protocol::Http, hosts, default_certificate: None };
        Model { listeners: BTreeMap::from([(80, listener)]), ..Model::default() }
    }

    /// The specification, read naively: of all routes that match, the best by host, then by path.
    fn naive(model: &Model, host: &str, path: &str) -> Option<PathMatch> {
        let rank = |pattern: &HostPattern, path: &PathMatch| {
            let by_host = match pattern {
                HostPattern::Exact(_) => 2,
                HostPattern::SingleLabel(_) | HostPattern::Glob(_) => 1,
                HostPattern::Any => 0,
            };
            let single = matches!(pattern, HostPattern::SingleLabel(_));
            let (by_path, length) = match path {
                PathMatch::Exact(text) => (2, text.len()),
                PathMatch::Prefix(text) => (1, text.len()),
                PathMatch::Regex(regex) => (1, regex.as_str().len()),
                _ => (0, 0),
            };
            let is_literal = !matches!(path, PathMatch::Regex(_));
            (by_host, pattern.literal_length(), single, by_path, length, is_literal)
        };
        let hosts = model.listeners[&80].hosts.iter().filter(|(pattern, _)| pattern.matches(host));
        let routes =
            hosts.flat_map(|(pattern, host)| host.routes.iter().map(move |route| (pattern, &route.matches.path)));
        let matching = routes.filter(|(_, candidate)| candidate.matches(path));
        matching.max_by_key(|(pattern, path)| rank(pattern, path)).map(|(_, path)| path.clone())
    }

    fn label() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "b", "com"]).prop_map(str::to_owned)
    }

    fn host() -> impl Strategy<Value = String> {
        prop::collection::vec(label(), 1..4).prop_map(|labels| labels.join("."))
    }

    fn path() -> impl Strategy<Value = String> {
        let element = prop::sample::select(vec!["", "x", "y", "xy"]);
        prop::collection::vec(element, 1..4)
            .prop_map(|elements| crate::model::normalise_path(&format!("/{}", elements.join("/"))).into_owned())
    }

    fn route() -> impl Strategy<Value = (HostPattern, PathMatch)> {
        let pattern = prop_oneof![
            host().prop_map(|host| HostPattern::ingress(&host).expect("a host")),
            host().prop_map(|host| HostPattern::ingress(&format!("*.{host}")).expect("a wildcard")),
            host().prop_map(|host| HostPattern::gateway(&format!("*{host}")).expect("a pattern")),
            Just(HostPattern::Any),
        ];
        let path = prop_oneof![
            path().prop_map(|path| PathMatch::exact(&path).expect("a path")),
            path().prop_map(|path| PathMatch::prefix(&path).expect("a path")),
            path().prop_map(|path| PathMatch::regex(&format!("{path}(y|$)")).expect("a pattern")),
            Just(PathMatch::Any),
        ];
        (pattern, path)
    }

    proptest! {
        #[test]
        fn precedence_is_that_of_the_specification(
            routes in prop::collection::vec(route(), 0..12),
            requests in prop::collection::vec((host(), path()), 1..12),
        ) {
            let model = model_of(routes);
            let table = compile(&model, 1, &OrdMap::new());
            let listener = table.listener(80).expect("port 80");
            for (host, path) in requests {
                let found = listener.find(&host, MatchInput::from_path(&path)).map(|target| target.route.matches.path.clone());
                let expected = naive(&model, &host, &path);
                prop_assert_eq!(found, expected, "{} {}", host, path);
                let explanation = listener.explain(&host, MatchInput::from_path(&path));
                let named = explanation.considered.iter().filter(|considered| considered.miss.is_none()).count();
                prop_assert_eq!(named, usize::from(explanation.chosen.is_some()));
            }
        }
    }

    /// Where each request goes, by what a route says of itself, and which of these routes are there.
    fn answers(
        table: &RoutingTable,
        requests: &[(String, String)],
        ids: &[RouteId],
    ) -> Vec<Option<(RouteId, Arc<str>)>> {
        let listener = table.listener(80).expect("port 80");
        let found = requests
            .iter()
            .map(|(host, path)| listener.find(host, MatchInput::from_path(path)))
            .map(|found| found.map(|target| (target.id(), target.route.field.clone())));
        let (routes, member) = (table.session_routes(), ([127, 0, 0, 1], 1).into());
        let there = ids.iter().map(|id| {
            let input = MatchInput::from_path("/");
            let origin = SessionOrigin { port: 80, host: "not.anywhere", input, route: Some(id), member };
            routes.covers(&origin).then(|| (id.clone(), "".into()))
        });
        found.chain(there).collect()
    }

    /// All routes.
    fn ids(table: &RoutingTable) -> BTreeSet<RouteId> {
        table.listener(80).expect("port 80").route_ids().collect()
    }

    proptest! {
        #[test]
        fn a_table_made_of_the_one_before_answers_as_one_that_is_compiled_whole(
            changes in prop::collection::vec(prop::collection::vec((route(), 0..3u8), 0..12), 1..6),
            requests in prop::collection::vec((host(), path()), 1..12),
        ) {
            let mut model = model_of(Vec::new());
            let (mut table, mut seen) = (compile(&model, 1, &OrdMap::new()), BTreeSet::new());
            for (turn, change) in changes.into_iter().enumerate() {
                let before = model.clone();
                let listener = model.listeners.get_mut(&80).expect("port 80");
                let removed = change.iter().filter(|(_, what)| *what == 0).map(|((pattern, _), _)| pattern);
                removed.for_each(|pattern| drop(listener.hosts.remove(pattern)));
                let routes = change.into_iter().filter(|(_, what)| *what > 0).map(|(route, _)| route);
                for (pattern, mut host) in model_of(routes.collect()).listeners[&80].hosts.clone() {
                    Arc::make_mut(&mut host).routes.iter_mut().for_each(|route| {
                        let route = Arc::make_mut(route);
                        route.field = format!("{}{turn}", route.field).into();
                    });
                    listener.hosts.insert(pattern, host);
                }
                let next = table.update(&model, 2, &OrdMap::new());
                let whole = compile(&model, 2, &OrdMap::new());
                seen.extend(ids(&whole));
                let known: Vec<_> = seen.iter().cloned().collect();
                prop_assert_eq!(answers(&next, &requests, &known), answers(&whole, &requests, &known));
                prop_assert_eq!(ids(&next), ids(&whole));
                for (pattern, host) in &before.listeners[&80].hosts {
                    let kept = model.listeners[&80].hosts.get(pattern).is_some_and(|now| now == host);
                    let of = |table: &RoutingTable| {
                        let listener = table.listener(80).expect("port 80");
                        listener.hosts().find(|routes| routes.pattern == *pattern).map(Arc::as_ptr)
                    };
                    prop_assert_eq!(of(&table) == of(&next), kept, "{}", pattern);
                }
                table = next;
            }
        }
    }

    #[test]
    fn many_paths_of_one_host_are_found_as_few_are() {
        let path = |number: usize| match number % 4 {
            0 => PathMatch::exact(&format!("/exact/{number}")).expect("a path"),
            1 => PathMatch::prefix(&format!("/prefix/{}", "x/".repeat(number))).expect("a path"),
            2 => PathMatch::regex(&format!("/prefix/x{{{}}}.*", number / 2)).expect("a pattern"),
            _ => PathMatch::pattern(&format!("/pattern/{number}*")).expect("a path"),
        };
        let paths = (0..30).map(path).chain([PathMatch::Any]);
        let model = model_of(paths.map(|path| (HostPattern::Any, path)).collect());
        let table = compile(&model, 1, &OrdMap::new());
        let (listener, routes) =
            (table.listener(80).expect("port 80"), &model.listeners[&80].hosts[&HostPattern::Any].routes);
        for number in 0..30 {
            for path in [
                format!("/exact/{number}"),
                format!("/prefix/{}y", "x/".repeat(number)),
                format!("/prefix/{}y", "x".repeat(number)),
                format!("/pattern/{number}"),
            ] {
                let expected =
                    routes.iter().map(|route| &route.matches.path).find(|route| route.matches(&path)).cloned();
                assert_eq!(
                    listener.find("", MatchInput::from_path(&path)).map(|target| target.route.matches.path.clone()),
                    expected,
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn a_host_pattern_of_a_gateway_spans_labels_and_yields_to_exact() {
        let model = model_of(vec![
            (HostPattern::gateway("*.foo.com").expect("a pattern"), PathMatch::Any),
            (HostPattern::gateway("*.bar.foo.com").expect("a pattern"), PathMatch::pattern("/img/*").expect("a path")),
            (HostPattern::gateway("www.foo.com").expect("a pattern"), PathMatch::Any),
        ]);
        let table = compile(&model, 1, &OrdMap::new());
        let listener = table.listener(80).expect("port 80");
        let field =
            |host, path| listener.find(host, MatchInput::from_path(path)).map(|target| target.route.field.clone());
        assert_eq!(field("www.foo.com", "/").as_deref(), Some("spec.rules[2]"));
        assert_eq!(field("a.bar.foo.com", "/IMG/1.png").as_deref(), Some("spec.rules[1]"));
        assert_eq!(field("a.bar.foo.com", "/other").as_deref(), Some("spec.rules[0]"));
        assert_eq!(field("foo.com", "/"), None);
    }
}
