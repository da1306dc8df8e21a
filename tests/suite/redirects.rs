//! Redirects of an ApplicationGateway that change or are broken. What they answer is in `examples`.

use http::StatusCode;
use http::header::LOCATION;

use crate::gateway::{Backend, Gateway, echo, get, service};

/// A gateway with listeners on port 80 and 8081. The first has a path map with `/old*`, which is redirected; all else goes to a Service.
fn application_gateway(redirect: &str) -> String {
    format!(
        r#"
apiVersion: steadygate.io/v1alpha1
kind: ApplicationGateway
metadata: {{name: edge, namespace: default}}
spec:
  frontendPorts: [{{name: p80, port: 80}}, {{name: p8081, port: 8081}}]
  httpListeners:
  - {{name: from, frontendPort: {{name: p80}}, protocol: Http}}
  - {{name: to, frontendPort: {{name: p8081}}, protocol: Http}}
  backendAddressPools: [{{name: web, serviceRef: {{name: web}}}}]
  probes: [{{name: health, protocol: Http, path: /healthz, interval: 1}}]
  backendHttpSettingsCollection: [{{name: plain, port: 80, protocol: Http, probe: {{name: health}}}}]
  redirectConfigurations: [{{name: redirect, {redirect}}}]
  requestRoutingRules:
  - {{name: from, ruleType: PathBasedRouting, httpListener: {{name: from}}, urlPathMap: {{name: map}}}}
  - {{name: to, ruleType: Basic, httpListener: {{name: to}}, backendAddressPool: {{name: web}}, backendHttpSettings: {{name: plain}}}}
  urlPathMaps:
  - name: map
    defaultBackendAddressPool: {{name: web}}
    defaultBackendHttpSettings: {{name: plain}}
    pathRules: [{{name: redirected, paths: [/old*], redirectConfiguration: {{name: redirect}}}}]
"#
    )
}

#[tokio::test]
async fn a_broken_redirect_costs_its_rule_alone_and_a_change_touches_no_session() {
    let backend = Backend::start("web").await;
    let services = service("web", &[(backend.address, true)]);
    let gateway = Gateway::start(&[
        ("gateway.yaml", &application_gateway("targetUrl: 'https://a.example/'")),
        ("web.yaml", &services),
    ])
    .await;
    let mut live = gateway.session("www.contoso.com", "/chat").await;
    assert_eq!(gateway.get("www.contoso.com", "/old").await.headers[LOCATION], "https://a.example/");

    for bad in ["targetUrl: '/b'", "targetListener: {name: gone}", "targetListener: {name: from}, includePath: true"] {
        gateway.edit("gateway.yaml", &application_gateway(bad)).await;
        let answer = gateway.get("www.contoso.com", "/old").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{bad}");
        assert!(!answer.headers.contains_key(LOCATION), "{bad}");
        assert_eq!(gateway.get("www.contoso.com", "/other").await.body, "web /other", "{bad}");
    }
    gateway.edit("gateway.yaml", &application_gateway("targetUrl: 'https://b.example/'")).await;
    assert_eq!(gateway.get("www.contoso.com", "/old").await.headers[LOCATION], "https://b.example/");
    assert_eq!(echo(&mut live, "still here").await, "still here");
}

#[tokio::test]
async fn a_client_that_came_to_a_bound_port_is_led_to_a_bound_port() {
    let backend = Backend::start("web").await;
    let redirect = "targetListener: {name: to}, includePath: true";
    let services = service("web", &[(backend.address, true)]);
    let gateway = Gateway::start(&[("gateway.yaml", &application_gateway(redirect)), ("web.yaml", &services)]).await;
    let (bound, to) = (gateway.address(80), gateway.address(8081).port());
    let answer = get(bound, &format!("localhost:{}", bound.port()), "/old").await;
    assert_eq!(answer.headers[LOCATION], format!("http://localhost:{to}/old"));
    assert_eq!(get(gateway.address(8081), "localhost", "/old").await.body, "web /old");
}
