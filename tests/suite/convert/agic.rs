//! The configurations that Azure's ingress controller makes: what each leads to once it is converted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Converted, convert, fixture};

/// Name, what is expected, and what was converted.
fn cases() -> Vec<(String, Value, Converted)> {
    let folder = std::fs::read_dir(fixture("../agic")).expect("readable");
    let paths: BTreeSet<_> = folder.map(|entry| entry.expect("readable").path()).collect();
    let folders = paths.into_iter().filter(|path| path.is_dir());
    let case = |folder: std::path::PathBuf| {
        let text = std::fs::read_to_string(folder.join("expected.yaml")).expect("readable");
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        (name, serde_saphyr::from_str(&text).expect("YAML"), convert(&folder.join("arm.json"), &[]))
    };
    folders.map(case).collect()
}

fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().map_or(&[], Vec::as_slice)
}

fn find<'a>(spec: &'a Value, collection: &str, name: &Value) -> Option<&'a Value> {
    list(spec, collection).iter().find(|element| element["name"] == *name)
}

#[test]
fn listeners_and_backends_are_carried_over() {
    for (name, expected, converted) in cases() {
        let gateway = converted.of_kind("ApplicationGateway").remove(0);
        assert_eq!(
            gateway["metadata"]["name"],
            if name == "x_path_types" { gateway["metadata"]["name"].clone() } else { json!("app-gw-name") }
        );
        let spec = &gateway["spec"];
        let is_converted = |listener: &&Value| listener.get("only").is_none_or(|only| only == "arm");
        let listeners: Vec<_> = list(&expected, "listeners").iter().filter(is_converted).collect();
        assert_eq!(list(spec, "httpListeners").len(), listeners.len(), "{name}");
        for listener in listeners {
            let found = find(spec, "httpListeners", &listener["arm"]).unwrap_or_else(|| panic!("{name}: {listener}"));
            let port = find(spec, "frontendPorts", &found["frontendPort"]["name"]).expect("its port");
            assert_eq!((&port["port"], &found["protocol"]), (&listener["port"], &listener["protocol"]), "{name}");
            let hosts: Vec<_> = found.get("hostName").into_iter().chain(list(found, "hostNames")).collect();
            assert_eq!(hosts, list(listener, "hosts").iter().collect::<Vec<_>>(), "{name}");
        }
        for backend in expected["backends"].as_object().expect("backends").values() {
            let arm = &backend["arm"];
            let settings = find(spec, "backendHttpSettingsCollection", &arm["settings"]).expect("its settings");
            let pool = find(spec, "backendAddressPools", &arm["pool"]).expect("its pool");
            let members: Vec<_> = list(pool, "backendAddresses")
                .iter()
                .map(|address| {
                    Value::from(format!("{}:{}", address["ipAddress"].as_str().expect("an address"), settings["port"]))
                })
                .collect();
            assert_eq!(members, list(backend, "members"), "{name}");
            assert_eq!(settings["protocol"], backend["sends"]["protocol"], "{name}");
            let picks = settings["pickHostNameFromBackendAddress"] == true;
            let host =
                if picks { json!("member") } else { settings.get("hostName").cloned().unwrap_or(json!("client")) };
            assert_eq!(host, backend["sends"]["host"], "{name}");
            assert_eq!(settings.get("path").cloned().unwrap_or(json!("kept")), backend["sends"]["path"], "{name}");
            assert_eq!(settings["requestTimeout"], backend["sends"]["timeout"], "{name}");
            let affinity = &backend["affinity"];
            let cookie = affinity.get("arm").unwrap_or(affinity);
            let found = if settings["cookieBasedAffinity"] == "Enabled" {
                &settings["affinityCookieName"]
            } else {
                &json!("none")
            };
            assert_eq!(found, cookie, "{name}");
            assert_eq!(settings["probe"]["name"], arm["probe"], "{name}");
            if let Some(expected) = backend["probe"].get("arm") {
                let probe = find(spec, "probes", &arm["probe"]).expect("its probe");
                assert_eq!(
                    (&probe["protocol"], &probe["host"], &probe["path"]),
                    (&expected["protocol"], &expected["host"], &expected["path"])
                );
                assert_eq!(
                    (&probe["interval"], &probe["timeout"], &probe["unhealthyThreshold"]),
                    (&expected["interval"], &expected["timeout"], &expected["threshold"])
                );
            }
        }
    }
}

/// The routes of a gateway as `expected.yaml` has them.
fn routes(spec: &Value, expected: &Value) -> Vec<Value> {
    let backend = |pool: &Value, settings: &Value| {
        let backends = expected["backends"].as_object().expect("backends");
        backends.iter().find(|(_, backend)| backend["arm"]["pool"] == *pool && backend["arm"]["settings"] == *settings)
    };
    let mut routes = Vec::new();
    for rule in list(spec, "requestRoutingRules") {
        let listener = find(spec, "httpListeners", &rule["httpListener"]["name"]).expect("its listener");
        let port = &find(spec, "frontendPorts", &listener["frontendPort"]["name"]).expect("its port")["port"];
        let mut targets = Vec::new();
        match rule.get("urlPathMap") {
            None => targets.push((json!("*"), rule.clone())),
            Some(map) => {
                let map = find(spec, "urlPathMaps", &map["name"]).expect("its map");
                for rule in list(map, "pathRules") {
                    targets.extend(list(rule, "paths").iter().map(|path| (path.clone(), rule.clone())));
                }
                let default = json!({
                    "backendAddressPool": map["defaultBackendAddressPool"], "backendHttpSettings": map["defaultBackendHttpSettings"],
                    "redirectConfiguration": map["defaultRedirectConfiguration"], "rewriteRuleSet": map["defaultRewriteRuleSet"],
                });
                targets.push((json!("*"), default));
            }
        }
        let hosts: Vec<Value> =
            listener.get("hostName").into_iter().chain(list(listener, "hostNames")).cloned().collect();
        let hosts = if hosts.is_empty() { vec![json!("*")] } else { hosts };
        for (path, target) in targets {
            for host in &hosts {
                let mut route = json!({"port": port, "host": host, "path": path, "priority": rule["priority"]});
                let redirect = &target["redirectConfiguration"]["name"];
                if let Some(redirect) = find(spec, "redirectConfigurations", redirect) {
                    let to = find(spec, "httpListeners", &redirect["targetListener"]["name"]).expect("its target");
                    let to_port = &find(spec, "frontendPorts", &to["frontendPort"]["name"]).expect("its port")["port"];
                    let kept = |field: &str| if redirect[field] == true { "kept" } else { "dropped" };
                    route["redirect"] = json!({
                        "status": if redirect["redirectType"] == "Permanent" { 301 } else { 0 },
                        "scheme": to["protocol"].as_str().expect("text").to_lowercase(), "port": to_port,
                        "path": kept("includePath"), "query": kept("includeQueryString"),
                    });
                } else {
                    let (pool, settings) =
                        (&target["backendAddressPool"]["name"], &target["backendHttpSettings"]["name"]);
                    match backend(pool, settings) {
                        Some((name, _)) => route["to"] = json!(name),
                        None => route["dangling"] = json!({"pool": pool, "settings": settings}),
                    }
                }
                if let Some(set) = target["rewriteRuleSet"].get("name") {
                    let sets = expected["rewriteSets"].as_object().expect("sets");
                    let set = sets.iter().find(|(_, known)| known["arm"] == *set).expect("the set");
                    route["rewrite"] = json!(set.0);
                }
                routes.push(route);
            }
        }
    }
    routes
}

#[test]
fn routes_lead_where_azure_leads_them() {
    for (name, expected, converted) in cases() {
        let gateway = converted.of_kind("ApplicationGateway").remove(0);
        let sorted = |routes: Vec<Value>| routes.iter().map(Value::to_string).collect::<BTreeSet<_>>();
        let facts = list(&expected, "routes").iter().cloned().map(|mut route| {
            ["match", "firewallPolicy"]
                .iter()
                .for_each(|field| drop(route.as_object_mut().expect("an object").remove(*field)));
            route
        });
        assert_eq!(sorted(routes(&gateway["spec"], &expected)), sorted(facts.collect()), "{name}");
    }
}

#[test]
fn what_leads_nowhere_and_what_is_left_out_is_reported() {
    for (name, expected, converted) in cases() {
        if name == "x_path_types" {
            continue;
        }
        for word in ["sku", "tags", "abc, which is no address", "taken from the ids (--app-gw-name--)"] {
            assert!(converted.report.contains(word), "{name}: {word}\n{}", converted.report);
        }
        for route in list(&expected, "routes").iter().filter_map(|route| route.get("dangling")) {
            for missing in [&route["pool"], &route["settings"]] {
                assert!(converted.report.contains(&format!("{missing} leads nowhere")), "{name}: {}", converted.report);
            }
        }
        for backend in expected["backends"].as_object().expect("backends").values() {
            for root in list(&backend["sends"], "roots") {
                assert!(converted.report.contains(&format!("{root} leads nowhere")), "{name}: {}", converted.report);
            }
        }
        if expected.get("rewriteSets").is_some() {
            assert!(converted.report.contains("\"xx\", which is no variable"), "{name}: {}", converted.report);
        }
    }
}
