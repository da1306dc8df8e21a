//! The tables of the Ingress documentation ("Path types", "Examples"; "Hostname wildcards"): each row is translated and
//! looked up.

use steadygate::model::{Host, HostPattern, MatchInput, PathMatch, normalise_path};
use steadygate::translate::{Options, translate};

use super::manifests;

/// Kind, paths, request path, and the path that takes it: the documentation's rows, in its order.
const TABLE: &[(&str, &[&str], &str, Option<&str>)] = &[
    ("Prefix", &["/"], "/any/path", Some("/")),
    ("Exact", &["/foo"], "/foo", Some("/foo")),
    ("Exact", &["/foo"], "/bar", None),
    ("Exact", &["/foo"], "/foo/", None),
    ("Exact", &["/foo/"], "/foo", None),
    ("Prefix", &["/foo"], "/foo", Some("/foo")),
    ("Prefix", &["/foo"], "/foo/", Some("/foo")),
    ("Prefix", &["/foo/"], "/foo", Some("/foo/")),
    ("Prefix", &["/foo/"], "/foo/", Some("/foo/")),
    ("Prefix", &["/aaa/bb"], "/aaa/bbb", None),
    ("Prefix", &["/aaa/bbb"], "/aaa/bbb", Some("/aaa/bbb")),
    ("Prefix", &["/aaa/bbb/"], "/aaa/bbb", Some("/aaa/bbb/")),
    ("Prefix", &["/aaa/bbb"], "/aaa/bbb/", Some("/aaa/bbb")),
    ("Prefix", &["/aaa/bbb"], "/aaa/bbb/ccc", Some("/aaa/bbb")),
    ("Prefix", &["/aaa/bbb"], "/aaa/bbbxyz", None),
    ("Prefix", &["/", "/aaa"], "/aaa/ccc", Some("/aaa")),
    ("Prefix", &["/", "/aaa", "/aaa/bbb"], "/aaa/bbb", Some("/aaa/bbb")),
    ("Prefix", &["/", "/aaa", "/aaa/bbb"], "/ccc", Some("/")),
    ("Prefix", &["/aaa"], "/ccc", None),
];

#[test]
fn the_path_table_of_the_ingress_documentation() {
    for (kind, paths, request, expected) in TABLE {
        let rules: Vec<_> = paths.iter().map(|path| (*kind, *path)).collect();
        assert_eq!(winner(&rules, request).as_deref(), *expected, "{kind} {paths:?}, request {request}");
    }
}

#[test]
fn an_exact_path_beats_a_prefix() {
    // The last row of the table: "Mixed".
    let rules = [("Prefix", "/foo"), ("Exact", "/foo")];
    assert_eq!(winner_index(&rules, "/foo"), Some(1));
    assert_eq!(winner_index(&rules, "/foo/"), Some(0));
}

#[test]
fn paths_are_case_sensitive() {
    assert_eq!(winner(&[("Exact", "/foo")], "/FOO"), None);
    assert_eq!(winner(&[("Prefix", "/foo")], "/FOO/bar"), None);
}

fn winner(rules: &[(&str, &str)], request: &str) -> Option<String> {
    winner_index(rules, request).map(|index| rules[index].1.to_owned())
}

/// Which of the paths takes the request: translated, then read as a table reads a host, in order.
fn winner_index(rules: &[(&str, &str)], request: &str) -> Option<usize> {
    let paths: Vec<String> = rules
        .iter()
        .map(|(kind, path)| {
            format!("{{path: {path}, pathType: {kind}, backend: {{service: {{name: s, port: {{number: 80}}}}}}}}")
        })
        .collect();
    let text = format!(
        "{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: table}}, \
          spec: {{rules: [{{host: a.example, http: {{paths: [{}]}}}}]}}}}",
        paths.join(", ")
    );
    let options = Options { everything_without_class: true, ..Options::default() };
    let model = translate(&manifests::read(&text), &options).model;
    let host = &model.listeners[&80].hosts[&HostPattern::Exact("a.example".into())];
    let field = first_match(host, request)?.to_owned();
    let index = field.rsplit_once('[').and_then(|(_, index)| index.strip_suffix(']')?.parse().ok());
    Some(index.expect("a path's field ends with its index"))
}

fn first_match<'a>(host: &'a Host, request: &str) -> Option<&'a str> {
    let request = normalise_path(request);
    let input = MatchInput::from_path(&request);
    let route = host.routes.iter().find(|route| route.matches.accepts(input))?;
    assert!(!matches!(route.matches.path, PathMatch::Any), "no case here has a default backend");
    Some(&route.field)
}
