//! Pages for the gateway's own errors over sockets: HTTP/1.1, HTTP/2 and handshakes.

use std::net::{Ipv4Addr, SocketAddr};

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use steadygate::proxy::ProxySettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite;

use crate::gateway::{Backend, Gateway, echo, ingress, service, session};

/// A backend for each pool: `/web` answers by itself, `/refused` can't be connected to, `/absent` is no pool.
fn application_gateway(web: SocketAddr, refused: SocketAddr) -> String {
    format!(
        r#"
apiVersion: steadygate.io/v1alpha1
kind: ApplicationGateway
metadata: {{name: edge, namespace: default}}
spec:
  customErrorConfigurations:
  - {{statusCode: HttpStatus502, configMapRef: {{name: pages, key: "502"}}}}
  - {{statusCode: 503, configMapRef: {{name: pages, key: "503"}}}}
  - {{statusCode: 404, configMapRef: {{name: pages, key: "404"}}}}
  frontendPorts: [{{name: p80, port: 80}}]
  httpListeners: [{{name: http, frontendPort: {{name: p80}}, protocol: Http}}]
  backendAddressPools:
  - {{name: web, backendAddresses: [{{ipAddress: {}}}]}}
  - {{name: refused, backendAddresses: [{{ipAddress: {}}}]}}
  probes: [{{name: health, protocol: Http, path: /healthz, interval: 1, port: {}}}]
  backendHttpSettingsCollection:
  - {{name: web, port: {}, protocol: Http, probe: {{name: health}}}}
  - {{name: refused, port: {}, protocol: Http, probe: {{name: health}}}}
  requestRoutingRules: [{{name: r, ruleType: PathBasedRouting, httpListener: {{name: http}}, urlPathMap: {{name: map}}}}]
  urlPathMaps:
  - name: map
    pathRules:
    - {{name: web, paths: [/web*], backendAddressPool: {{name: web}}, backendHttpSettings: {{name: web}}}}
    - {{name: refused, paths: [/refused], backendAddressPool: {{name: refused}}, backendHttpSettings: {{name: refused}}}}
    - {{name: absent, paths: [/absent], backendAddressPool: {{name: absent}}, backendHttpSettings: {{name: web}}}}
"#,
        web.ip(),
        refused.ip(),
        web.port(),
        web.port(),
        refused.port(),
    )
}

fn pages(name: &str) -> String {
    let mut map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pages, namespace: default}\ndata:\n".to_owned();
    for status in [404, 502, 503] {
        map += &format!("  \"{status}\": <h1>{name} {status}</h1>\n");
    }
    map
}

/// An address at which nothing listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
    listener.local_addr().expect("bound")
}

#[tokio::test]
async fn the_gateways_own_errors_have_pages_and_those_of_backends_stay() {
    let backend = Backend::start("web").await;
    let refused = nobody().await;
    let settings = ProxySettings { clear_text_http2: true, ..ProxySettings::default() };
    let files = application_gateway(backend.address, refused);
    let gateway = Gateway::start_with(settings, &[("gateway.yaml", &files), ("pages.yaml", &pages("Our"))]).await;
    let mut live = gateway.session("site.example", "/web").await;

    for (path, status) in [("/nowhere", 404), ("/refused", 502), ("/absent", 503)] {
        let page = format!("<h1>Our {status}</h1>");
        let answer = gateway.get("site.example", path).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (status, &*page), "{path}");
        assert_eq!(answer.headers[CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
        assert!(answer.reason().is_some(), "{path}: the reason stays");

        let refused = session(gateway.address(80), "site.example", path).await;
        let Err(tungstenite::Error::Http(answer)) = refused else { panic!("{path}: no answer to the handshake") };
        assert_eq!(answer.status().as_u16(), status, "{path}, ws");
        assert_eq!(answer.headers()[CONTENT_LENGTH], page.len().to_string(), "{path}, ws");

        let answer = gateway.get_over_http2("site.example", path).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (status, &*page), "{path}, HTTP/2");
    }
    assert_eq!(gateway.get("site.example", "/web").await.body, "web /web");

    // HEAD has the length of the page, and no page.
    let mut stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    stream.write_all(b"HEAD /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    assert!(answer.to_ascii_lowercase().contains("content-length: 16\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");

    // Pages change as their ConfigMap does, and no session notices.
    for bad in [
        pages("New").replace("<h1>New 404", &"x".repeat(1_000_000)),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n".to_owned(),
    ] {
        gateway.edit("pages.yaml", &pages("New")).await;
        assert_eq!(gateway.get("site.example", "/nowhere").await.body, "<h1>New 404</h1>");
        gateway.edit("pages.yaml", &bad).await;
        let answer = gateway.get("site.example", "/nowhere").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(!answer.body.contains("<h1>") && !answer.body.is_empty(), "{:.200}", answer.body);
    }
    assert_eq!(echo(&mut live, "still here").await, "still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_the_gateway_that_a_class_names_are_those_of_its_ingresses_as_they_are_now() {
    let web = Backend::start("web").await;
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata:\n  name: edge\n  annotations: \
                 {ingressclass.kubernetes.io/is-default-class: 'true'}\nspec:\n  controller: steadygate.io/ingress-controller\n  \
                 parameters: {apiGroup: steadygate.io, kind: ApplicationGateway, scope: Namespace, namespace: default, name: edge}\n";
    let parameters = "apiVersion: steadygate.io/v1alpha1\nkind: ApplicationGateway\nmetadata: {name: edge, namespace: default}\nspec:\n  \
                      customErrorConfigurations: [{statusCode: 503, configMapRef: {name: pages, key: '503'}}]\n";
    let gateway = Gateway::start(&[
        ("class.yaml", class),
        ("edge.yaml", parameters),
        ("pages.yaml", &pages("first")),
        ("services.yaml", &service("web", &[(web.address, true)])),
        ("site.yaml", &ingress("site", "site.example", &[], &[("/", "web"), ("/absent", "absent")])),
    ])
    .await;
    let mut open = gateway.session("site.example", "/").await;
    let page = async |text: &str| {
        let answer = gateway.get("site.example", "/absent").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::SERVICE_UNAVAILABLE, text));
    };
    page("<h1>first 503</h1>").await;
    gateway.edit("pages.yaml", &pages("second")).await;
    page("<h1>second 503</h1>").await;
    assert_eq!(echo(&mut open, "still here").await, "still here");
}
