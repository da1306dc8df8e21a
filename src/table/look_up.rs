//! Which route takes a request.
//!
//! Among all routes whose host and path match, the host decides first (exact, then wildcard from the most
//! literal, then any), and within a host the path (exact, then the longest prefix, then patterns as
//! listed, then the default). (networking.k8s.io/v1 HTTPIngressPath; ARM multi-site listeners.)

use std::sync::Arc;

use super::{HostTable, ListenerTable, Target};
use crate::model::{HostPattern, Route};

impl ListenerTable {
    /// The route for `host` (lower case, without port) and `path` (normalised).
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Target>> {
        let exact = self.exact.get(host).and_then(|routes| routes.find(path));
        exact.or_else(|| self.find_wildcard(host, path)).or_else(|| self.any.as_ref()?.find(path))
    }

    fn find_wildcard(&self, host: &str, path: &str) -> Option<&Arc<Target>> {
        let parent = host.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| parent);
        let single = parent.and_then(|parent| Some((parent.len() + 1, self.single_label.get(parent)?)));
        if self.globs.is_empty() {
            return single?.1.find(path);
        }
        let mut matching: Vec<(usize, &HostTable)> = single.into_iter().collect();
        let globs = self.globs.iter().filter(|(pattern, _)| pattern.matches(host));
        matching.extend(globs.map(|(pattern, routes)| (pattern.literal_length(), routes)));
        // Stable: of two that spell out as much, the single label comes first, then the patterns in order.
        matching.sort_by_key(|(literal, _)| std::cmp::Reverse(*literal));
        matching.into_iter().find_map(|(_, routes)| routes.find(path))
    }

    fn hosts(&self) -> impl Iterator<Item = (HostPattern, &HostTable)> {
        let exact = self.exact.iter().map(|(name, routes)| (HostPattern::Exact(name.clone()), routes));
        let single = self.single_label.iter().map(|(name, routes)| (HostPattern::SingleLabel(name.clone()), routes));
        let globs = self.globs.iter().map(|(pattern, routes)| (pattern.clone(), routes));
        exact.chain(single).chain(globs).chain(self.any.iter().map(|routes| (HostPattern::Any, routes)))
    }

    /// Every host's routes, in no order.
    pub(super) fn host_tables(&self) -> impl Iterator<Item = &HostTable> {
        let named = self.exact.values().chain(self.single_label.values());
        named.chain(self.globs.iter().map(|(_, routes)| routes)).chain(&self.any)
    }

    /// What was considered for a request, in order of precedence, for people.
    pub fn explain(&self, host: &str, path: &str) -> Explanation {
        let chosen = self.find(host, path).cloned();
        let mut hosts: Vec<_> = self.hosts().collect();
        hosts.sort_by(|(a, _), (b, _)| {
            let rank = |pattern: &HostPattern| match pattern {
                HostPattern::Exact(_) => 0,
                HostPattern::SingleLabel(_) | HostPattern::Glob(_) => 1,
                HostPattern::Any => 2,
            };
            rank(a).cmp(&rank(b)).then(b.literal_length().cmp(&a.literal_length())).then(a.cmp(b))
        });
        let mut considered = Vec::new();
        for (pattern, routes) in hosts {
            let host_matches = pattern.matches(host);
            for target in routes.targets() {
                let miss = if !host_matches {
                    Some(Miss::Host)
                } else if !target.route.path.matches(path) {
                    Some(Miss::Path)
                } else if chosen.as_ref().is_some_and(|chosen| !Arc::ptr_eq(chosen, target)) {
                    Some(Miss::Precedence)
                } else {
                    None
                };
                considered.push(Considered { host: pattern.clone(), route: target.route.clone(), miss });
            }
        }
        Explanation { chosen, considered }
    }
}

impl HostTable {
    fn find(&self, path: &str) -> Option<&Arc<Target>> {
        if let Some(target) = self.exact.get(path) {
            return Some(target);
        }
        if !self.prefix.is_empty() {
            if let Some(target) = self.prefix.get(path).filter(|_| path.len() <= self.longest_prefix) {
                return Some(target);
            }
            // Each `/`, from the right, ends a shorter prefix.
            let reach = path.len().min(self.longest_prefix + 1);
            let slashes = path.as_bytes()[..reach].iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
            for (at, _) in slashes {
                if let Some(target) = self.prefix.get(&path[..at]) {
                    return Some(target);
                }
            }
        }
        let pattern = self.patterns.iter().find(|(pattern, _)| pattern.matches(path));
        pattern.map(|(_, target)| target).or(self.any.as_ref())
    }

    /// Every route, in no order.
    pub(super) fn every_target(&self) -> impl Iterator<Item = &Arc<Target>> {
        let patterns = self.patterns.iter().map(|(_, target)| target);
        self.exact.values().chain(self.prefix.values()).chain(patterns).chain(&self.any)
    }

    /// Every route, in order of precedence.
    fn targets(&self) -> Vec<&Arc<Target>> {
        let sorted = |map: &'_ std::collections::HashMap<String, Arc<Target>>| {
            let mut keys: Vec<String> = map.keys().cloned().collect();
            keys.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
            keys
        };
        let exact = sorted(&self.exact).into_iter().filter_map(|key| self.exact.get(&key));
        let prefix = sorted(&self.prefix).into_iter().filter_map(|key| self.prefix.get(&key));
        let patterns = self.patterns.iter().map(|(_, target)| target);
        exact.chain(prefix).chain(patterns).chain(&self.any).collect()
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
    pub route: Route,
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
    use std::collections::BTreeMap;

    use imbl::OrdMap;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Action, Host, Listener, Model, ObjectRef, PathMatch, Protocol, Unavailable};
    use crate::table::compile;

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
            host.routes.push(Route {
                field: format!("spec.rules[{index}]").into(),
                owner: ObjectRef::new("Ingress", "default", "site").into(),
                path,
                action: Action::Unavailable(Unavailable { reason: "Test" }),
            });
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
            let table = compile(&model, 1, &BTreeMap::new());
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

    #[test]
    fn a_host_pattern_of_a_gateway_spans_labels_and_yields_to_exact() {
        let model = model_of(vec![
            (HostPattern::gateway("*.foo.com").expect("a pattern"), PathMatch::Any),
            (HostPattern::gateway("*.bar.foo.com").expect("a pattern"), PathMatch::pattern("/img/*").expect("a path")),
            (HostPattern::gateway("www.foo.com").expect("a pattern"), PathMatch::Any),
        ]);
        let table = compile(&model, 1, &BTreeMap::new());
        let listener = table.listener(80).expect("port 80");
        let field = |host, path| listener.find(host, path).map(|target| target.route.field.clone());
        assert_eq!(field("www.foo.com", "/").as_deref(), Some("spec.rules[2]"));
        assert_eq!(field("a.bar.foo.com", "/IMG/1.png").as_deref(), Some("spec.rules[1]"));
        assert_eq!(field("a.bar.foo.com", "/other").as_deref(), Some("spec.rules[0]"));
        assert_eq!(field("foo.com", "/"), None);
    }
}
