//! A backend of `expected.yaml`, compared with the pool of the model and with the options of the routes that lead there.

use serde_json::Value;
use steadygate::model::{Action, ForwardOptions, HostHeader, Model, Pool, PoolId, Probe, Transport};

/// A value that must be a text.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The identity of the pool that a backend must be.
pub(super) fn pool_id(backend: &Value) -> String {
    let service = &backend["service"];
    let (namespace, name, ingress) = (text(&service["namespace"]), text(&service["name"]), text(&service["ingress"]));
    format!("{namespace}/{name}:service-port (Ingress {ingress})")
}

pub(super) fn assert_backend(model: &Model, backend: &Value) {
    let id = PoolId(pool_id(backend).into());
    let pool = model.pools.get(&id).unwrap_or_else(|| panic!("there is no pool {id:?}"));
    let addresses: Vec<_> = pool.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
    let members: Vec<_> = backend["members"].as_array().expect("members").iter().map(text).collect();
    assert_eq!(addresses, members);
    assert_transport(pool, &backend["sends"]);
    let mut routes = 0;
    for route in model.listeners.values().flat_map(|listener| listener.hosts.values()).flat_map(|host| &host.routes) {
        if let Action::Forward(forward) = &route.action
            && forward.pools.ids().any(|pool| *pool == id)
        {
            assert_options(&forward.options, backend);
            routes += 1;
        }
    }
    assert!(routes > 0, "no route leads to {id:?}");
    if let Some(expected) = backend.get("probe").and_then(|probe| probe.get("input")) {
        assert_probe(pool.probe.as_ref().expect("a probe"), &addresses, expected);
    }
}

/// The rewrites of each route are those of the rules that lead to its backend.
pub(super) fn assert_rewrites(model: &Model, expected: &Value) {
    for (name, backend) in expected["backends"].as_object().expect("backends") {
        if backend.get("service").is_none() {
            continue;
        }
        let id = PoolId(pool_id(backend).into());
        let to_backend = |route: &&Value| route.get("to").and_then(Value::as_str) == Some(name);
        let rule = expected["routes"].as_array().expect("routes").iter().find(to_backend);
        let set = rule.and_then(|rule| Some(&expected["rewriteSets"][text(rule.get("rewrite")?)]));
        let set = set.map(|set| Value::from_iter([("origin", set_origin(set)), ("rules", rules(&set["rules"]))]));
        for route in model.listeners.values().flat_map(|listener| listener.hosts.values()).flat_map(|host| &host.routes)
        {
            let leads =
                matches!(&route.action, Action::Forward(forward) if forward.pools.ids().any(|pool| *pool == id));
            if leads {
                let rewrites = route.policies.as_ref().and_then(|policies| policies.rewrites.as_ref());
                assert_eq!(rewrites.map(|set| serde_json::to_value(set).expect("JSON")), set, "{id:?}");
            }
        }
    }
}

fn set_origin(set: &Value) -> Value {
    format!("{}: spec", text(&set["input"])).into()
}

/// Rules of `expected.yaml` as the model shows them.
fn rules(expected: &Value) -> Value {
    let headers = |list: &Value| -> Value {
        let list = list.get("input").unwrap_or(list).as_array().expect("headers").iter();
        let header = |header: &Value| match header.get("delete") {
            Some(name) => serde_json::json!({"name": name, "value": ""}),
            None => serde_json::json!({"name": header["set"], "value": header["to"]}),
        };
        list.map(header).collect()
    };
    let rule = |rule: &Value| {
        let conditions = rule["conditions"].as_array().expect("conditions").iter().map(|condition| {
            let pattern = format!("{:?}", text(&condition["pattern"]));
            serde_json::json!({"variable": format!("http_req_{}", text(&condition["variable"])), "pattern": pattern})
        });
        let mut shown = serde_json::json!({
            "name": rule["name"],
            "conditions": conditions.collect::<Value>(),
            "request_headers": headers(&rule["request"]),
            "response_headers": headers(&rule["response"]),
        });
        if let Some(path) = rule["url"].get("modifiedPath") {
            shown["url"] = serde_json::json!({"path": path, "query": rule["url"]["modifiedQueryString"]});
        }
        shown
    };
    expected.as_array().expect("rules").iter().map(rule).collect()
}

fn assert_transport(pool: &Pool, sends: &Value) {
    let (protocol, has_roots) = match &pool.transport {
        Transport::Http => ("Http", false),
        Transport::Https(tls) => ("Https", tls.trusted_roots.is_some()),
    };
    assert_eq!((protocol, has_roots), (text(&sends["protocol"]), sends.get("roots").is_some()));
}

fn assert_options(options: &ForwardOptions, backend: &Value) {
    let sends = &backend["sends"];
    let host = match &options.host {
        HostHeader::Preserve => "client",
        HostHeader::Member => "member",
        HostHeader::Set(name) => name,
    };
    let path = options.rewrite.as_ref().map_or("kept", |rewrite| &rewrite.prepend);
    assert_eq!((host, path), (text(&sends["host"]), text(&sends["path"])));
    assert_eq!(options.request_timeout.as_secs(), sends["timeout"].as_u64().expect("seconds"));
    let cookie = options.affinity.as_ref().map_or("none", |affinity| &affinity.cookie);
    assert_eq!(cookie, text(backend["affinity"].get("input").unwrap_or(&backend["affinity"])));
}

fn assert_probe(probe: &Probe, members: &[String], expected: &Value) {
    let statuses: Vec<_> = probe.statuses.iter().map(ToString::to_string).collect();
    let port = match probe.port {
        Some(port) => port.to_string(),
        None => members.first().and_then(|member| member.rsplit(':').next()).expect("a member").to_owned(),
    };
    let actual = serde_json::json!({
        "protocol": if probe.https { "Https" } else { "Http" },
        "host": probe.host,
        "path": probe.path,
        "port": port.parse::<u16>().expect("a port"),
        "interval": probe.interval.as_secs(),
        "timeout": probe.timeout.as_secs(),
        "threshold": probe.unhealthy_threshold,
        "statuses": statuses.join(","),
    });
    assert_eq!(actual, *expected);
}
