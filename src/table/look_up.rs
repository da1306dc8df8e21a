//! Which route takes a request.
//!
//! Among all routes whose host and path match, the host decides first (exact, then wildcard from the most
//! literal, then any), and within a host the path (exact, then the longest prefix, then patterns as
//! listed, then the default). (networking.k8s.io/v1 HTTPIngressPath; ARM multi-site listeners.)

use std::sync::Arc;

use super::{HostTable, ListenerTable, Paths, Target};
use crate::model::{HostPattern, Route};

impl ListenerTable {
    /// The route for `host` (lower case, without port) and `path` (normalised).
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Target>> {
        let exact = self.exact.get(host).and_then(|routes| routes.find(path));
        exact.or_else(|| self.find_wildcard(host, path)).or_else(|| self.any.as_ref()?.find(path))
    }

    fn find_wildcard(&self, host: &str, path: &str) -> Option<&Arc<Target>> {
        let parent = host.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| parent);
        let single = parent.and_then(|parent| self.single_label.get(parent));
        if self.globs.is_empty() {
            return single?.find(path);
        }
        let globs = self.globs.iter().filter(|routes| routes.pattern.matches(host));
        let mut matching: Vec<&Arc<HostTable>> = single.into_iter().chain(globs).collect();
        // Stable: of two that spell out as much, the single label comes first, then the patterns in order.
        matching.sort_by_key(|routes| std::cmp::Reverse(routes.pattern.literal_length()));
        matching.into_iter().find_map(|routes| routes.find(path))
    }

    /// The routes of the hosts that are shown so: a wildcard of an Ingress and one of a gateway may be.
    pub(super) fn shown_as(&self, shown: &str) -> impl Iterator<Item = &Arc<HostTable>> {
        let single = shown.strip_prefix("*.").and_then(|parent| self.single_label.get(parent));
        let globs = self.globs.iter().filter(move |routes| routes.name() == shown);
        let any = self.any.as_ref().filter(|_| shown == "*");
        self.exact.get(shown).into_iter().chain(single).chain(any).chain(globs)
    }

    fn hosts(&self) -> impl Iterator<Item = &Arc<HostTable>> {
        self.exact.iter().chain(self.single_label.iter()).chain(self.globs.iter()).chain(&self.any)
    }

    /// What was considered for a request, in order of precedence, for people.
    pub fn explain(&self, host: &str, path: &str) -> Explanation {
        let chosen = self.find(host, path).cloned();
        let mut hosts: Vec<_> = self.hosts().collect();
        hosts.sort_by(|a, b| {
            let (a, b) = (&a.pattern, &b.pattern);
            let rank = |pattern: &HostPattern| match pattern {
                HostPattern::Exact(_) => 0,
                HostPattern::SingleLabel(_) | HostPattern::Glob(_) => 1,
                HostPattern::Any => 2,
            };
            rank(a).cmp(&rank(b)).then(b.literal_length().cmp(&a.literal_length())).then(a.cmp(b))
        });
        let mut considered = Vec::new();
        for routes in hosts {
            let host_matches = routes.pattern.matches(host);
            for target in &routes.targets {
                let miss = if !host_matches {
                    Some(Miss::Host)
                } else if !target.route.path.matches(path) {
                    Some(Miss::Path)
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
    fn find(&self, path: &str) -> Option<&Arc<Target>> {
        if self.takes_all && path.starts_with('/') {
            return self.targets.first();
        }
        let routes = &self.host.routes;
        let index = match &self.paths {
            None => routes.iter().position(|route| route.path.matches(path)),
            Some(paths) => paths
                .find(path)
                .or_else(|| paths.others.iter().copied().find(|index| routes[*index].path.matches(path))),
        };
        self.targets.get(index?)
    }
}

impl Paths {
    /// The route of an exact path or a prefix.
    fn find(&self, path: &str) -> Option<usize> {
        if let Some(index) = self.exact.get(path) {
            return Some(*index);
        }
        if self.prefix.is_empty() {
            return None;
        }
        if let Some(index) = self.prefix.get(path).filter(|_| path.len() <= self.longest_prefix) {
            return Some(*index);
        }
        // Each `/`, from the right, ends a shorter prefix.
        let reach = path.len().min(self.longest_prefix + 1);
        let slashes = path.as_bytes()[..reach].iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        slashes.into_iter().find_map(|(at, _)| self.prefix.get(&path[..at]).copied())
    }
}

/// Why a request goes where it goes.
#[derive(Debug)]
pub struct Explanation {
    /// The route that takes it, if one does.
    pub chosen: Option<Arc<Target>>,
    /// Every route of the listener, in order of precedence.
    pub considered: Vec<Considered>,
}

/// A route that was considered.
#[derive(Debug)]
pub struct Considered {
    /// Its host.
    pub host: HostPattern,
    /// The route.
    pub route: Arc<Route>,
    /// Why it does not take the request; `None` for the one that does.
    pub miss: Option<Miss>,
}

/// Why a route does not take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// Its host is another.
    Host,
    /// Its path is another.
    Path,
    /// It matches, but one that goes before it matches as well.
    Precedence,
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use imbl::OrdMap;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Action, Host, Kind, Listener, Model, ObjectRef, PathMatch, Protocol, Route, Unavailable};
    use crate::table::{RoutingTable, compile};

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
            let host = hosts.entry(pattern).or_insert_with(|| Arc::new(Host { certificate: None, routes: Vec::new() }));
            let host = Arc::make_mut(host);
            if host.routes.iter().any(|route| route.path == path) {
                continue;
            }
            host.routes.push(Arc::new(Route {
                field: format!("spec.rules[{index}]").into(),
                owner: ObjectRef::new(Kind::Ingress, "default", "site").into(),
                path,
                action: Action::Unavailable(Unavailable { reason: "Test" }),
            }));
            host.routes.sort_by(|a, b| in_order(&a.path, &b.path));
        }
        let listener = Listener { protocol: Protocol::Http, hosts, default_certificate: None };
        Model { listeners: BTreeMap::from([(80, listener)]), ..Model::default() }
    }

    /// As the model has the routes of a host.
    fn in_order(a: &PathMatch, b: &PathMatch) -> std::cmp::Ordering {
        match (a, b) {
            (PathMatch::Prefix(a), PathMatch::Prefix(b)) => b.len().cmp(&a.len()),
            (a, b) => a.cmp(b),
        }
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
                _ => (0, 0),
            };
            (by_host, pattern.literal_length(), single, by_path, length)
        };
        let hosts = model.listeners[&80].hosts.iter().filter(|(pattern, _)| pattern.matches(host));
        let routes = hosts.flat_map(|(pattern, host)| host.routes.iter().map(move |route| (pattern, &route.path)));
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
                let found = listener.find(&host, &path).map(|target| target.route.path.clone());
                let expected = naive(&model, &host, &path);
                prop_assert_eq!(found, expected, "{} {}", host, path);
                let explanation = listener.explain(&host, &path);
                let named = explanation.considered.iter().filter(|considered| considered.miss.is_none()).count();
                prop_assert_eq!(named, usize::from(explanation.chosen.is_some()));
            }
        }
    }

    /// Where each request goes, by what a route says of itself, and which of these routes are there.
    fn answers(
        table: &RoutingTable,
        requests: &[(String, String)],
        ids: &[Arc<str>],
    ) -> Vec<Option<(Arc<str>, Arc<str>)>> {
        let listener = table.listener(80).expect("port 80");
        let found = requests.iter().map(|(host, path)| {
            listener.find(host, path).map(|target| (Arc::clone(&target.id), target.route.field.clone()))
        });
        let (places, nowhere) = (table.places(), ([127, 0, 0, 1], 1).into());
        let there =
            ids.iter().map(|id| places.has(80, "not.anywhere", "/", id, nowhere).then(|| (Arc::clone(id), "".into())));
        found.chain(there).collect()
    }

    /// All routes.
    fn ids(table: &RoutingTable) -> BTreeSet<Arc<str>> {
        let listener = table.listener(80).expect("port 80");
        listener.hosts().flat_map(|routes| &routes.targets).map(|target| Arc::clone(&target.id)).collect()
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
        let path = |number: usize| match number % 3 {
            0 => PathMatch::exact(&format!("/exact/{number}")),
            1 => PathMatch::prefix(&format!("/prefix/{}", "x/".repeat(number))),
            _ => PathMatch::pattern(&format!("/pattern/{number}*")),
        };
        let paths = (0..30).map(|number| path(number).expect("a path")).chain([PathMatch::Any]);
        let model = model_of(paths.map(|path| (HostPattern::Any, path)).collect());
        let table = compile(&model, 1, &OrdMap::new());
        let (listener, routes) =
            (table.listener(80).expect("port 80"), &model.listeners[&80].hosts[&HostPattern::Any].routes);
        for number in 0..30 {
            for path in
                [format!("/exact/{number}"), format!("/prefix/{}y", "x/".repeat(number)), format!("/pattern/{number}")]
            {
                let expected = routes.iter().map(|route| &route.path).find(|route| route.matches(&path)).cloned();
                assert_eq!(listener.find("", &path).map(|target| target.route.path.clone()), expected, "{path}");
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
        let field = |host, path| listener.find(host, path).map(|target| target.route.field.clone());
        assert_eq!(field("www.foo.com", "/").as_deref(), Some("spec.rules[2]"));
        assert_eq!(field("a.bar.foo.com", "/IMG/1.png").as_deref(), Some("spec.rules[1]"));
        assert_eq!(field("a.bar.foo.com", "/other").as_deref(), Some("spec.rules[0]"));
        assert_eq!(field("foo.com", "/"), None);
    }
}
