use super::*;

/// A view, as a gateway that runs shows it: one route and one pool, with one certificate.
fn view(change: impl FnOnce(&mut Value)) -> ConfigView {
    let timeout = json!({"secs": 30, "nanos": 0});
    let route = |path: &str, action: Value| {
        let owner = json!({"kind": "Ingress", "namespace": "default", "name": "site"});
        json!({"field": "spec", "owner": owner, "path": path, "action": action})
    };
    let forward = json!({"Forward": {"pool": "p", "host": "Preserve", "request_timeout": timeout}});
    let routes = [route("/", forward), route("~ /a*", json!("NotFound")), route("~ /b*", json!("NotFound"))];
    let mut dump = json!({
        "model": {
            "listeners": {"443": {
                "protocol": "Https",
                "hosts": {"*.example.com": {"certificate": "default/tls", "routes": routes}},
            }},
            "pools": {"p": {
                "endpoints": [{"address": "10.0.0.1:80", "state": "Ready", "target": "Pod default/a"}],
                "transport": {"Https": {"server_name": null, "trusted_roots": "redacted (9 bytes)"}},
                "balance": "RoundRobin",
            }},
            "certificates": {"default/tls": {"chain": "redacted (9 bytes)", "key": "redacted (5 bytes)"}},
        },
        "fingerprints": {"certificates": {"default/tls": "aa"}, "trusted_roots": {"p": "bb"}},
    });
    change(&mut dump);
    ConfigView::read(dump.to_string().as_bytes()).expect("a view")
}

/// Part, name and fields of everything that differs.
fn differences(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let changes = Differences::between(&view(|_| {}), &view(change));
    assert_eq!(changes.unknown, Vec::<String>::new());
    let parts = [changes.listeners, changes.routes, changes.pools, changes.certificates];
    let lines = parts.into_iter().flatten().map(|change| {
        let fields = change.fields.iter().map(|f| format!(" {}: {} -> {}", f.field, f.before, f.after));
        format!("{:?} {}{}", change.change, change.name, fields.collect::<String>())
    });
    lines.collect()
}

const HOSTS: &str = "/model/listeners/443/hosts";

fn at<'a>(dump: &'a mut Value, path: &str) -> &'a mut Value {
    dump.pointer_mut(path).unwrap_or_else(|| panic!("{path} is there"))
}

#[test]
fn what_is_the_same_differs_in_nothing() {
    assert_eq!(differences(|_| {}), Vec::<String>::new());
    let routes = format!("{HOSTS}/*.example.com/routes/0/field");
    assert_eq!(differences(|dump| *at(dump, &routes) = json!("spec.rules[7]")), Vec::<String>::new());
    assert_eq!(view(|_| {}).publishes(&view(|dump| *at(dump, &routes) = json!("spec.rules[7]"))), Some(true));
}

#[test]
fn fields_are_shown_before_and_after() {
    let route = format!("{HOSTS}/*.example.com/routes/0");
    for (path, value, expected) in [
        ("/model/listeners/443/protocol", json!("Http"), "Changed 443 protocol: \"Https\" -> \"Http\""),
        (
            &format!("{route}/action/Forward/request_timeout/secs"),
            json!(7),
            "Changed 443 Ingress default/site *.example.com / request_timeout: \"30s\" -> \"7s\"",
        ),
        (
            &format!("{route}/action"),
            json!({"Unavailable": {"reason": "ServiceNotFound"}}),
            "Changed 443 Ingress default/site *.example.com / action: \"Forward p\" -> \"Unavailable ServiceNotFound\"",
        ),
        (
            "/model/pools/p/endpoints/0/state",
            json!({"Terminating": {"grace": {"secs": 30, "nanos": 0}}}),
            "Changed p member 10.0.0.1:80: \"ready (Pod default/a)\" -> \"terminating (Pod default/a)\"",
        ),
        (
            "/model/pools/p/balance",
            json!("LeastConnections"),
            "Changed p balance: \"RoundRobin\" -> \"LeastConnections\"",
        ),
        ("/fingerprints/trusted_roots/p", json!("cc"), "Changed p trusted roots (SHA-256): \"bb\" -> \"cc\""),
        (
            "/fingerprints/certificates/default~1tls",
            json!("cc"),
            "Changed default/tls chain (SHA-256): \"aa\" -> \"cc\"",
        ),
    ] {
        assert_eq!(differences(|dump| *at(dump, path) = value), [expected], "{path}");
    }
    let gone = differences(|dump| drop(at(dump, "/model/listeners").as_object_mut().and_then(|all| all.remove("443"))));
    assert_eq!(gone.len(), 4, "the listener and its routes: {gone:?}");
    assert!(gone.iter().all(|line| line.starts_with("Removed 443")), "{gone:?}");
}

#[test]
fn patterns_in_another_order_are_other_routes() {
    let routes = format!("{HOSTS}/*.example.com/routes");
    let swapped = differences(|dump| at(dump, &routes).as_array_mut().expect("routes").swap(1, 2));
    assert!(swapped.len() == 1 && swapped[0].contains("order of patterns"), "{swapped:?}");
    let one_less = differences(|dump| drop(at(dump, &routes).as_array_mut().expect("routes").remove(1)));
    assert_eq!(one_less, ["Removed 443 Ingress default/site *.example.com ~ /a*"]);
}

#[test]
fn without_fingerprints_nothing_is_said_of_certificates_but_that() {
    let (shown, hidden) =
        (view(|_| {}), view(|dump| drop(dump.as_object_mut().expect("a dump").remove("fingerprints"))));
    for (old, new) in [(&shown, &hidden), (&hidden, &shown)] {
        let changes = Differences::between(old, new);
        assert!(changes.certificates.is_empty() && changes.pools.is_empty() && !changes.is_empty());
        assert_eq!(changes.unknown.len(), 2, "{:?}", changes.unknown);
        assert_eq!(old.publishes(new), None);
    }
}

#[test]
fn hosts_that_look_the_same_are_both_compared() {
    // An Ingress's wildcard and an ApplicationGateway's: two entries of one name.
    let twice = |second: &str| {
        let host = |name: &str| {
            format!(
                r#""*.a": {{"routes": [{{"field": "", "owner": {{"kind": "{name}", "namespace": "d", "name": "n"}}, "path": "*", "action": "NotFound"}}]}}"#
            )
        };
        let (one, other) = (host("Ingress"), host(second));
        let json = format!(
            r#"{{"model": {{"listeners": {{"80": {{"protocol": "Http", "hosts": {{{one}, {other}}}}}}}, "pools": {{}}, "certificates": {{}}}}}}"#
        );
        ConfigView::read(json.as_bytes()).expect("a view")
    };
    assert!(Differences::between(&twice("ApplicationGateway"), &twice("ApplicationGateway")).is_empty());
    let changes = Differences::between(&twice("ApplicationGateway"), &twice("Other"));
    assert_eq!(changes.routes.len(), 2, "{changes:?}");
    assert_eq!(twice("ApplicationGateway").publishes(&twice("Other")), Some(true));
}

#[test]
fn policies_are_fields_of_a_route() {
    let routes = format!("{HOSTS}/*.example.com/routes");
    let policies = |seconds| json!({"token": {"clock_skew": {"secs": seconds, "nanos": 0}}});
    let with = |dump: &mut Value, route: usize, seconds: u64| {
        at(dump, &format!("{routes}/{route}"))["policies"] = policies(seconds);
    };
    let name = "443 Ingress default/site *.example.com";
    assert_eq!(
        differences(|dump| with(dump, 0, 60)),
        [format!("Changed {name} / policies: null -> {}", shown(&policies(60)))]
    );
    let changes = Differences::between(&view(|dump| with(dump, 0, 60)), &view(|dump| with(dump, 0, 5)));
    let fields: Vec<_> = changes.routes.iter().flat_map(|change| &change.fields).map(|field| &field.field).collect();
    assert_eq!(fields, ["policies.token.clock_skew"]);
    assert_eq!(view(|_| {}).publishes(&view(|dump| with(dump, 1, 60))), Some(true));
}
