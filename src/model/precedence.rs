//! Which of several routes takes a request that all of them match.
//!
//! The host decides first, then the match. Each has a summary whose order is the precedence: the lesser one goes first. Whoever has
//! to sort hosts or routes sorts them by their summaries; whoever takes a shortcut states the invariant on which it stands.
//! (networking.k8s.io/v1 HTTPIngressPath; ARM multi-site listeners.)

use std::cmp::Reverse;

use super::{Conditions, HostPattern, PathMatch, RouteMatch};

/// The precedence of a host among those that match a request: an exact name, then wildcards, then any host. A wildcard that spells
/// out more of the host goes first.
///
/// Hosts that are equal in all of that are in the order of their kinds and texts, so that the order never depends on that of
/// the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPrecedence<'a> {
    breadth: HostBreadth,
    literal_length: Reverse<usize>,
    wildcard: Wildcard,
    text: &'a str,
}

/// How many hosts a pattern may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HostBreadth {
    One,
    Some,
    All,
}

/// What the wildcard of a pattern stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wildcard {
    /// There is none, or it matches every host.
    None,
    /// One label: fewer hosts than a glob of the same text.
    Label,
    /// Any characters.
    Glob,
}

/// The precedence of a match among those that match a request for one host: an exact path, then the longest prefix or regular
/// expression, then patterns, then every path.
///
/// The path decides first, then the other conditions: one on the method, then the number of those on headers, then of those on the
/// query (Gateway API, HTTPRouteRule.matches). So the routes of one path are adjacent wherever routes are sorted, and `table` relies
/// on it.
///
/// Patterns are equal, and so are matches with as many conditions: the first that is listed goes first, so sort with a stable sort.
/// Other paths that are equal are in the order of their texts, so that the order never depends on that of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchPrecedence<'a> {
    path: PathPrecedence,
    text: &'a str,
    conditions: ConditionPrecedence,
}

/// The precedence of the other conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct ConditionPrecedence {
    has_method: Reverse<bool>,
    headers: Reverse<usize>,
    query: Reverse<usize>,
}

/// The precedence of a condition on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PathPrecedence {
    Exact,
    Prefix { length: Reverse<usize>, form: PrefixForm },
    Pattern,
    Any,
}

/// How the start of a path is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PrefixForm {
    Literal,
    Regex,
}

impl HostPattern {
    /// The precedence among hosts: the lesser goes first.
    pub fn precedence(&self) -> HostPrecedence<'_> {
        let (breadth, wildcard, text) = match self {
            Self::Exact(name) => (HostBreadth::One, Wildcard::None, &**name),
            Self::SingleLabel(parent) => (HostBreadth::Some, Wildcard::Label, &**parent),
            Self::Glob(pattern) => (HostBreadth::Some, Wildcard::Glob, &**pattern),
            Self::Any => (HostBreadth::All, Wildcard::None, ""),
        };
        HostPrecedence { breadth, literal_length: Reverse(self.literal_length()), wildcard, text }
    }
}

impl RouteMatch {
    /// The precedence among the matches of one host: the lesser goes first.
    pub fn precedence(&self) -> MatchPrecedence<'_> {
        let Self { path, conditions } = self;
        let (path, text) = match path {
            PathMatch::Exact(path) => (PathPrecedence::Exact, &**path),
            PathMatch::Prefix(path) => (prefix(path, PrefixForm::Literal), &**path),
            PathMatch::Regex(regex) => (prefix(regex.as_str(), PrefixForm::Regex), regex.as_str()),
            PathMatch::PatternExact(_) | PathMatch::PatternPrefix(_) => (PathPrecedence::Pattern, ""),
            PathMatch::Any => (PathPrecedence::Any, ""),
        };
        let conditions = conditions.as_deref().map(ConditionPrecedence::of).unwrap_or_default();
        MatchPrecedence { path, text, conditions }
    }
}

impl ConditionPrecedence {
    fn of(Conditions { method, headers, query }: &Conditions) -> Self {
        Self { has_method: Reverse(method.is_some()), headers: Reverse(headers.len()), query: Reverse(query.len()) }
    }
}

fn prefix(text: &str, form: PrefixForm) -> PathPrecedence {
    PathPrecedence::Prefix { length: Reverse(text.len()), form }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NamedValue;

    fn ingress(text: &str) -> HostPattern {
        HostPattern::ingress(text).expect("a host")
    }

    fn gateway(text: &str) -> HostPattern {
        HostPattern::gateway(text).expect("a host")
    }

    /// Each host goes before those after it.
    fn assert_hosts_in_order(hosts: &[HostPattern]) {
        for (earlier, later) in hosts.iter().zip(&hosts[1..]) {
            assert!(earlier.precedence() < later.precedence(), "{earlier} goes before {later}");
        }
    }

    /// Each match goes before those after it.
    fn assert_matches_in_order(matches: &[PathMatch]) {
        let matches: Vec<RouteMatch> = matches.iter().cloned().map(RouteMatch::from).collect();
        for (earlier, later) in matches.iter().zip(&matches[1..]) {
            assert!(earlier.precedence() < later.precedence(), "{earlier} goes before {later}");
        }
    }

    fn exact(text: &str) -> PathMatch {
        PathMatch::exact(text).expect("a path")
    }

    fn prefix(text: &str) -> PathMatch {
        PathMatch::prefix(text).expect("a path")
    }

    fn pattern(text: &str) -> PathMatch {
        PathMatch::pattern(text).expect("a path")
    }

    #[test]
    fn an_exact_host_goes_before_wildcards_and_those_before_any_host() {
        assert_hosts_in_order(&[ingress("a.b"), ingress("*.a-much-longer.example.com"), gateway("*.b"), ingress("")]);
    }

    #[test]
    fn the_wildcard_that_spells_out_more_of_the_host_goes_first() {
        assert_hosts_in_order(&[gateway("shop-?.b.example"), ingress("*.b.example"), gateway("*.example")]);
    }

    #[test]
    fn one_label_goes_before_any_number_of_labels() {
        assert_hosts_in_order(&[ingress("*.b.example"), gateway("*.b.example"), gateway("*.c.example")]);
    }

    #[test]
    fn an_exact_path_goes_before_prefixes_those_before_patterns_and_any_path_is_last() {
        assert_matches_in_order(&[exact("/a"), prefix("/much/longer"), pattern("/longest/of/all"), PathMatch::Any]);
    }

    #[test]
    fn the_longest_prefix_goes_first() {
        assert_matches_in_order(&[prefix("/long/prefix"), prefix("/a"), prefix("/z"), prefix("/")]);
    }

    #[test]
    fn among_prefixes_and_regular_expressions_the_longest_text_goes_first() {
        let regex = |text| PathMatch::regex(text).expect("a pattern");
        assert_matches_in_order(&[
            exact("/a"),
            regex("/foo/bar/[a-z]{3}"),
            prefix("/foo/bar/bar"),
            regex("/foo(.*)"),
            prefix("/"),
            pattern("/longest/of/all"),
        ]);
    }

    #[test]
    fn among_routes_of_one_path_the_method_decides_then_headers_then_the_query() {
        let values = |count: usize| (0..count).map(|_| NamedValue { name: "a".into(), value: "b".into() }).collect();
        let matches = |path: &str, method: bool, headers, query| RouteMatch {
            path: prefix(path),
            conditions: Conditions {
                method: method.then(|| "GET".into()),
                headers: values(headers),
                query: values(query),
            }
            .into_shared(),
        };
        let ordered = [
            matches("/a/b", false, 0, 0),
            matches("/a", true, 0, 0),
            matches("/a", false, 2, 0),
            matches("/a", false, 1, 3),
            matches("/a", false, 1, 1),
            matches("/a", false, 0, 1),
            matches("/a", false, 0, 0),
            matches("/", true, 1, 1),
        ];
        assert!(ordered.is_sorted_by(|earlier, later| earlier.precedence() < later.precedence()), "{ordered:#?}");
    }

    #[test]
    fn patterns_go_as_they_are_listed() {
        let [one, other]: [RouteMatch; 2] = [pattern("/z*").into(), pattern("/a").into()];
        assert_eq!(one.precedence(), other.precedence());
    }
}
