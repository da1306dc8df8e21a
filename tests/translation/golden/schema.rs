//! The CEL rules of the ApplicationGateway definition, run as an API server runs them.

use kube::CustomResourceExt;
use serde_json::Value;
use steadygate::api::ApplicationGateway;
use steadygate::report::Severity;
use steadygate::translate::{Options, translate};

use super::manifests;

/// The messages of the rules that `spec` breaks.
fn broken(spec: &str) -> Vec<String> {
    let definition = ApplicationGateway::crd();
    let schema = definition.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let schema = serde_json::to_value(schema.expect("a schema")).expect("plain data");
    let spec: Value = serde_saphyr::from_str(spec).expect("YAML");
    let object = serde_json::json!({
        "apiVersion": "steadygate.io/v1alpha1", "kind": "ApplicationGateway", "metadata": {"name": "g"}, "spec": spec
    });
    match kube_cel::validate(&schema, &object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

#[test]
fn a_valid_object_breaks_no_rule() {
    let spec = "
        frontendPorts: [{name: p, port: 80}]
        httpListeners:
        - {name: a, frontendPort: {name: p}, protocol: Http}
        - {name: b, frontendPort: {name: p}, protocol: Https, sslCertificate: {name: c}, hostNames: [a.example, b.example]}
        trustedRootCertificates: [{name: r, secretRef: {name: s}}]
        backendAddressPools: [{name: p, backendAddresses: [{ipAddress: 10.0.0.1}, {fqdn: a.example}]}]
        probes: [{name: p, protocol: Http, path: /, pickHostNameFromBackendHttpSettings: true}]
        backendHttpSettingsCollection:
        - {name: a, port: 80, protocol: Http, hostName: a.example, pickHostNameFromBackendAddress: false}
        - {name: b, port: 80, protocol: Http, pickHostNameFromBackendAddress: true}
        requestRoutingRules:
        - {name: a, ruleType: Basic, httpListener: {name: a}, backendAddressPool: {name: p}, backendHttpSettings: {name: s}}
        - {name: b, ruleType: PathBasedRouting, httpListener: {name: b}, urlPathMap: {name: m}}
        - {name: c, ruleType: Basic, httpListener: {name: a}, redirectConfiguration: {name: r}}
        - {name: d, ruleType: Basic, httpListener: {name: a}, loadDistributionPolicy: {name: l}, backendHttpSettings: {name: s}}
        urlPathMaps:
        - name: m
          defaultRedirectConfiguration: {name: r}
          pathRules:
          - {name: a, paths: [/], backendAddressPool: {name: p}, backendHttpSettings: {name: s}, entraJWTValidationConfig: {name: e}}
          - {name: b, paths: [/b], redirectConfiguration: {name: r}}
        redirectConfigurations: [{name: r, redirectType: SeeOther, targetUrl: 'https://a.example/', includePath: true}]
        rewriteRuleSets:
        - name: w
          rewriteRules:
          - name: r
            ruleSequence: 100
            conditions: [{variable: var_uri_path, pattern: '^/a/(.+)', ignoreCase: true}]
            actionSet:
              requestHeaderConfigurations: [{headerName: X-A, headerValue: '{var_uri_path_1}'}]
              urlConfiguration: {modifiedPath: '/b/{var_uri_path_1}', reroute: false}
        loadDistributionPolicies:
        - {name: l, loadDistributionAlgorithm: IpHash, loadDistributionTargets: [{backendAddressPool: {name: p}, weightPerServer: 50}]}
        entraJWTValidationConfigs:
        - {name: e, tenantId: common, clientId: c, unAuthorizedRequestAction: Allow}
        - {name: i, issuer: 'https://a.example', audiences: [a], jwks: {configMapRef: {name: keys, key: jwks.json}}}
        frontendIPConfigurations: [{name: public, publicIPAddress: {name: pip}}, {name: private, privateIPAddress: 10.0.0.1}]
        sslPolicy: {policyType: Predefined, policyName: AppGwSslPolicy20220101S}
        sslProfiles:
        - name: s
          trustedClientCertificates: [{name: t}]
          clientAuthConfiguration: {verifyClientCertIssuerDN: true, verifyClientRevocation: None, verifyClientAuthMode: Strict}
          sslPolicy: {policyType: CustomV2, minProtocolVersion: TLSv1_3, cipherSuites: [TLS_AES_128_GCM_SHA256]}
        trustedClientCertificates: [{name: t, configMapRef: {name: roots}}]
        customErrorConfigurations: [{statusCode: HttpStatus502, configMapRef: {name: pages, key: 502.html}}]
        listeners: [{name: l, frontendPort: {name: p}, protocol: Tls, hostNames: [db.example]}]
        backendSettingsCollection: [{name: s, port: 5432, protocol: Tcp, timeout: 60}]
        routingRules: [{name: r, listener: {name: l}, backendAddressPool: {name: p}, backendSettings: {name: s}}]
        enableHttp2: true
        globalConfiguration: {enableRequestBuffering: false}
    ";
    assert_eq!(broken(spec), [""; 0]);
}

#[test]
fn each_rule_refuses_its_mistake() {
    for (spec, message) in [
        (
            "httpListeners: [{name: l, frontendPort: {name: p}, protocol: Http, hostName: a, hostNames: [b]}]",
            "hostName and hostNames can't stand together",
        ),
        ("httpListeners: [{name: l, frontendPort: {name: p}, protocol: Https}]", "needs an sslCertificate"),
        ("trustedRootCertificates: [{name: r}]", "either secretRef or configMapRef"),
        ("trustedRootCertificates: [{name: r, secretRef: {name: s}, configMapRef: {name: c}}]", "either secretRef"),
        ("backendAddressPools: [{name: p, backendAddresses: [{}]}]", "either ipAddress or fqdn"),
        ("backendAddressPools: [{name: p, backendAddresses: [{ipAddress: 10.0.0.1, fqdn: a}]}]", "either ipAddress"),
        (
            "backendHttpSettingsCollection: \
             [{name: s, port: 80, protocol: Http, hostName: a, pickHostNameFromBackendAddress: true}]",
            "hostName and pickHostNameFromBackendAddress",
        ),
        (
            "probes: [{name: p, protocol: Http, path: /, host: a, pickHostNameFromBackendHttpSettings: true}]",
            "host and pickHostNameFromBackendHttpSettings",
        ),
        (
            "requestRoutingRules: \
             [{name: r, ruleType: Basic, httpListener: {name: l}, backendAddressPool: {name: p}}]",
            "type Basic needs",
        ),
        ("requestRoutingRules: [{name: r, ruleType: PathBasedRouting, httpListener: {name: l}}]", "needs a urlPathMap"),
        ("urlPathMaps: [{name: m, defaultBackendAddressPool: {name: p}}]", "go together"),
        (
            "urlPathMaps: [{name: m, defaultBackendAddressPool: {name: p}, defaultBackendHttpSettings: {name: s}, \
             defaultRedirectConfiguration: {name: r}}]",
            "in place of backends",
        ),
        (
            "urlPathMaps: [{name: m, pathRules: [{name: r, paths: [/], backendAddressPool: {name: p}}]}]",
            "a path rule needs",
        ),
        (
            "urlPathMaps: [{name: m, pathRules: [{name: r, paths: [/], redirectConfiguration: {name: r}, \
             backendHttpSettings: {name: s}}]}]",
            "a path rule needs",
        ),
        (
            "requestRoutingRules: [{name: r, ruleType: PathBasedRouting, httpListener: {name: l}, urlPathMap: {name: m}, \
             redirectConfiguration: {name: r}}]",
            "in place of backends",
        ),
        ("redirectConfigurations: [{name: r, redirectType: Found}]", "either targetListener or targetUrl"),
        (
            "redirectConfigurations: [{name: r, targetListener: {name: l}, targetUrl: 'https://a.example/'}]",
            "either targetListener or targetUrl",
        ),
        (
            "httpListeners: [{name: l, frontendPort: {name: p}, protocol: Http, sslProfile: {name: s}}]",
            "for protocol Https alone",
        ),
        (
            "frontendIPConfigurations: [{name: f, privateIPAddress: 10.0.0.1, publicIPAddress: {name: p}}]",
            "can't stand together",
        ),
        ("sslPolicy: {policyType: Predefined}", "needs a policyName"),
        ("sslPolicy: {policyType: Custom, policyName: AppGwSslPolicy20220101}", "type Predefined alone"),
        ("sslPolicy: {policyName: AppGwSslPolicy20220101, minProtocolVersion: TLSv1_2}", "has its own"),
        ("trustedClientCertificates: [{name: t}]", "either secretRef or configMapRef"),
        ("probes: [{name: p, protocol: Http}]", "needs a path"),
        ("entraJWTValidationConfigs: [{name: t, clientId: c}]", "either tenantId or issuer"),
        ("entraJWTValidationConfigs: [{name: t, tenantId: common}]", "needs a clientId"),
        ("entraJWTValidationConfigs: [{name: t, issuer: i, clientId: c}]", "an issuer needs jwks"),
        (
            "entraJWTValidationConfigs: [{name: t, issuer: i, clientId: c, jwks: {}}]",
            "one of secretRef, configMapRef and url",
        ),
        ("entraJWTValidationConfigs: [{name: t, issuer: i, jwks: {url: 'https://a.example/'}}]", "needs audiences"),
        ("listeners: [{name: l, frontendPort: {name: p}, protocol: Tcp, hostNames: [a]}]", "for protocol Tls alone"),
        (
            "listeners: [{name: l, frontendPort: {name: p}, protocol: Tls, sslProfile: {name: s}}]",
            "needs an sslCertificate",
        ),
        (
            "routingRules: [{name: r, ruleType: PathBasedRouting, listener: {name: l}, backendAddressPool: {name: p}, \
             backendSettings: {name: s}}]",
            "no path",
        ),
    ] {
        let broken = broken(spec);
        assert!(matches!(&broken[..], [only] if only.contains(message)), "{spec}: {broken:?}");
    }
}

#[test]
fn the_schema_and_translation_have_equal_ranges_for_sessions() {
    let definition = serde_json::to_value(ApplicationGateway::crd()).expect("plain data");
    let settings = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties\
        /backendHttpSettingsCollection/items/properties";
    let settings = definition.pointer(settings).expect("the settings");
    let mut seen = 0;
    for block in ["webSocket", "connectionDraining"] {
        for (name, schema) in settings[block]["properties"].as_object().expect("fields") {
            let (Some(least), Some(most)) = (schema["minimum"].as_f64(), schema["maximum"].as_f64()) else { continue };
            for (value, fits) in [(least - 1.0, false), (least, true), (most, true), (most + 1.0, false)] {
                let enabled = if block == "connectionDraining" { "enabled: true, " } else { "" };
                let object = format!(
                    "{{apiVersion: steadygate.io/v1alpha1, kind: ApplicationGateway, metadata: {{name: g}}, spec: \
                     {{backendHttpSettingsCollection: \
                     [{{name: s, port: 80, protocol: Http, {block}: {{{enabled}{name}: {value}}}}}]}}}}"
                );
                let options = Options { everything_without_class: true, ..Options::default() };
                let reports = translate(&manifests::read(&object), &options).reports;
                let field = format!("spec.backendHttpSettingsCollection[0].{block}.{name}");
                let refused = reports.iter().any(|report| report.field == field && report.severity == Severity::Error);
                assert_eq!(refused, !fits, "{name}: {value}: {reports:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 4 * 12);
}
