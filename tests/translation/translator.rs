//! A translator that follows snapshots gives for each what a new one gives, and rebuilds only what has changed.

use std::sync::Arc;

use fastrand::Rng;
use proptest::prelude::*;
use serde_json::{Value, json};
use steadygate::model::{HostPattern, Model};
use steadygate::source::snapshot::Objects;
use steadygate::source::{Key, Snapshot};
use steadygate::translate::{Options, Tenancy, Translator, Work, translate};

use crate::golden::manifests;

mod gateway_api;

const HOSTS: &[&str] =
    &["", "*.example", "a.example", "b.example", "*.b.example", "c.b.example", "d.b.example", "no host"];

fn options() -> Options {
    let serve_controllers = ["k8s.io/ingress-nginx", "azure/application-gateway"].map(str::to_owned).into();
    Options { serve_controllers, ..Options::default() }
}

fn pick<'a>(rng: &mut Rng, texts: &[&'a str]) -> &'a str {
    texts[rng.usize(..texts.len())]
}

fn number(rng: &mut Rng, numbers: &[u16]) -> u16 {
    numbers[rng.usize(..numbers.len())]
}

fn some(rng: &mut Rng, texts: &[&str], most: usize) -> Vec<String> {
    (0..rng.usize(..=most)).map(|_| pick(rng, texts).to_owned()).collect()
}

fn metadata(rng: &mut Rng, namespace: &str, name: &str) -> Value {
    let mut metadata = json!({"namespace": namespace, "name": name});
    if rng.bool() {
        metadata["creationTimestamp"] = json!(format!("2026-01-01T00:00:0{}Z", rng.u8(..4)));
    }
    metadata
}

fn backend(rng: &mut Rng) -> Value {
    let port = if rng.bool() { json!({"name": "http"}) } else { json!({"number": number(rng, &[80, 81])}) };
    json!({"service": {"name": pick(rng, &["s", "t", "external", "missing"]), "port": port}})
}

fn ingress(rng: &mut Rng, namespace: &str, name: &str) -> Value {
    let mut metadata = metadata(rng, namespace, name);
    for (key, values) in [
        ("nginx.ingress.kubernetes.io/force-ssl-redirect", &["true"][..]),
        ("nginx.ingress.kubernetes.io/server-alias", &["alias.example", "a.example", "*.b.example"]),
        ("steadygate.io/ssl-redirect", &["true", "false", "perhaps"]),
        ("kubernetes.io/ingress.class", &["nginx", "agic", "agic", "other"]),
        ("appgw.ingress.kubernetes.io/hostname-extension", &["c*.example", "*.b.example", "a.example, *.example"]),
        ("appgw.ingress.kubernetes.io/override-frontend-port", &["8080", "443", "0"]),
        ("appgw.ingress.kubernetes.io/appgw-ssl-certificate", &["c", "missing"]),
        ("appgw.ingress.kubernetes.io/appgw-trusted-root-certificate", &["r"]),
        ("appgw.ingress.kubernetes.io/rule-priority", &["5", "9"]),
    ] {
        if rng.u8(..4) == 0 {
            metadata["annotations"][key] = json!(pick(rng, values));
        }
    }
    let mut spec = json!({});
    if rng.u8(..4) > 0 {
        spec["ingressClassName"] = json!(pick(rng, &["web", "web", "web", "nginx", "missing"]));
    }
    if rng.u8(..4) == 0 {
        spec["defaultBackend"] = backend(rng);
    }
    let rules = (0..rng.usize(..3)).map(|_| {
        let paths = (0..rng.usize(..3)).map(|_| {
            let path = pick(rng, &["/", "/x", "/x/y", "/.well-known/acme-challenge", "no path"]);
            json!({"path": path, "pathType": pick(rng, &["Prefix", "Exact"]), "backend": backend(rng)})
        });
        let paths: Vec<_> = paths.collect();
        json!({"host": pick(rng, HOSTS), "http": {"paths": paths}})
    });
    spec["rules"] = rules.collect();
    let tls = (0..rng.usize(..3)).map(|_| {
        let secret = pick(rng, &["good", "better", "bad", "missing", ""]);
        json!({"hosts": some(rng, HOSTS, 2), "secretName": secret})
    });
    spec["tls"] = tls.collect();
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec})
}

fn gateway(rng: &mut Rng, namespace: &str, name: &str) -> Value {
    let metadata = metadata(rng, namespace, name);
    let listeners = ["l", "m"].map(|name| {
        let protocol = pick(rng, &["Http", "Http", "Https"]);
        let port = if rng.u8(..6) == 0 {
            "odd"
        } else if protocol == "Http" {
            "clear"
        } else {
            "tls"
        };
        json!({"name": name, "frontendPort": {"name": port}, "protocol": protocol, "sslCertificate": {"name": "c"},
            "hostNames": some(rng, &["a.example", "*.b.example", "*.example", "c*.example", "*", "alias.example"], 2)})
    });
    let target =
        if rng.bool() { json!({"serviceRef": {"name": pick(rng, &["s", "t", "missing"])}}) } else { json!({}) };
    let mut pool = json!({"name": "p"});
    pool.as_object_mut().expect("an object").extend(target.as_object().cloned().unwrap_or_default());
    json!({"apiVersion": "steadygate.io/v1alpha1", "kind": "ApplicationGateway", "metadata": metadata, "spec": {
        "ingressClassName": pick(rng, &["web", "web", "web", "missing"]),
        "frontendPorts": [{"name": "clear", "port": number(rng, &[80, 80, 8080])}, {"name": "tls", "port": 443},
            {"name": "odd", "port": number(rng, &[80, 443, 8080])}],
        "sslCertificates": [{"name": "c", "secretRef": {"name": pick(rng, &["good", "better", "bad"])}}],
        "trustedRootCertificates": [{"name": "r", "configMapRef": {"name": "roots"}}],
        "httpListeners": listeners,
        "backendAddressPools": [pool],
        "backendHttpSettingsCollection": [{"name": "h", "port": 80, "protocol": pick(rng, &["Http", "Https"]),
            "trustedRootCertificates": some(rng, &["r"], 1).iter().map(|name| json!({"name": name})).collect::<Vec<_>>()}],
        "requestRoutingRules": [{"name": "r", "ruleType": "Basic", "httpListener": {"name": pick(rng, &["l", "m"])},
            "backendAddressPool": {"name": "p"}, "backendHttpSettings": {"name": "h"}}]}})
}

fn slice(rng: &mut Rng, namespace: &str, name: &str) -> Value {
    let endpoints = (0..rng.u8(..3)).map(|number| {
        json!({"addresses": [format!("10.0.{}.{number}", rng.u8(..2))],
            "conditions": {"ready": rng.bool(), "serving": rng.bool(), "terminating": rng.u8(..3) == 0},
            "targetRef": {"kind": "Pod", "name": pick(rng, &["p", "q", "r"])}})
    });
    let endpoints: Vec<_> = endpoints.collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": pick(rng, &["IPv4", "IPv4", "FQDN"]),
        "metadata": {"namespace": namespace, "name": name, "labels": {"kubernetes.io/service-name": pick(rng, &["s", "t", "missing"])}},
        "endpoints": endpoints, "ports": [{"name": "http", "port": 8080}]})
}

/// Adds, changes or removes one object of the snapshot.
fn change(rng: &mut Rng, snapshot: &mut Snapshot) {
    let namespace = pick(rng, &["one", "one", "two"]);
    let key = |name: &str| Key::new(namespace, name);
    let is_gone = rng.u8(..4) == 0;
    let document = match rng.u8(..25) {
        0..=5 => {
            let name = pick(rng, &["a", "b", "c", "d"]);
            snapshot.ingresses.remove(&key(name));
            ingress(rng, namespace, name)
        }
        6 | 7 => {
            let name = pick(rng, &["a", "e"]);
            snapshot.application_gateways.remove(&key(name));
            gateway(rng, namespace, name)
        }
        8 | 9 => {
            let name = pick(rng, &["s", "t", "external"]);
            snapshot.services.remove(&key(name));
            let mut spec = json!({"ports": [{"name": pick(rng, &["http", "other"]), "port": 80, "targetPort": 8080}]});
            if name == "external" {
                spec = json!({"type": "ExternalName", "externalName": pick(rng, &["a.example", "no name"])});
            }
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name}, "spec": spec})
        }
        10 | 11 => {
            let name = pick(rng, &["x", "y"]);
            snapshot.endpoint_slices.remove(&key(name));
            slice(rng, namespace, name)
        }
        12 => {
            let name = pick(rng, &["p", "q"]);
            snapshot.pods.remove(&key(name));
            let get = json!({"httpGet": {"path": pick(rng, &["/one", "/two"]), "port": 8080}});
            let mut metadata = json!({"namespace": namespace, "name": name});
            if rng.bool() {
                metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers":
                [{"name": "c", "ports": [{"containerPort": 8080}], "readinessProbe": get}]}})
        }
        13 => {
            let name = pick(rng, &["good", "better"]);
            snapshot.secrets.remove(&key(name));
            let certificate = pick(rng, &["a.example", "*.b.example", "example"]);
            let of = |what: &str| format!("{{{{{what}:{certificate}}}}}");
            let crt = if rng.u8(..4) == 0 { "nonsense".to_owned() } else { of("cert") };
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": name},
                "stringData": {"tls.crt": crt, "tls.key": of("key")}})
        }
        14 => {
            snapshot.config_maps.remove(&key("roots"));
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": "roots"},
                "data": {"ca.crt": pick(rng, &["{{cert:ca.example}}", "nonsense"])}})
        }
        15 => {
            let name = pick(rng, &["x", "y"]);
            snapshot.azure_prohibited_targets.remove(&key(name));
            let paths = some(rng, &["/x/*", "/*", "no path"], 1);
            json!({"apiVersion": "appgw.ingress.k8s.io/v1", "kind": "AzureIngressProhibitedTarget",
                "metadata": {"namespace": namespace, "name": name}, "spec": {"hostname": pick(rng, HOSTS), "paths": paths}})
        }
        16 | 17 => {
            let name = pick(rng, &["g", "h"]);
            snapshot.gateways.remove(&key(name));
            gateway_api::gateway(rng, namespace, name)
        }
        18..=21 => {
            let name = pick(rng, &["r", "t", "u"]);
            snapshot.http_routes.remove(&key(name));
            gateway_api::http_route(rng, namespace, name)
        }
        22 => gateway_api::other(rng, snapshot, namespace),
        _ => {
            let name = pick(rng, &["web", "web", "nginx", "agic"]);
            snapshot.ingress_classes.remove(&Key::new("", name));
            let mut spec = json!({"controller": match name {
                "web" => "steadygate.io/ingress-controller",
                "nginx" => "k8s.io/ingress-nginx",
                _ => "azure/application-gateway",
            }});
            if name == "agic" && rng.u8(..4) > 0 {
                spec["parameters"] = json!({"apiGroup": "steadygate.io", "kind": "ApplicationGateway", "scope": "Namespace",
                    "namespace": "one", "name": pick(rng, &["a", "e"])});
            }
            let annotations = json!({"ingressclass.kubernetes.io/is-default-class": pick(rng, &["true", "false"])});
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
                "metadata": {"name": name, "annotations": annotations}, "spec": spec})
        }
    };
    if !is_gone || document["kind"] == "IngressClass" {
        manifests::add_filled(snapshot, document);
    }
}

/// Whether all parts that are equal in both models are shared, and not copies.
fn shares(before: &Model, now: &Model) -> bool {
    fn all<K: Ord + Clone, V: PartialEq>(before: &imbl::OrdMap<K, Arc<V>>, now: &imbl::OrdMap<K, Arc<V>>) -> bool {
        now.iter().all(|(key, value)| before.get(key).is_none_or(|old| Arc::ptr_eq(old, value) || **old != **value))
    }
    let listeners = now
        .listeners
        .iter()
        .all(|(port, listener)| before.listeners.get(port).is_none_or(|old| all(&old.hosts, &listener.hosts)));
    listeners && all(&before.pools, &now.pools) && all(&before.certificates, &now.certificates)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_updated_translator_gives_what_a_new_one_gives(seed: u64, batches in prop::collection::vec(1..4usize, 1..40)) {
        let mut rng = Rng::with_seed(seed);
        let mut snapshot = Snapshot::default();
        (0..30).for_each(|_| change(&mut rng, &mut snapshot));
        let options = Options {
            tenancy: if rng.bool() { Tenancy::Strict } else { Tenancy::Shared },
            default_certificate: rng.bool().then(|| Key::new("one", "good")),
            ..options()
        };
        let mut translator = Translator::new(options.clone());
        let mut before = translator.update(&snapshot);
        for batch in batches {
            (0..batch).for_each(|_| change(&mut rng, &mut snapshot));
            let expected = translate(&snapshot, &options);
            let now = translator.update(&snapshot);
            prop_assert_eq!(&now.model, &expected.model);
            prop_assert_eq!(&now.reports, &expected.reports);
            prop_assert_eq!(&now.served, &expected.served);
            prop_assert!(shares(&before.model, &now.model), "what has not changed was made anew");
            before = now;
        }
    }
}

#[test]
fn a_host_that_borrows_routes_at_one_of_its_ports_follows_them() {
    let ingress = |name, annotations: Value, tls: Option<&str>, host: &str| {
        let rule = json!({"host": host, "http": {"paths": [{"path": format!("/{name}"), "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"number": 80}}}}]}});
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "annotations": annotations},
            "spec": {"tls": tls.iter().map(|host| json!({"hosts": [host]})).collect::<Value>(), "rules": [rule]}})
    };
    let elsewhere = json!({"appgw.ingress.kubernetes.io/override-frontend-port": "8443"});
    let mut snapshot = Snapshot::default();
    add(&mut snapshot, ingress("wide", json!({}), None, "*.example"));
    add(&mut snapshot, ingress("tls", json!({}), Some("a.example"), "*.example"));
    add(&mut snapshot, ingress("elsewhere", elsewhere, Some("a.example"), "a.example"));
    let options = Options { everything_without_class: true, ..options() };
    let mut translator = Translator::new(options.clone());
    translator.update(&snapshot);
    let ports = json!({"ports": [{"name": "http", "port": 80}]});
    add(&mut snapshot, json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "wide"}, "spec": ports}));
    assert_eq!(translator.update(&snapshot).model, translate(&snapshot, &options).model);
}

#[test]
fn a_certificate_that_is_replaced_is_judged_for_the_hosts_whose_entries_name_it() {
    let ingress = |name, host: &str, tls: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": {"tls": [tls], "rules": [
            {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": name, "port": {"number": 80}}}}]}}]}})
    };
    let mut snapshot = Snapshot::default();
    add(&mut snapshot, ingress("wide", "*.example", json!({"hosts": ["*.example"], "secretName": "tls"})));
    add(&mut snapshot, ingress("narrow", "a.example", json!({"hosts": ["a.example"], "secretName": "missing"})));
    let options = Options { everything_without_class: true, ..options() };
    let mut translator = Translator::new(options.clone());
    // The narrow host shows the certificate of the wide one, of which its own entry knows nothing.
    for host in ["*.example", "other.example", "*.example"] {
        snapshot.secrets.remove(&Key::new("default", "tls"));
        add(&mut snapshot, secret(host));
        let (now, expected) = (translator.update(&snapshot), translate(&snapshot, &options));
        assert_eq!((now.model, now.reports), (expected.model, expected.reports), "{host}");
    }
}

#[test]
fn what_a_wildcard_asks_of_connections_holds_for_the_hosts_below_it() {
    let ingress = |name, host: &str, annotations: Value, tls: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "annotations": annotations},
            "spec": {"ingressClassName": "edge", "tls": tls, "rules": [{"host": host, "http": {"paths": [{"path": "/",
                "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}})
    };
    let mut snapshot = Snapshot::default();
    let parameters = json!({"apiGroup": "steadygate.io", "kind": "ApplicationGateway", "scope": "Namespace",
        "namespace": "default", "name": "edge"});
    let profile = json!([{"name": "staff", "trustedClientCertificates": [{"name": "staff"}]}]);
    for document in [
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "edge"},
            "spec": {"controller": "steadygate.io/ingress-controller", "parameters": parameters}}),
        json!({"apiVersion": "steadygate.io/v1alpha1", "kind": "ApplicationGateway", "metadata": {"name": "edge"}, "spec": {
            "trustedClientCertificates": [{"name": "staff", "configMapRef": {"name": "staff"}}], "sslProfiles": profile}}),
        secret("*.example"),
        ingress("narrow", "a.example", json!({}), json!([])),
    ] {
        add(&mut snapshot, document);
    }
    let mut translator = Translator::new(options());
    let mut asked = Vec::new();
    for (profile, ca) in
        [(None, "one"), (Some("staff"), "one"), (Some("staff"), "two"), (Some("staff"), ""), (None, "")]
    {
        snapshot.ingresses.remove(&Key::new("default", "wide"));
        let annotations = json!({"appgw.ingress.kubernetes.io/appgw-ssl-profile": profile});
        let annotations = if profile.is_some() { annotations } else { json!({}) };
        let tls = json!([{"hosts": ["*.example"], "secretName": "tls"}]);
        add(&mut snapshot, ingress("wide", "*.example", annotations, tls));
        snapshot.config_maps.remove(&Key::new("default", "staff"));
        if !ca.is_empty() {
            let data = json!({"ca.crt": format!("{{{{cert:{ca}}}}}")});
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "staff"}, "data": data});
            add(&mut snapshot, map);
        }
        let (now, expected) = (translator.update(&snapshot), translate(&snapshot, &options()));
        assert_eq!(now.model, expected.model, "{profile:?} {ca}");
        assert_eq!(now.reports, expected.reports, "{profile:?} {ca}");
        let host = &now.model.listeners[&443].hosts[&HostPattern::Exact("a.example".into())];
        asked.push(host.tls.as_ref().and_then(|policy| policy.terms.client_certificates.clone()));
    }
    assert!(matches!(&*asked, [None, Some(one), Some(two), None, None] if one != two), "{asked:?}");
}

fn add(snapshot: &mut Snapshot, document: Value) {
    manifests::add_filled(snapshot, document);
}

/// Ten Ingresses a Service, each with a host of its own; the first with TLS; and a wildcard above all.
fn many(count: usize) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let controller = json!({"controller": "steadygate.io/ingress-controller"});
    add(
        &mut snapshot,
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "web"}, "spec": controller}),
    );
    add(&mut snapshot, one(usize::MAX, "/"));
    for at in 0..count {
        add(&mut snapshot, one(at, "/"));
        if at % 10 == 0 {
            let name = format!("service-{}", at / 10);
            add(
                &mut snapshot,
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {"ports": [{"name": "http", "port": 80}]}}),
            );
            add(&mut snapshot, endpoints(at / 10, true));
        }
    }
    add(&mut snapshot, secret("site-0.example"));
    snapshot
}

fn one(at: usize, path: &str) -> Value {
    let (name, host) = if at == usize::MAX {
        ("all".to_owned(), "*.example".to_owned())
    } else {
        (format!("site-{at}"), format!("site-{at}.example"))
    };
    let tls = if at == 0 { json!([{"hosts": [host], "secretName": "tls"}]) } else { json!([]) };
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": {
        "ingressClassName": "web", "tls": tls, "rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix",
            "backend": {"service": {"name": format!("service-{}", at / 10), "port": {"number": 80}}}}]}}]}})
}

fn endpoints(at: usize, ready: bool) -> Value {
    let name = format!("service-{at}");
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"addresses": [format!("10.0.0.{}", at % 250)], "conditions": {"ready": ready}}],
        "ports": [{"name": "http", "port": 8080}]})
}

fn secret(host: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"},
        "stringData": {"tls.crt": format!("{{{{cert:{host}}}}}"), "tls.key": format!("{{{{key:{host}}}}}")}})
}

#[test]
fn only_what_changed_is_rebuilt() {
    let mut snapshot = many(1_000);
    let mut translator = Translator::new(Options::default());
    let mut before = translator.update(&snapshot);
    assert_eq!(translator.work(), Work { ingresses: 1_001, hosts: 1_001, ..Work::default() });
    let mut expect = |snapshot: &Snapshot, work: Work, what: &str| {
        let now = translator.update(snapshot);
        assert_eq!(translator.work(), work, "{what}");
        assert!(shares(&before.model, &now.model), "{what}");
        assert!(now.model != before.model || work == Work::default(), "{what}");
        let clear = |model: &Model| model.listeners[&80].hosts.clone();
        let differs = clear(&before.model).diff(&clear(&now.model)).count();
        let pools = before.model.pools.diff(&now.model.pools).count();
        let certificates = before.model.certificates.diff(&now.model.certificates).count();
        before = now;
        (differs, pools, certificates)
    };
    let replaced = |snapshot: &mut Snapshot, document: Value| {
        fn drop_one<K>(objects: &mut Objects<K>, name: &Value) {
            objects.remove(&Key::new("default", name.as_str().expect("a name")));
        }
        let name = &document["metadata"]["name"];
        match document["kind"].as_str() {
            Some("Ingress") => drop_one(&mut snapshot.ingresses, name),
            Some("EndpointSlice") => drop_one(&mut snapshot.endpoint_slices, name),
            _ => drop_one(&mut snapshot.secrets, name),
        }
        add(snapshot, document);
    };
    assert_eq!(expect(&snapshot, Work::default(), "nothing"), (0, 0, 0));
    replaced(&mut snapshot, one(500, "/new"));
    let work = Work { ingresses: 1, hosts: 1, ..Work::default() };
    assert_eq!(expect(&snapshot, work, "an Ingress"), (1, 0, 0));
    replaced(&mut snapshot, endpoints(50, false));
    let work = Work { backends: 10, ..Work::default() };
    assert_eq!(expect(&snapshot, work, "an EndpointSlice"), (0, 10, 0));
    replaced(&mut snapshot, secret("other.example"));
    let work = Work { hosts: 1, ..Work::default() };
    assert_eq!(expect(&snapshot, work, "a Secret"), (0, 0, 1));
    replaced(&mut snapshot, one(usize::MAX, "/new"));
    let work = Work { ingresses: 1, hosts: 1, ..Work::default() };
    assert_eq!(expect(&snapshot, work, "the wildcard"), (1, 0, 0));
}

#[test]
fn a_gateway_that_gives_defaults_costs_the_ingresses_of_its_class_and_only_where_they_differ() {
    let mut snapshot = many(100);
    let parameters = json!({"apiGroup": "steadygate.io", "kind": "ApplicationGateway", "scope": "Namespace",
        "namespace": "default", "name": "edge"});
    add(
        &mut snapshot,
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "edge"},
            "spec": {"controller": "steadygate.io/ingress-controller", "parameters": parameters}}),
    );
    for name in ["first", "second"] {
        let mut ingress = one(0, "/");
        ingress["metadata"]["name"] = json!(name);
        ingress["spec"]["ingressClassName"] = json!("edge");
        ingress["spec"]["rules"][0]["host"] = json!(format!("{name}.test"));
        add(&mut snapshot, ingress);
    }
    let mut translator = Translator::new(Options::default());
    translator.update(&snapshot);
    let mut update = |timeout: u32, rules: bool| {
        snapshot.application_gateways.remove(&Key::new("default", "edge"));
        let rules =
            if rules { json!([{"name": "r", "ruleType": "Basic", "httpListener": {"name": "l"}}]) } else { json!([]) };
        add(
            &mut snapshot,
            json!({"apiVersion": "steadygate.io/v1alpha1", "kind": "ApplicationGateway", "metadata": {"name": "edge"},
                "spec": {"requestRoutingRules": rules, "backendHttpSettingsCollection":
                    [{"name": "s", "port": 80, "protocol": "Http", "requestTimeout": timeout}]}}),
        );
        translator.update(&snapshot);
        translator.work()
    };
    let of_class = Work { ingresses: 2, hosts: 2, application_gateways: 1, ..Work::default() };
    assert_eq!(update(10, false), of_class, "it comes");
    assert_eq!(update(20, false), of_class, "a default changes");
    let unrelated = Work { application_gateways: 1, ..Work::default() };
    assert_eq!(update(20, true), unrelated, "what is no default changes");
}
