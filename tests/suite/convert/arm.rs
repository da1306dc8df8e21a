//! Twelve gateways as people have them, with and without their parameters.

use serde_json::Value;

use super::{Converted, check, convert, facts, fixture};

/// The cases of `expected.yaml`: a template, alone or with its file of parameters.
fn cases() -> Vec<(String, Converted, Vec<Value>)> {
    let text = std::fs::read_to_string(fixture("arm/expected.yaml")).expect("readable");
    let expected: serde_json::Map<String, Value> = serde_saphyr::from_str(&text).expect("YAML");
    let case = |(name, gateways): (String, Value)| {
        let (template, parameters) =
            name.split_once(" with ").map_or((&*name, None), |(template, parameters)| (template, Some(parameters)));
        let parameters = parameters.map(|name| fixture(&format!("arm/{name}")));
        let arguments: Vec<&str> =
            parameters.iter().flat_map(|path| ["--parameters", path.to_str().expect("text")]).collect();
        let converted = convert(&fixture(&format!("arm/{template}")), &arguments);
        (name, converted, gateways.as_array().expect("a list").clone())
    };
    expected.into_iter().map(case).collect()
}

#[test]
fn templates_lead_to_what_is_expected_of_them() {
    let mut wrong = Vec::new();
    for (name, converted, expected) in cases() {
        let found: Vec<_> = converted.of_kind("ApplicationGateway").iter().map(facts::of).collect();
        let deployed: Vec<_> = expected.iter().filter(|gateway| gateway["condition"] != false).collect();
        assert_eq!(found.len(), deployed.len(), "{name}: {}", converted.report);
        for (mut expected, mut found) in deployed.into_iter().cloned().zip(found) {
            // The name of an object is the template's in lower case, or the file's.
            if let Some(template) = expected["name"].as_str() {
                assert_eq!(found["name"], template.to_lowercase(), "{name}");
            }
            for facts in [&mut expected, &mut found] {
                let facts = facts.as_object_mut().expect("an object");
                ["name", "unknown", "condition"].iter().for_each(|field| drop(facts.remove(*field)));
            }
            facts::differences(&expected, &found, &name, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_unknown_is_reported_with_its_cause() {
    for (name, converted, expected) in cases() {
        for cause in expected.iter().filter_map(|gateway| gateway["unknown"].as_array()).flatten() {
            let cause = cause.as_str().expect("text");
            // The subscription in an id does not matter, for the name at its end is what counts.
            let is_deployed = expected.iter().all(|gateway| gateway["condition"] != false);
            if cause != "subscription()" && is_deployed {
                assert!(converted.report.contains(cause), "{name}: {cause}\n{}", converted.report);
            }
        }
    }
}

#[test]
fn what_has_to_be_filled_in_is_refused_and_nothing_else() {
    for (name, converted, _) in cases() {
        let is_open = converted.yaml.contains("{unknown: ") || converted.yaml.contains("# - name: ");
        let (code, printed) = check(&converted.yaml);
        if is_open {
            assert_eq!(code, 1, "{name}: {printed}");
            let unknown = converted.yaml.matches("{unknown: ").count();
            assert_eq!(printed.matches("still to be filled in").count(), unknown, "{name}: {printed}");
        } else if converted.report.contains("\nto fill in: ") || converted.code == 2 {
            // Two listeners of one host, say: reported by both commands.
            assert_eq!(code, 1, "{name}: {printed}");
        } else {
            assert_eq!(code, 0, "{name}: {printed}");
        }
    }
}

#[test]
fn each_property_is_reported_by_name() {
    let reports: std::collections::BTreeMap<_, _> =
        cases().into_iter().map(|(name, converted, _)| (name, converted.report)).collect();
    let said = [
        (
            "01-quickstart-redirect.json",
            &[
                "sku",
                "gatewayIPConfigurations",
                "parameters('virtualNetworkName') without a value",
                "Microsoft.Network/publicIPAddresses",
            ][..],
        ),
        ("02-comments.json", &["firewallPolicy", "appGatewayBackendPool\": it has no addresses"]),
        ("03-three-sites-waf.json", &["webApplicationFirewallConfiguration", "named after the file"]),
        (
            "04-key-vault-autoscale.json",
            &[
                "autoscaleConfiguration",
                "zones",
                "identity",
                "secrets/sslcert",
                "secrets/appgw-ingress-internal-aks-ingress-contoso-com-tls",
            ],
        ),
        (
            "05-rest-put-body.json",
            &["globalConfiguration", "appgwhttplistener\": no rule names it", "data and password", "https://kv/secret"],
        ),
        ("06-az-create-output.json", &["sku", "it has no addresses"]),
        ("07-az-show-output.json", &["10.0.0.6"]),
        (
            "08-powershell-export.json",
            &[
                "Microsoft.Network/virtualNetworks",
                "webApplicationFirewallConfiguration",
                "autoscaleConfiguration",
                "any host on port 80, as appgw-a",
            ],
        ),
        (
            "09-bicep-compiled.json",
            &[
                "any host on port 443, as appgw-exchange: httpListeners[0] \"listener-mail\" is",
                "Microsoft.Network/networkSecurityGroups",
                "reference()",
            ],
        ),
        (
            "09-bicep-compiled.json with 09-bicep-compiled.parameters.json",
            &["parameters('sslCertPassword') (a Key Vault reference)"],
        ),
        ("10-copy-loops.json with 10-copy-loops.parameters.json", &["https://example.com/502.html", "demo-cert"]),
        ("11-bicep-union.json", &["ingressApplicationGateway", "condition"]),
        (
            "12-seed-fragment.json",
            &[
                "appGatewayFrontendPort443",
                "appGatewayFrontendPort80",
                "appGatewaySslCert1",
                "ContosoServerPool",
                "appGatewayBackendHttpSettings",
            ],
        ),
    ];
    for (name, words) in said {
        for word in words {
            assert!(reports[name].contains(word), "{name}: {word}\n{}", reports[name]);
        }
    }
}

#[test]
fn no_value_of_a_secret_is_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    let template = directory.path().join("secret.json");
    let text = r#"{"name": "gw", "properties": {"sslCertificates": [{"name": "c", "properties": {"data": "UEZYLWRhdGE=", "password": "hunter2"}}]}}"#;
    std::fs::write(&template, text).expect("written");
    for arguments in [&[][..], &["--json"]] {
        let converted = convert(&template, arguments);
        let printed = converted.yaml + &converted.report;
        assert!(!printed.contains("hunter2") && !printed.contains("UEZYLWRhdGE="), "{printed}");
    }
}

#[test]
fn the_report_is_json_for_programs() {
    let converted = convert(&fixture("arm/11-bicep-union.json"), &["--json"]);
    assert_eq!(converted.code, 1);
    let report: Value = serde_json::from_str(&converted.report).expect("JSON");
    assert_eq!(report["entries"][0]["outcome"], "leftOut");
}

#[test]
fn objects_are_named_as_asked_for() {
    let arguments = ["--name", "edge", "--namespace", "web", "--ingress-class", "public"];
    let converted = convert(&fixture("arm/01-quickstart-redirect.json"), &arguments);
    for document in converted.documents() {
        assert_eq!(document["metadata"]["namespace"], "web");
        let name = document["metadata"]["name"].as_str().expect("a name");
        assert!(name == "edge" || name.starts_with("edge-"), "{name}");
    }
    assert_eq!(converted.of_kind("ApplicationGateway")[0]["spec"]["ingressClassName"], "public");
}
