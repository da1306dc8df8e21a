//! Hosts of an Ingress beside hosts of an ApplicationGateway: which of them a request is for.

use http::StatusCode;

use crate::gateway::{Backend, Gateway, ingress, service};

const GATEWAY: &str = "apiVersion: steadygate.io/v1alpha1
kind: ApplicationGateway
metadata: {name: g, namespace: default}
spec:
  frontendPorts: [{name: p, port: 80}]
  httpListeners:
  - {name: l, frontendPort: {name: p}, protocol: Http, hostName: owned.example}
  backendAddressPools: [{name: b, serviceRef: {name: two}}]
  backendHttpSettingsCollection: [{name: s, port: 80, protocol: Http, probe: {name: h}}]
  probes: [{name: h, protocol: Http, path: /healthz, interval: 30, timeout: 5, unhealthyThreshold: 3}]
  urlPathMaps:
  - name: m
    pathRules:
    - {name: x, paths: [/x/*], backendAddressPool: {name: b}, backendHttpSettings: {name: s}}
  requestRoutingRules:
  - {name: r, ruleType: PathBasedRouting, priority: 1, httpListener: {name: l}, urlPathMap: {name: m}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_a_gateway_does_not_map_on_its_own_host_is_not_found() {
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    // For any host at all.
    let everything = ingress("site", "''", &[], &[("/", "one")]);
    let gateway = Gateway::start(&[
        (
            "services.yaml",
            &[service("one", &[(one.address, true)]), service("two", &[(two.address, true)])].join("---\n"),
        ),
        ("gateway.yaml", GATEWAY),
        ("site.yaml", &everything),
    ])
    .await;
    assert_eq!(gateway.get("owned.example", "/x/1").await.body, "two /x/1");
    let unmapped = gateway.get("owned.example", "/y").await;
    assert_eq!((unmapped.status, unmapped.reason()), (StatusCode::NOT_FOUND, Some("NoRoute")));
    assert_eq!(gateway.get("other.example", "/y").await.body, "one /y");
}
