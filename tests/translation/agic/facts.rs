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
