//! Objects of Gateway API at random, whose names, hosts and ports meet those of the other languages.

use fastrand::Rng;
use serde_json::{Value, json};
use steadygate::source::{Key, Snapshot};

use super::{metadata, number, pick, some};

/// A Gateway.
pub(super) fn gateway(rng: &mut Rng, namespace: &str, name: &str) -> Value {
    let metadata = metadata(rng, namespace, name);
    let listeners = ["l", "m", "n"].map(|name| {
        let protocol = pick(rng, &["HTTP", "HTTP", "HTTPS", "TCP"]);
        let port = if protocol == "HTTPS" { 443 } else { number(rng, &[80, 80, 8080]) };
        let mut listener = json!({"name": name, "port": port, "protocol": protocol});
        if rng.u8(..4) > 0 {
            listener["hostname"] = json!(pick(rng, &["a.example", "*.example", "*.b.example", "no host"]));
        }
        if protocol == "HTTPS" {
            listener["tls"] = json!({"certificateRefs": [secret(rng)]});
        }
        let namespaces = match rng.u8(..4) {
            0 => json!({"from": "All"}),
            1 => json!({"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}),
            _ => json!({"from": "Same"}),
        };
        listener["allowedRoutes"] = json!({"namespaces": namespaces});
        listener
    });
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": metadata,
        "spec": {"gatewayClassName": pick(rng, &["ours", "ours", "ours", "theirs", "missing"]), "listeners": listeners}})
}

fn secret(rng: &mut Rng) -> Value {
    let mut secret = json!({"name": pick(rng, &["good", "better", "missing"])});
    if rng.u8(..3) == 0 {
        secret["namespace"] = json!(pick(rng, &["one", "two"]));
    }
    secret
}

/// An HTTPRoute.
pub(super) fn http_route(rng: &mut Rng, namespace: &str, name: &str) -> Value {
    let metadata = metadata(rng, namespace, name);
    let parents = (0..rng.u8(1..3)).map(|_| {
        let mut parent = json!({"name": pick(rng, &["g", "h", "missing"]), "namespace": pick(rng, &["one", "two"])});
        if rng.bool() {
            parent["sectionName"] = json!(pick(rng, &["l", "m", "nowhere"]));
        }
        parent
    });
    let parents: Vec<_> = parents.collect();
    let rules = (0..rng.u8(1..3)).map(|_| {
        let mut matching = json!({"path": {"value": pick(rng, &["/", "/x", "no path"])}});
        if rng.bool() {
            matching["headers"] = json!([{"name": "version", "value": pick(rng, &["1", "2"])}]);
        }
        let backends = (0..rng.u8(..3)).map(|_| {
            json!({"name": pick(rng, &["s", "t", "external", "missing"]), "namespace": pick(rng, &["one", "two"]),
                "port": number(rng, &[80, 80, 81]), "weight": rng.u8(..3)})
        });
        json!({"matches": [matching], "backendRefs": backends.collect::<Vec<_>>()})
    });
    let rules: Vec<_> = rules.collect();
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": {
        "parentRefs": parents, "rules": rules,
        "hostnames": some(rng, &["a.example", "*.example", "c.b.example", "d.b.example", "no host"], 2)}})
}

/// What Gateways and routes depend on: a class, a namespace or a grant.
pub(super) fn other(rng: &mut Rng, snapshot: &mut Snapshot, namespace: &str) -> Value {
    match rng.u8(..3) {
        0 => {
            snapshot.gateway_classes.remove(&Key::new("", "ours"));
            let controller = pick(
                rng,
                &["steadygate.io/gateway-controller", "steadygate.io/gateway-controller", "example.com/other"],
            );
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "ours"},
                "spec": {"controllerName": controller}})
        }
        1 => {
            snapshot.namespaces.remove(&Key::new("", namespace));
            json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": namespace, "labels": {"team": pick(rng, &["a", "b"])}}})
        }
        _ => {
            snapshot.reference_grants.remove(&Key::new(namespace, "grant"));
            let from = json!({"group": "gateway.networking.k8s.io", "kind": pick(rng, &["HTTPRoute", "Gateway"]),
                "namespace": pick(rng, &["one", "two"])});
            let to = json!({"group": "", "kind": pick(rng, &["Service", "Secret"])});
            json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
                "metadata": {"namespace": namespace, "name": "grant"}, "spec": {"from": [from], "to": [to]}})
        }
    }
}
