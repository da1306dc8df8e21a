//! What a converted gateway does, in the words of `tests/convert/arm/expected.yaml`.

use serde_json::{Map, Value, json};

/// The facts of a gateway.
pub(super) fn of(gateway: &Value) -> Value {
    let spec = &gateway["spec"];
    let mut facts = json!({
        "name": gateway["metadata"]["name"],
        "counts": counts(spec),
        "pools": list(spec, "backendAddressPools").iter().map(pool).collect::<Vec<_>>(),
        "settings": list(spec, "backendHttpSettingsCollection").iter().map(settings).collect::<Vec<_>>(),
        "routes": routes(spec),
    });
    let probes: Vec<_> = list(spec, "probes").iter().map(probe).collect();
    if !probes.is_empty() {
        facts["probes"] = Value::from(probes);
    }
    facts
}

fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().map_or(&[], Vec::as_slice)
}

fn counts(spec: &Value) -> Value {
    let names = [
        ("listeners", "httpListeners"),
        ("ports", "frontendPorts"),
        ("rules", "requestRoutingRules"),
        ("pools", "backendAddressPools"),
        ("settings", "backendHttpSettingsCollection"),
        ("probes", "probes"),
        ("pathMaps", "urlPathMaps"),
        ("redirects", "redirectConfigurations"),
        ("rewriteSets", "rewriteRuleSets"),
        ("certificates", "sslCertificates"),
        ("sslProfiles", "sslProfiles"),
        ("trustedRoots", "trustedRootCertificates"),
        ("trustedClients", "trustedClientCertificates"),
        ("jwt", "entraJWTValidationConfigs"),
        ("frontends", "frontendIPConfigurations"),
    ];
    let count = |(word, field): (&str, &str)| match &spec[field] {
        Value::Array(items) if !items.is_empty() => Some((word.to_owned(), Value::from(items.len()))),
        unknown @ Value::Object(_) => Some((word.to_owned(), unknown.clone())),
        _ => None,
    };
    Value::Object(names.into_iter().filter_map(count).collect())
}

fn pool(pool: &Value) -> Value {
    let member = |address: &Value| address.get("ipAddress").or_else(|| address.get("fqdn")).cloned();
    let members: Vec<_> = list(pool, "backendAddresses").iter().filter_map(member).collect();
    json!({"name": pool["name"], "members": members})
}

fn settings(settings: &Value) -> Value {
    let mut facts = Map::from_iter([
        ("name".to_owned(), settings["name"].clone()),
        ("protocol".to_owned(), settings["protocol"].clone()),
        ("port".to_owned(), settings["port"].clone()),
        ("timeout".to_owned(), or(&settings["requestTimeout"], json!(30))),
        ("affinity".to_owned(), or(&settings["cookieBasedAffinity"], json!("Disabled"))),
    ]);
    if settings["pickHostNameFromBackendAddress"] == true {
        facts.insert("host".to_owned(), json!("member"));
    } else if let Some(host) = settings.get("hostName") {
        facts.insert("host".to_owned(), host.clone());
    }
    if let Some(path) = settings.get("path") {
        facts.insert("path".to_owned(), path.clone());
    }
    if let Some(probe) = settings.get("probe") {
        facts.insert("probe".to_owned(), probe["name"].clone());
    }
    let roots: Vec<_> = list(settings, "trustedRootCertificates").iter().map(|root| root["name"].clone()).collect();
    if !roots.is_empty() {
        facts.insert("roots".to_owned(), Value::from(roots));
    }
    Value::Object(facts)
}

fn probe(probe: &Value) -> Value {
    let picks = probe["pickHostNameFromBackendHttpSettings"] == true;
    let host = if picks { json!("of the settings") } else { or(&probe["host"], json!("")) };
    json!({
        "name": probe["name"],
        "protocol": probe["protocol"],
        "host": host,
        "path": probe["path"],
        "interval": or(&probe["interval"], json!(30)),
        "timeout": or(&probe["timeout"], json!(30)),
        "threshold": or(&probe["unhealthyThreshold"], json!(3)),
        "statuses": or(&probe["match"]["statusCodes"], json!(["200-399"])),
    })
}

fn routes(spec: &Value) -> Vec<Value> {
    let find = |collection: &str, name: &Value| list(spec, collection).iter().find(|element| element["name"] == *name);
    // A reference to an element that is not there.
    let led = |collection: &str, name: &Value| match find(collection, name) {
        Some(_) => name.clone(),
        None => json!({"notFound": name}),
    };
    let mut routes = Vec::new();
    for rule in list(spec, "requestRoutingRules") {
        let mut common = Map::new();
        common.insert("rule".to_owned(), rule["name"].clone());
        if let Some(priority) = rule.get("priority") {
            common.insert("priority".to_owned(), priority.clone());
        }
        let name = &rule["httpListener"]["name"];
        common.insert("listener".to_owned(), name.clone());
        let listener = find("httpListeners", name).expect("rules of the fixtures name listeners that are there");
        let port = &listener["frontendPort"]["name"];
        let port = find("frontendPorts", port).map_or(json!({"notFound": port}), |port| port["port"].clone());
        common.insert("port".to_owned(), port);
        common.insert("protocol".to_owned(), listener["protocol"].clone());
        let hosts: Vec<_> = listener.get("hostName").into_iter().chain(list(listener, "hostNames")).cloned().collect();
        common.insert("hosts".to_owned(), Value::from(hosts));
        let mut add = |paths: Value, target: &Value, prefix: &str| {
            let mut route = common.clone();
            route.insert("paths".to_owned(), paths);
            let field = |name: &str| {
                let name = if prefix.is_empty() {
                    name.to_owned()
                } else {
                    format!("{prefix}{}{}", name[..1].to_uppercase(), &name[1..])
                };
                target.get(name).map(|reference| &reference["name"])
            };
            if let Some(pool) = field("backendAddressPool") {
                route.insert("pool".to_owned(), led("backendAddressPools", pool));
            }
            if let Some(settings) = field("backendHttpSettings") {
                route.insert("settings".to_owned(), led("backendHttpSettingsCollection", settings));
            }
            if let Some(name) = field("redirectConfiguration") {
                let redirect = find("redirectConfigurations", name).expect("redirects of the fixtures are there");
                let to = redirect.get("targetUrl").unwrap_or(&redirect["targetListener"]["name"]);
                let kind = or(&redirect["redirectType"], json!("Permanent"));
                route.insert("redirect".to_owned(), json!({"type": kind, "to": to}));
            }
            if let Some(set) = field("rewriteRuleSet") {
                route.insert("rewrite".to_owned(), led("rewriteRuleSets", set));
            }
            if let Some(config) = rule.get("entraJWTValidationConfig") {
                route.insert("jwt".to_owned(), led("entraJWTValidationConfigs", &config["name"]));
            }
            routes.push(Value::Object(route));
        };
        match rule.get("urlPathMap") {
            None => add(json!(["*"]), rule, ""),
            Some(map) => {
                let map = find("urlPathMaps", &map["name"]).expect("path maps of the fixtures are there");
                if map["pathRules"].get("unknown").is_some() {
                    add(map["pathRules"].clone(), &json!({}), "");
                }
                list(map, "pathRules").iter().for_each(|rule| add(rule["paths"].clone(), rule, ""));
                add(json!(["*"]), map, "default");
            }
        }
    }
    routes
}

fn or(value: &Value, default: Value) -> Value {
    if value.is_null() { default } else { value.clone() }
}

/// Where `found` is not what is expected, each with its path. What is unknown must be so for the reason that is expected, or more.
pub(super) fn differences(expected: &Value, found: &Value, path: &str, wrong: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) if expected.contains_key("unknown") => {
            let (expected, found) = (&expected["unknown"], found.get("unknown").unwrap_or(&Value::Null));
            let texts = (expected.as_str().unwrap_or_default(), found.as_str().unwrap_or_default());
            if !texts.1.contains(texts.0) {
                wrong.push(format!("{path}: unknown for {expected} is expected, and found {found}"));
            }
        }
        (Value::Object(expected), Value::Object(found)) if expected.contains_key("notFound") => {
            // An unknown name in expected.yaml stands in angle brackets.
            let (expected, found) = (&expected["notFound"], &found["notFound"]);
            let reason = expected.as_str().and_then(|text| text.strip_prefix('⟨')?.strip_suffix('⟩'));
            let same = match reason {
                Some(reason) => found["unknown"].as_str().is_some_and(|found| found.contains(reason)),
                None => expected == found,
            };
            if !same {
                wrong.push(format!("{path}: {expected} is expected to lead nowhere, and found {found}"));
            }
        }
        (Value::Object(expected), Value::Object(found)) => {
            for name in expected.keys().chain(found.keys().filter(|name| !expected.contains_key(*name))) {
                let (expected, found) =
                    (expected.get(name).unwrap_or(&Value::Null), found.get(name).unwrap_or(&Value::Null));
                differences(expected, found, &format!("{path}.{name}"), wrong);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                differences(expected, found, &format!("{path}[{index}]"), wrong);
            }
        }
        (Value::Null, Value::Array(found)) if found.is_empty() => {}
        (expected, found) if expected == found => {}
        (expected, found) => wrong.push(format!("{path}: {expected} is expected, and found {found}")),
    }
}
