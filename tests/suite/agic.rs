//! Ingresses of AGIC's class on the wire: hosts, cookies, prohibited targets, and parameters of the class that change under a session.

use http::StatusCode;
use steadygate::proxy::ProxySettings;

use crate::gateway::{Backend, Gateway, echo, get, ingress, service, session};

const CLASS: (&str, &str) = ("kubernetes.io/ingress.class", "azure/application-gateway");

fn agic(key: &str) -> String {
    format!("appgw.ingress.kubernetes.io/{key}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wildcard_of_hostname_extension_spans_labels_and_the_cookie_has_the_name_that_agic_gives() {
    let one = Backend::start("one").await;
    let (extension, affinity, distinct) =
        (agic("hostname-extension"), agic("cookie-based-affinity"), agic("cookie-based-affinity-distinct-name"));
    let annotations = [CLASS, (&extension, "t*.example"), (&affinity, "true"), (&distinct, "true")];
    let gateway = Gateway::start(&[
        ("services.yaml", &service("one", &[(one.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &annotations, &[("/", "one")])),
    ])
    .await;
    for host in ["site.example", "tanzu.example", "t.eu.example"] {
        let answer = gateway.get(host, "/").await;
        assert_eq!(answer.body, "one /", "{host}");
        let cookie = answer.headers["set-cookie"].to_str().expect("a text");
        // The MD5 of `default-one`.
        assert!(cookie.starts_with("appgw-affinity-79da717db990d4138852528b5b9ca947="), "{cookie}");
    }
    assert_eq!(gateway.get("best.example", "/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(echo(&mut gateway.session("tanzu.example", "/").await, "hello").await, "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_prohibited_target_names_answers_503_and_the_rest_is_served() {
    let one = Backend::start("one").await;
    let target = "apiVersion: appgw.ingress.k8s.io/v1\nkind: AzureIngressProhibitedTarget\n\
                  metadata: {name: fox, namespace: default}\nspec: {hostname: fox.example, paths: [/fox/*]}\n";
    let files = [
        ("services.yaml", &*service("one", &[(one.address, true)])),
        ("site.yaml", &ingress("site", "'*.example'", &[CLASS], &[("/", "one")])),
        ("target.yaml", target),
    ];
    let settings = ProxySettings { clear_text_http2: true, ..ProxySettings::default() };
    let gateway = Gateway::start_with(settings, &files).await;
    let prohibited = (StatusCode::SERVICE_UNAVAILABLE, Some("ProhibitedTarget"));
    for path in ["/fox", "/fox/den", "/FOX/den", "//fox/./den", "/%66ox/den?x=1"] {
        let answer = gateway.get("fox.example", path).await;
        assert_eq!((answer.status, answer.reason()), prohibited, "{path}");
        let answer = gateway.get_over_http2("fox.example", path).await;
        assert_eq!((answer.status, answer.reason()), prohibited, "{path}, HTTP/2");
    }
    session(gateway.address(80), "fox.example", "/fox/den").await.expect_err("no session opens");
    for (host, path) in [("fox.example", "/foxes"), ("hen.example", "/fox/den")] {
        assert_eq!(gateway.get(host, path).await.body, format!("one {path}"), "{host}");
        assert_eq!(gateway.get_over_http2(host, path).await.body, format!("one {path}"), "{host}, HTTP/2");
    }
    // It goes, and comes back narrower: a session that is open stays.
    gateway.edit("target.yaml", "").await;
    let mut open = gateway.session("fox.example", "/fox/den").await;
    gateway.edit("target.yaml", target).await;
    assert_eq!(gateway.get("fox.example", "/fox").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(echo(&mut open, "still here").await, "still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rewrites_that_an_ingress_names_are_applied_as_they_are_now_and_end_no_session() {
    let one = Backend::start("one").await;
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: edge}\nspec:\n  controller: \
                 azure/application-gateway\n  parameters: {apiGroup: steadygate.io, kind: ApplicationGateway, scope: Namespace, \
                 namespace: default, name: edge}\n";
    let element = |version: &str| {
        format!(
            "apiVersion: steadygate.io/v1alpha1\nkind: ApplicationGateway\nmetadata: {{name: edge, namespace: default}}\nspec:\n  \
             rewriteRuleSets:\n  - name: mark\n    rewriteRules:\n    - {{name: mark, actionSet: {{responseHeaderConfigurations: \
             [{{headerName: X-Mark, headerValue: '{version} {{var_host}}'}}]}}}}\n"
        )
    };
    let resource = |path: &str| {
        format!(
            "apiVersion: appgw.ingress.azure.io/v1beta1\nkind: AzureApplicationGatewayRewrite\nmetadata: {{name: move, namespace: \
             default}}\nspec:\n  rewriteRules:\n  - conditions: [{{variable: var_uri_path, pattern: '^/old(/.*)$'}}]\n    actions:\n      \
             urlConfiguration: {{modifiedPath: '{path}{{var_uri_path_1}}'}}\n      responseHeaderConfigurations: [{{actionType: delete, \
             headerName: X-Backend, headerValue: gone}}]\n"
        )
    };
    let (by_element, by_resource) = (agic("rewrite-rule-set"), agic("rewrite-rule-set-custom-resource"));
    let classed = ("kubernetes.io/ingress.class", "edge");
    let gateway = Gateway::start(&[
        ("class.yaml", class),
        ("edge.yaml", &element("first")),
        ("rewrite.yaml", &resource("/new")),
        ("services.yaml", &service("one", &[(one.address, true)])),
        ("a.yaml", &ingress("a", "a.example", &[classed, (&by_element, "mark")], &[("/", "one")])),
        ("b.yaml", &ingress("b", "b.example", &[classed, (&by_resource, "move")], &[("/", "one")])),
    ])
    .await;
    assert_eq!(gateway.get("a.example", "/").await.headers["x-mark"], "first a.example");
    let answer = gateway.get("b.example", "/old/x").await;
    assert_eq!((&answer.body[..], answer.headers.get("x-backend")), ("one /new/x", None));
    assert_eq!(gateway.get("b.example", "/other").await.headers["x-backend"], "one");
    let mut open = [gateway.session("a.example", "/").await, gateway.session("b.example", "/old/s").await];

    gateway.edit("edge.yaml", &element("second")).await;
    gateway.edit("rewrite.yaml", &resource("/newer")).await;
    assert_eq!(gateway.get("a.example", "/").await.headers["x-mark"], "second a.example");
    assert_eq!(gateway.get("b.example", "/old/x").await.body, "one /newer/x");

    // What is missing adorned: requests are served without it.
    gateway.edit("rewrite.yaml", "").await;
    assert_eq!(gateway.get("b.example", "/old/x").await.body, "one /old/x");
    for session in &mut open {
        assert_eq!(echo(session, "still here").await, "still here");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parameters_of_a_class_change_defaults_and_no_session() {
    let one = Backend::start("one").await;
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: edge\n  annotations: \
                 {ingressclass.kubernetes.io/is-default-class: 'true'}\nspec:\n  controller: steadygate.io/ingress-controller\n  \
                 parameters: {apiGroup: steadygate.io, kind: ApplicationGateway, scope: Namespace, namespace: default, name: edge}\n";
    let parameters = |port: u16, affinity: &str| {
        format!(
            "apiVersion: steadygate.io/v1alpha1\nkind: ApplicationGateway\nmetadata: {{name: edge, namespace: default}}\nspec:\n  \
             frontendPorts: [{{name: p, port: {port}}}]\n  \
             httpListeners: [{{name: l, frontendPort: {{name: p}}, protocol: Http}}]\n  backendHttpSettingsCollection: \
             [{{name: s, port: 80, protocol: Http, cookieBasedAffinity: {affinity}, affinityCookieName: edge}}]\n"
        )
    };
    let gateway = Gateway::start(&[
        ("class.yaml", class),
        ("edge.yaml", &parameters(80, "Enabled")),
        ("services.yaml", &service("one", &[(one.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/", "one")])),
    ])
    .await;
    let answer = gateway.get("site.example", "/").await;
    assert!(answer.headers["set-cookie"].to_str().is_ok_and(|cookie| cookie.starts_with("edge=")), "{answer:?}");
    let mut open = gateway.session("site.example", "/").await;

    gateway.edit("edge.yaml", &parameters(80, "Disabled")).await;
    assert!(!gateway.get("site.example", "/").await.headers.contains_key("set-cookie"));
    assert_eq!(echo(&mut open, "still here").await, "still here");

    // What is missing may have been a guard.
    gateway.edit("edge.yaml", "").await;
    let answer = gateway.get("site.example", "/").await;
    assert_eq!((answer.status, answer.reason()), (StatusCode::SERVICE_UNAVAILABLE, Some("InvalidParameters")));

    gateway.edit("edge.yaml", &parameters(8081, "Disabled")).await;
    let mut addresses = gateway.app.addresses.clone();
    let moved = addresses.wait_for(|addresses| addresses.contains_key(&8081));
    drop(tokio::time::timeout(crate::gateway::PATIENCE, moved).await.expect("port 8081 opens").expect("the app runs"));
    assert_eq!(get(gateway.address(8081), "site.example", "/").await.body, "one /");
}
