use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, Request, StatusCode, Version};
use proptest::prelude::*;

use super::*;
use crate::model::rewrite::{
    Direction, RewriteCondition, RewriteRule, Stage, Template, TemplateScope, UrlRewrite, rewritable_header,
};
use crate::model::{Case, Kind, ObjectRef, Pattern};
use crate::proxy::request::headers::{ClientFacts, ClientHop};

/// A rule as people write it.
#[derive(Default)]
struct Written<'a> {
    conditions: &'a [(&'a str, &'a str)],
    request: &'a [(&'a str, &'a str)],
    answer: &'a [(&'a str, &'a str)],
    /// Pattern, and the new value of `Set-Cookie`.
    cookies: &'a [(&'a str, &'a str)],
    path: Option<&'a str>,
    query: Option<&'a str>,
    reroute: bool,
}

impl Written<'_> {
    fn rule(&self) -> RewriteRule {
        let pattern = |text: &str| Pattern::compile(text, Case::Sensitive).expect("a pattern");
        let conditions = self.conditions.iter().map(|(variable, text)| {
            let (negate, text) = text.strip_prefix('!').map_or((false, *text), |text| (true, text));
            RewriteCondition { variable: variable.parse().expect("a variable"), pattern: pattern(text), negate }
        });
        let conditions: Vec<_> = conditions.collect();
        let headers = |written: &[(&str, &str)], stage, direction| {
            let each = written.iter().map(|(name, value)| HeaderRewrite {
                name: rewritable_header(name, direction).expect("a header"),
                matcher: None,
                value: template(value, stage, &conditions, None),
            });
            each.collect::<Vec<_>>()
        };
        let cookies = self.cookies.iter().map(|(text, value)| {
            let matcher = ValueMatcher { pattern: pattern(text), negate: false };
            let value = template(value, Stage::Answer, &conditions, Some(&matcher));
            HeaderRewrite { name: header::SET_COOKIE, matcher: Some(matcher), value }
        });
        let url = |text: Option<&str>| text.map(|text| template(text, Stage::Request, &conditions, None));
        let url = UrlRewrite { path: url(self.path), query: url(self.query), reroute: self.reroute };
        RewriteRule {
            name: "r".into(),
            request_headers: headers(self.request, Stage::Request, Direction::Request).into(),
            response_headers: headers(self.answer, Stage::Answer, Direction::Answer)
                .into_iter()
                .chain(cookies)
                .collect(),
            url: (self.path.is_some() || self.query.is_some()).then_some(url),
            conditions: conditions.clone().into(),
        }
    }
}

fn template(text: &str, stage: Stage, conditions: &[RewriteCondition], matcher: Option<&ValueMatcher>) -> Template {
    let matched = matcher.map(|matcher| (&header::SET_COOKIE, matcher));
    Template::parse(text, TemplateScope { stage, conditions, matched }).expect("a template")
}

fn set(rules: &[Written<'_>]) -> RewriteSet {
    let owner = Arc::new(ObjectRef::new(Kind::ApplicationGateway, "default", "contoso"));
    let origin = PolicyOrigin { owner, field: "spec.rewriteRuleSets[0]".into() };
    RewriteSet::new(origin, rules.iter().map(Written::rule).collect())
}

/// A message as lines of its header.
type Lines<'a> = &'a [(&'a str, &'a str)];

fn headers(lines: Lines<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    map
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let line =
        |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    headers.iter().map(line).collect()
}

/// Gives `look` the facts of a request of 192.0.2.7 to port 443, of which only the host is fixed.
fn with_facts<T>(uri: &str, given: Lines<'_>, look: impl FnOnce(Facts<'_>) -> T) -> T {
    let request = Request::get(uri).header("host", "contoso.com:8080").body(()).expect("a request");
    let Ok(target) = RequestTarget::read(&request.into_parts().0) else { panic!("{uri} is refused") };
    let (peer, headers) = (IpAddr::from([192, 0, 2, 7]), headers(given));
    let hop = ClientHop::new(peer, false, true, 443);
    let client = ClientFacts::read(&hop, &headers, |_| false);
    let connection = ConnectionFacts { hop: &hop, tls: None, peer_port: 51234, port: 443 };
    let (method, version, header_bytes) = (&Method::GET, Version::HTTP_11, 100);
    let request = RequestFacts { certificate: None, client: &client, method, version, header_bytes, headers: &headers };
    look(Facts { connection, request, target: &target, answer: None })
}

/// What a request becomes: its headers, and its path and query as far as they are written.
fn sent(rules: &[Written<'_>], uri: &str, given: Lines<'_>) -> (Vec<String>, Option<String>, Option<String>) {
    let set = set(rules);
    with_facts(uri, given, |facts| {
        let mut values = Values::new(&set);
        let Ok((edits, _)) = edit(&set, &facts, &mut values) else { panic!("{uri} is refused") };
        let mut headers = facts.request.headers.clone();
        edits.apply(&mut headers);
        let mut lines = lines(&headers);
        lines.extend(edits.host.as_ref().map(|host| format!("host: {}", host.to_str().expect("ASCII"))));
        (lines, edits.path, edits.query)
    })
}

/// What an answer becomes, and how many headers could not be written.
fn answered(rules: &[Written<'_>], request: Lines<'_>, given: Lines<'_>) -> (Vec<String>, u64) {
    let set = set(rules);
    with_facts("/", request, |facts| {
        // What is kept is all that is looked at.
        let kept = facts.request.keep(set.kept_headers());
        let map = headers(given);
        let facts = Facts { request: kept.request(), answer: Some((StatusCode::FOUND, &map)), ..facts };
        let mut answer = http::Response::new(());
        *answer.headers_mut() = map.clone();
        let mut values = Values::new(&set);
        edit_answer(&set, &facts, &mut answer, &mut values);
        (lines(answer.headers()), values.left_out)
    })
}

/// The examples of Microsoft's page "Rewrite HTTP headers and URL with Application Gateway", by its headings.
#[test]
fn the_examples_of_azures_page_give_what_it_says() {
    // Remove port information from the X-Forwarded-For header.
    let rule = Written { request: &[("X-Forwarded-For", "{var_add_x_forwarded_for_proxy}")], ..Written::default() };
    assert_eq!(sent(&[rule], "/", &[]).0, ["x-forwarded-for: 192.0.2.7"]);
    let rule = Written { request: &[("X-Forwarded-For", "{var_client_ip}")], ..Written::default() };
    assert_eq!(sent(&[rule], "/", &[]).0, ["x-forwarded-for: 192.0.2.7"]);

    // Modify a redirection URL.
    let location = || Written {
        conditions: &[("http_resp_Location", r"(https?):\/\/.*azurewebsites\.net(.*)$")],
        answer: &[("Location", "{http_resp_Location_1}://contoso.com{http_resp_Location_2}")],
        ..Written::default()
    };
    let given = [("location", "https://contoso.azurewebsites.net/path2")];
    assert_eq!(answered(&[location()], &[], &given).0, ["location: https://contoso.com/path2"]);
    let elsewhere = [("location", "https://example.com/path2")];
    assert_eq!(answered(&[location()], &[], &elsewhere).0, ["location: https://example.com/path2"]);

    // Implement security HTTP headers to prevent vulnerabilities.
    let rule = Written { answer: &[("Strict-Transport-Security", "max-age=31536000")], ..Written::default() };
    assert_eq!(answered(&[rule], &[], &[]).0, ["strict-transport-security: max-age=31536000"]);

    // Delete unwanted headers.
    let rule = Written { answer: &[("X-Powered-By", "")], ..Written::default() };
    assert_eq!(answered(&[rule], &[], &[("x-powered-by", "ASP.NET"), ("age", "1")]).0, ["age: 1"]);

    // Check for the presence of a header.
    let present =
        || Written { conditions: &[("http_req_X-Id", ".+")], request: &[("X-Has-Id", "yes")], ..Written::default() };
    assert_eq!(sent(&[present()], "/", &[("x-id", "7")]).0, ["x-id: 7", "x-has-id: yes"]);
    assert!(sent(&[present()], "/", &[]).0.is_empty());

    // Parameter based path selection.
    let patterns = ["shoes", "bags", "accessories"].map(|category| format!("category={category}"));
    let conditions: Vec<_> = patterns.iter().map(|pattern| [("var_query_string", pattern.as_str())]).collect();
    let paths = ["/listing1", "/listing2", "/listing3"];
    let rules: Vec<_> = conditions
        .iter()
        .zip(paths)
        .map(|(conditions, path)| Written { conditions, path: Some(path), reroute: true, ..Written::default() })
        .collect();
    assert_eq!(sent(&rules, "/listing?category=any", &[]).1, None);
    assert_eq!(sent(&rules, "/listing?category=shoes", &[]).1.as_deref(), Some("/listing1"));
    assert_eq!(sent(&rules, "/listing?category=bags", &[]).1.as_deref(), Some("/listing2"));

    // Rewrite query string parameters based on the URL.
    let rule = Written {
        conditions: &[("var_uri_path", "/(.+)/(.+)")],
        path: Some("buy.aspx"),
        query: Some("category={var_uri_path_1}&product={var_uri_path_2}"),
        ..Written::default()
    };
    let (_, path, query) = sent(&[rule], "/fashion/shirts", &[]);
    assert_eq!((path.as_deref(), query.as_deref()), (Some("/buy.aspx"), Some("category=fashion&product=shirts")));

    // Limitations: rewriting a header that is there several times drops the others.
    let rule = Written { answer: &[("Set-Cookie", "a=2")], ..Written::default() };
    assert_eq!(answered(&[rule], &[], &[("set-cookie", "a=1"), ("set-cookie", "b=1")]).0, ["set-cookie: a=2"]);
}

/// Microsoft's table of server variables: the request is its example.
#[test]
fn server_variables_have_the_values_of_azures_table() {
    let uri = "http://contoso.com:8080/article.aspx?id=123&title=fabrikam";
    let given: Lines<'_> = &[
        ("cookie", "a=1; Session=xyz"),
        ("authorization", "Basic YWxhZGRpbjpvcGVuc2VzYW1l"),
        ("content-length", "11"),
        ("x-forwarded-for", "1.1.1.1"),
    ];
    with_facts(uri, given, |facts| {
        for (variable, expected) in [
            ("var_add_x_forwarded_for_proxy", "192.0.2.7"),
            ("var_client_ip", "192.0.2.7"),
            ("var_client_port", "51234"),
            ("var_client_user", "aladdin"),
            ("var_host", "contoso.com"),
            ("var_cookie_Session", "xyz"),
            ("var_cookie_session", ""),
            ("var_http_method", "GET"),
            ("var_http_status", ""),
            ("var_http_version", "HTTP/1.1"),
            ("var_query_string", "id=123&title=fabrikam"),
            ("var_request_query", "id=123&title=fabrikam"),
            ("var_received_bytes", "111"),
            ("var_request_scheme", "https"),
            ("var_request_uri", "/article.aspx?id=123&title=fabrikam"),
            ("var_sent_bytes", "0"),
            ("var_server_port", "443"),
            ("var_ssl_enabled", ""),
            ("var_uri_path", "/article.aspx"),
            ("var_client_certificate_verification", "NONE"),
            ("http_req_Content-Length", "11"),
        ] {
            let value = facts.value(&variable.parse().expect("a variable"));
            assert_eq!(String::from_utf8_lossy(&value), expected, "{variable}");
        }
    });
}

#[test]
fn rules_look_at_the_request_that_the_client_sent() {
    let first = Written { request: &[("X-Step", "first")], ..Written::default() };
    let second =
        Written { conditions: &[("http_req_X-Step", "first")], request: &[("X-Seen", "yes")], ..Written::default() };
    assert_eq!(sent(&[first, second], "/", &[("x-step", "client")]).0, ["x-step: first"]);
    // The later rule counts.
    let rules = [("X-Step", "first"), ("X-Step", "second")].map(|line| [line]);
    let rules = rules.each_ref().map(|request| Written { request, ..Written::default() });
    assert_eq!(sent(&rules, "/", &[]).0, ["x-step: second"]);
}

#[test]
fn every_condition_has_to_be_met() {
    let rule = || Written {
        conditions: &[("var_http_method", "^GET$"), ("http_req_X-A", "!^1"), ("var_uri_path", "^/a")],
        request: &[("X-Met", "yes")],
        ..Written::default()
    };
    assert_eq!(sent(&[rule()], "/a", &[]).0, ["x-met: yes"]);
    assert!(sent(&[rule()], "/b", &[]).0.is_empty());
    assert_eq!(sent(&[rule()], "/a", &[("x-a", "1")]).0, ["x-a: 1"]);
}

#[test]
fn values_of_a_header_are_rewritten_one_by_one() {
    let rule =
        Written { cookies: &[("^(a=[^;]*)", "{http_resp_Set-Cookie_1}; Secure"), ("^b=", "")], ..Written::default() };
    let given = [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=1"), ("set-cookie", "c=1")];
    assert_eq!(answered(&[rule], &[], &given).0, ["set-cookie: a=1; Secure", "set-cookie: c=1"]);
    let rule = Written { cookies: &[("", "{http_resp_Set-Cookie}; HttpOnly")], ..Written::default() };
    let expected = ["set-cookie: a=1; Path=/; HttpOnly", "set-cookie: b=1; HttpOnly", "set-cookie: c=1; HttpOnly"];
    assert_eq!(answered(&[rule], &[], &given).0, expected);
}

#[test]
fn an_answer_may_be_made_of_its_request() {
    let rule = Written {
        conditions: &[("http_req_Origin", "^https://(.+)$"), ("var_http_status", "^3")],
        answer: &[("X-Origin", "{http_req_Origin_1} {var_cookie_a} {var_client_user}{http_req_X-Gone}")],
        ..Written::default()
    };
    let request =
        [("origin", "https://a.example"), ("cookie", "a=7"), ("authorization", "Basic dTpw"), ("accept", "*/*")];
    assert_eq!(answered(&[rule], &request, &[]).0, ["x-origin: a.example 7 u"]);
}

#[test]
fn what_a_client_writes_stays_within_its_part_of_the_url() {
    let rule = || Written {
        conditions: &[("var_uri_path", "^/(.+)/(.+)$"), ("http_req_X-Id", "(.*)")],
        path: Some("/items/{http_req_X-Id_1}"),
        query: Some("a={var_uri_path_1}&b={http_req_X-Id}&{var_query_string}"),
        ..Written::default()
    };
    let (_, path, query) = sent(&[rule()], "/x&admin=1/y?c=3&d", &[("x-id", "7?x#y z+%zz")]);
    assert_eq!(path.as_deref(), Some("/items/7%3Fx%23y%20z+%25zz"));
    assert_eq!(query.as_deref(), Some("a=x%26admin=1&b=7?x%23y%20z%2B%25zz&c=3&d"));
    for climbing in ["../admin", "a/..", "%2e%2E/x", "."] {
        let set = set(&[rule()]);
        let refused =
            with_facts("/a/b", &[("x-id", climbing)], |facts| edit(&set, &facts, &mut Values::new(&set)).is_err());
        assert!(refused, "{climbing}");
    }
}

#[test]
fn a_value_that_can_not_be_sent_is_left_out_and_counted() {
    let rule = |value| [Written { answer: value, ..Written::default() }];
    let long = "x".repeat(MAX_REWRITTEN_BYTES / 2 + 1);
    let twice: Lines<'_> = &[("X-A", "{http_req_Long}"), ("X-B", "{http_req_Long}")];
    let (lines, left_out) = answered(&rule(twice), &[("long", &long)], &[]);
    assert_eq!((lines.len(), left_out), (1, 1));
    // A client's header does not pass for the value.
    let request = Written { request: &[("X-A", "{http_req_Long}"), ("X-B", "{http_req_Long}")], ..Written::default() };
    let given = [("long", &*long), ("x-b", "forged")];
    let expected = [format!("long: {long}"), format!("x-a: {long}")];
    assert_eq!(sent(&[request], "/", &given).0, expected);
    let host = Written { request: &[("Host", "{http_req_X-Host}")], ..Written::default() };
    assert_eq!(sent(&[host], "/", &[("x-host", "a/b")]).0, ["x-host: a/b"]);
    let host = Written { request: &[("Host", "{http_req_X-Host}:81")], ..Written::default() };
    assert_eq!(sent(&[host], "/", &[("x-host", "b.example")]).0, ["x-host: b.example", "host: b.example:81"]);
}

proptest! {
    #[test]
    fn whatever_comes_in_what_goes_out_is_a_header_and_a_target(
        value in proptest::collection::vec(any::<u8>(), 0..40),
        path in "/[ -~]{0,20}",
        query in "[!-~]{0,20}",
    ) {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let uri = format!("/{}?{}", path.replace(['?', '#', ' ', '"', '<', '>', '`', '{', '}', '\\', '^', '|'], ""), query.replace('#', ""));
        prop_assume!(uri.parse::<http::Uri>().is_ok());
        let rule = Written {
            conditions: &[("http_req_X-Any", "(?s-u)^(.?.?)(.*)$"), ("var_uri_path", "(.*)"), ("var_request_uri", "(.*)")],
            request: &[("X-Out", "a{http_req_X-Any_1}{http_req_X-Any}{var_uri_path_1}"), ("Host", "{http_req_X-Any_2}")],
            path: Some("/p/{http_req_X-Any_2}/{var_uri_path_1}{var_query_string}{var_request_uri_1}"),
            query: Some("q={http_req_X-Any_1}&{var_uri_path_1}&{var_query_string}&{var_request_uri_1}"),
            ..Written::default()
        };
        let set = set(&[rule]);
        with_facts(&uri, &[], |facts| {
            let mut map = HeaderMap::new();
            map.insert("x-any", value.clone());
            let facts = Facts { request: RequestFacts { headers: &map, ..facts.request }, ..facts };
            let Ok((edits, _)) = edit(&set, &facts, &mut Values::new(&set)) else { return Ok(()) };
            let mut out = HeaderMap::new();
            edits.apply(&mut out);
            prop_assert!(out.values().all(|value| !value.as_bytes().iter().any(|byte| *byte < b' ' && *byte != b'\t')));
            if let Some(host) = edits.host {
                prop_assert!(Authority::parse(host.to_str().expect("ASCII")).is_ok());
            }
            let (Some(path), Some(query)) = (edits.path, edits.query) else { return Ok(()) };
            prop_assert!(path.starts_with("/p/") && !path.contains(['?', '#']), "{path}");
            prop_assert_eq!(crate::model::normalise_path(&path), path.as_str());
            let target = format!("{path}?{query}").parse::<http::uri::PathAndQuery>();
            prop_assert_eq!(target.map(|target| target.as_str().to_owned()).ok(), Some(format!("{path}?{query}")));
            Ok(())
        })?;
    }
}
