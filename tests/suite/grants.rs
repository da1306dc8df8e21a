//! References to other namespaces, as ReferenceGrants come and go.

use http::StatusCode;

use crate::gateway::{Backend, Gateway, echo, service};

const GATEWAY: &str = "
apiVersion: steadygate.io/v1alpha1
kind: ApplicationGateway
metadata: {name: edge, namespace: edge}
spec:
  frontendPorts: [{name: p80, port: 80}]
  httpListeners: [{name: http, frontendPort: {name: p80}, protocol: Http}]
  backendAddressPools: [{name: own, serviceRef: {name: web}}, {name: other, serviceRef: {name: web, namespace: default}}]
  probes: [{name: health, protocol: Http, path: /healthz, interval: 1}]
  backendHttpSettingsCollection: [{name: plain, port: 80, protocol: Http, probe: {name: health}}]
  requestRoutingRules: [{name: r, ruleType: PathBasedRouting, httpListener: {name: http}, urlPathMap: {name: map}}]
  urlPathMaps:
  - name: map
    defaultBackendAddressPool: {name: own}
    defaultBackendHttpSettings: {name: plain}
    pathRules: [{name: other, paths: [/other*], backendAddressPool: {name: other}, backendHttpSettings: {name: plain}}]
";

fn grant(namespace: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: edge, namespace: default}}\n\
         spec: {{from: [{{group: steadygate.io, kind: ApplicationGateway, namespace: {namespace}}}], to: [{{group: '', kind: Service}}]}}\n"
    )
}

#[tokio::test]
async fn a_grant_opens_what_it_names_and_closes_it_when_it_goes() {
    let (own, other) = (Backend::start("own").await, Backend::start("other").await);
    let own_service = service("web", &[(own.address, true)]).replace("namespace: default", "namespace: edge");
    let other_service = service("web", &[(other.address, true)]);
    let files: [(&str, &str); 4] = [
        ("gateway.yaml", GATEWAY),
        ("own.yaml", &own_service),
        ("other.yaml", &other_service),
        ("grant.yaml", &grant("other")),
    ];
    let gateway = Gateway::start(&files).await;
    let mut live = gateway.session("site.example", "/chat").await;

    for (index, namespace) in ["other", "edge", "edg", "edge"].into_iter().enumerate() {
        if index > 0 {
            gateway.edit("grant.yaml", &grant(namespace)).await;
        }
        let answer = gateway.get("site.example", "/other/x").await;
        if namespace == "edge" {
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "other /other/x"));
            continue;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{namespace}");
        assert_eq!(answer.reason(), Some("RefNotPermitted"), "{namespace}");
    }
    assert_eq!(gateway.get("site.example", "/").await.body, "own /");
    assert_eq!(echo(&mut live, "still here").await, "still here");
}
