use serde_json::json;

use super::closed_sessions::ResolvedNames;
use super::*;
use crate::admin::sessions::ListedSession;

/// A Service at 10.0.0.1, whose endpoint is as `conditions` say, and the Ingress `name` that leads there by `path`.
fn manifests(name: &str, path: &str, conditions: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{ports: [{{port: 80}}]}}\n---\n\
         apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: s, labels: {{kubernetes.io/service-name: s}}}}\naddressType: IPv4\nports: [{{port: 80}}]\n\
         endpoints: [{{addresses: [10.0.0.1], conditions: {conditions}}}]\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec:\n  rules:\n  - host: a.example\n    \
         http: {{paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: s, port: {{number: 80}}}}}}}}]}}\n"
    )
}

const READY: &str = "{ready: true}";
const TERMINATING: &str = "{ready: false, serving: true, terminating: true}";

fn model(text: &str) -> Model {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("a.yaml"), text).expect("written");
    let input = directory::read(dir.path()).expect("read");
    let options = Options { everything_without_class: true, ..Options::default() };
    served(&input, &options, &mut LastGood::default()).0
}

/// A session by that route at 10.0.0.1.
fn session(id: u64, object: &str, path: &str, closing: bool) -> ListedSession<'static> {
    let closing = closing.then(|| json!({"why": "command", "code": 1001, "reason": "", "at": ""}));
    let direction = json!({"bytes": 0, "text": 0, "binary": 0, "fragmented": 0, "pings": 0, "pongs": 0, "close": null});
    let value = json!({
        "id": id, "object": object, "protocol": "websocket", "field": "", "route": format!("{object} a.example {path}"), "pool": "",
        "member": "10.0.0.1:80", "pod": null, "client": "192.0.2.7", "port": 80, "host": "a.example",
        "path": format!("{path}/room"), "version": "", "user_agent": "", "subprotocol": "", "request_id": "",
        "opened": "", "age_seconds": 0.0, "silence_seconds": 0.0, "state": "", "closing": closing,
        "up": direction, "down": direction,
    });
    serde_json::from_value(value).expect("a session")
}

fn before(old: &Model, new: &Model) -> CurrentState {
    let view = |model| ConfigView::of(model).expect("a view");
    let publishes = view(old).publishes(&view(new)).expect("known");
    CurrentState { standings: closed_sessions::standings(old, &ResolvedNames::new()), publishes }
}

#[test]
fn a_change_closes_what_the_controller_would() {
    let old = model(&manifests("site", "/ws", READY));
    for (what, new, expected) in [
        ("nothing", manifests("site", "/ws", READY), &[][..]),
        ("another path", manifests("site", "/other", READY), &["route_removed"]),
        ("another name", manifests("renamed", "/ws", READY), &[]),
        ("a pod that goes", manifests("site", "/ws", TERMINATING), &["member_drain"]),
        ("a pod that is not ready", manifests("site", "/ws", "{ready: false}"), &[]),
        ("nothing is left", "# nothing\n".to_owned(), &["route_removed"]),
    ] {
        let new = model(&new);
        let (before, after) = (before(&old, &new), NextTable::of(&new, &ResolvedNames::new()).expect("compiled"));
        let sessions =
            [session(1, "Ingress default/site", "/ws", false), session(2, "Ingress default/site", "/ws", true)];
        let closes = after.closes(&before, &sessions);
        let causes: Vec<_> = closes.by.iter().map(|group| group.cause).collect();
        assert_eq!((&causes[..], closes.closed), (expected, expected.len()), "{what}");
        assert_eq!((closes.open, closes.already_closing), (2, 1), "{what}");
        let places: Vec<_> = after.closed_routes(&before, &old).into_iter().map(|place| place.cause).collect();
        assert_eq!(places, expected, "{what}");
    }
}

#[test]
fn what_has_no_route_stays_while_no_table_is_published() {
    // Its route has gone before, and its pod is named no more.
    let old = model(&manifests("renamed", "/ws", READY));
    let new = model(&manifests("renamed", "/ws", READY).replace("10.0.0.1", "10.0.0.2"));
    let (before, after) = (before(&old, &new), NextTable::of(&new, &ResolvedNames::new()).expect("compiled"));
    assert!(!before.publishes);
    let sessions = [session(1, "Ingress default/site", "/ws", false)];
    assert_eq!(after.closes(&before, &sessions).closed, 0);
    assert_eq!(
        after.closes(&CurrentState { publishes: true, ..before }, &sessions).closed,
        1,
        "it would be closed by another"
    );
}

#[test]
fn a_pod_that_no_route_leads_to_takes_its_sessions_along() {
    let unrouted =
        |conditions| manifests("site", "/ws", conditions).replace("service: {name: s,", "service: {name: other,");
    let (old, new) = (model(&unrouted(READY)), model(&unrouted(TERMINATING)));
    let (before, after) = (before(&old, &new), NextTable::of(&new, &ResolvedNames::new()).expect("compiled"));
    let sessions = [session(1, "Ingress default/site", "/ws", false)];
    assert_eq!(after.closes(&before, &sessions).closed, 1);
    let view = |model| ConfigView::of(model).expect("a view");
    assert_eq!(Differences::between(&view(&old), &view(&new)).pools.len(), 1, "and it is shown");
}

#[test]
fn a_name_leads_where_the_gateway_that_runs_knows() {
    let external = |name: &str| {
        manifests(name, "/ws", READY)
            .replace("{ports: [{port: 80}]}", "{type: ExternalName, externalName: b.example, ports: [{port: 80}]}")
    };
    let (old, new) = (model(&external("site")), model(&external("renamed")));
    let sessions = [session(1, "Ingress default/site", "/ws", false)];
    let known = ResolvedNames::from([("b.example".to_owned(), vec!["10.0.0.1".parse().expect("an address")])]);
    for (names, expected) in [(known, 0), (ResolvedNames::new(), 1)] {
        let after = NextTable::of(&new, &names).expect("compiled");
        assert_eq!(after.closes(&before(&old, &new), &sessions).closed, expected);
    }
}

#[test]
fn what_runs_tells_how_it_translates_and_what_its_members_are() {
    let dump = json!({
        "model": {"listeners": {}, "pools": {}, "certificates": {}},
        "pools": {"p": [{"address": "10.0.0.1:80", "name": "b.example", "endpoint": "terminating"}]},
        "options": {"controller": "c", "serve_controllers": ["d"], "everything_without_class": false},
    });
    let view = ConfigView::read(dump.to_string().as_bytes()).expect("a view");
    let options = view.options().expect("known");
    assert_eq!((options.controller.as_str(), options.serve_controllers.len()), ("c", 1));
    let member: SocketAddr = "10.0.0.1:80".parse().expect("an address");
    assert!(closed_sessions::standings_of(&view).of(member).is_some_and(|state| state.grace().is_some()));
    assert_eq!(closed_sessions::names(&view)["b.example"], [member.ip()]);
    assert!(ConfigView::read(b"{}").is_err() && ConfigView::read(b"<html>").is_err());
}

#[test]
fn a_routes_identity_is_the_text_that_a_gateway_displays() {
    let model = model(&manifests("site", "/ws", READY));
    let table = crate::table::compile(&model, 1, &Default::default());
    let displayed: Vec<String> = table.listener(80).expect("port 80").route_ids().map(|id| id.to_string()).collect();
    let view = ConfigView::of(&model).expect("a view");
    let hosts = view.model.listeners[&80].hosts.iter();
    let ids: Vec<String> = hosts.flat_map(|(host, of)| of.routes.iter().map(move |route| route.id(host))).collect();
    assert_eq!(ids, displayed);
}
