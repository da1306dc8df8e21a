//! Redirects of an ApplicationGateway over sockets: HTTP/1.1, HTTP/2 and handshakes.

use bytes::Bytes;
use http::StatusCode;
use http::header::LOCATION;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use steadygate::proxy::ProxySettings;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;

use crate::gateway::{Backend, Gateway, echo, get, service, session};

/// A gateway whose listeners on port 80 and 8081 have the hosts `from` and `to`. The first has a path map with `path`, which is
/// redirected; all else goes to a Service.
fn application_gateway(from: &str, to: &str, path: &str, redirect: &str) -> String {
    format!(
        r#"
apiVersion: steadygate.io/v1alpha1
kind: ApplicationGateway
metadata: {{name: edge, namespace: default}}
spec:
  frontendPorts: [{{name: p80, port: 80}}, {{name: p8081, port: 8081}}]
  httpListeners:
  - {{name: from, frontendPort: {{name: p80}}, protocol: Http{from}}}
  - {{name: to, frontendPort: {{name: p8081}}, protocol: Http{to}}}
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
    pathRules: [{{name: redirected, paths: ["{path}"], redirectConfiguration: {{name: redirect}}}}]
"#
    )
}

/// One row: the page of Microsoft's documentation that has the example, hosts of both listeners, the path that is redirected, the
/// redirect; the request; status and Location of the answer.
struct Example {
    source: &'static str,
    from: &'static str,
    to: &'static str,
    path: &'static str,
    redirect: &'static str,
    request: (&'static str, &'static str),
    answer: (u16, &'static str),
}

const EXAMPLES: &[Example] = &[
    Example {
        source: "learn.microsoft.com/azure/application-gateway/redirect-http-to-https-cli (with a port in place of HTTPS)",
        from: "",
        to: "",
        path: "/*",
        redirect: "redirectType: Permanent, targetListener: {name: to}, includePath: true, includeQueryString: true",
        request: ("www.contoso.com", "/shop/cart?item=7&size=a%20b"),
        answer: (301, "http://www.contoso.com:8081/shop/cart?item=7&size=a%20b"),
    },
    Example {
        source: "learn.microsoft.com/azure/application-gateway/redirect-internal-site-cli",
        from: ", hostName: www.contoso.org",
        to: ", hostName: www.contoso.com",
        path: "/*",
        redirect: "redirectType: Found, targetListener: {name: to}, includePath: true, includeQueryString: true",
        request: ("www.contoso.org", "/images/test.htm?x"),
        answer: (302, "http://www.contoso.com:8081/images/test.htm?x"),
    },
    Example {
        source: "learn.microsoft.com/azure/application-gateway/redirect-external-site-cli",
        from: "",
        to: "",
        path: "/*",
        redirect: "redirectType: Temporary, targetUrl: 'https://bing.com'",
        request: ("www.contoso.com", "/search?q=1"),
        answer: (307, "https://bing.com/"),
    },
    Example {
        source: "learn.microsoft.com/azure/application-gateway/tutorial-url-redirect-cli",
        from: "",
        to: "",
        path: "/images/*",
        redirect: "redirectType: Found, targetListener: {name: to}, includePath: true, includeQueryString: true",
        request: ("www.contoso.com", "/images/test.htm"),
        answer: (302, "http://www.contoso.com:8081/images/test.htm"),
    },
    Example {
        source: "learn.microsoft.com/azure/application-gateway/redirect-overview (include neither path nor query)",
        from: "",
        to: ", hostNames: [a.contoso.com, b.contoso.com]",
        path: "/old*",
        redirect: "redirectType: SeeOther, targetListener: {name: to}",
        request: ("b.contoso.com", "/old/page?x=1"),
        answer: (303, "http://b.contoso.com:8081/"),
    },
    Example {
        source: "learn.microsoft.com/azure/application-gateway/redirect-overview (external site, path and query included)",
        from: "",
        to: "",
        path: "/old*",
        redirect: "targetUrl: 'https://www.fabrikam.com/new?from=contoso', includePath: true, includeQueryString: true",
        request: ("www.contoso.com", "/old//www.evil.example/%0d%0aSet-Cookie:a=b?x=%0a"),
        answer: (301, "https://www.fabrikam.com/new/old//www.evil.example/%0d%0aSet-Cookie:a=b?from=contoso&x=%0a"),
    },
];

#[tokio::test]
async fn the_examples_of_the_documentation_redirect_as_they_say() {
    let backend = Backend::start("web").await;
    let files = |example: &Example| {
        let Example { from, to, path, redirect, .. } = example;
        application_gateway(from, to, path, redirect)
    };
    let services = service("web", &[(backend.address, true)]);
    let settings = ProxySettings { clear_text_http2: true, ..ProxySettings::default() };
    let gateway =
        Gateway::start_with(settings, &[("gateway.yaml", &files(&EXAMPLES[0])), ("web.yaml", &services)]).await;
    for (index, example) in EXAMPLES.iter().enumerate() {
        let &Example { source, request: (host, path), answer: (status, location), .. } = example;
        if index > 0 {
            gateway.edit("gateway.yaml", &files(example)).await;
        }
        let expected = (StatusCode::from_u16(status).expect("a status"), location);

        let answer = gateway.get(host, path).await;
        assert_eq!((answer.status, answer.headers[LOCATION].to_str().expect("text")), expected, "{source}");
        assert!(!answer.headers.contains_key("set-cookie") && answer.body.is_empty(), "{source}");

        let answer = get_over_http2(&gateway, host, path).await;
        assert_eq!((answer.status(), answer.headers()[LOCATION].to_str().expect("text")), expected, "{source}, HTTP/2");

        let refused = session(gateway.address(80), host, path).await;
        let Err(tungstenite::Error::Http(answer)) = refused else { panic!("{source}: no answer to the handshake") };
        assert_eq!((answer.status(), answer.headers()[LOCATION].to_str().expect("text")), expected, "{source}, ws");
    }
}

async fn get_over_http2(gateway: &Gateway, host: &str, path: &str) -> http::Response<hyper::body::Incoming> {
    let stream = TokioIo::new(TcpStream::connect(gateway.address(80)).await.expect("connects"));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://{host}{path}")).body(Empty::<Bytes>::new()).expect("a request");
    sender.send_request(request).await.expect("an answer")
}

#[tokio::test]
async fn a_broken_redirect_costs_its_rule_alone_and_a_change_touches_no_session() {
    let backend = Backend::start("web").await;
    let files = |redirect| application_gateway("", "", "/old*", redirect);
    let services = service("web", &[(backend.address, true)]);
    let gateway =
        Gateway::start(&[("gateway.yaml", &files("targetUrl: 'https://a.example/'")), ("web.yaml", &services)]).await;
    let mut live = gateway.session("www.contoso.com", "/chat").await;
    assert_eq!(gateway.get("www.contoso.com", "/old").await.headers[LOCATION], "https://a.example/");

    for bad in ["targetUrl: '/b'", "targetListener: {name: gone}", "targetListener: {name: from}, includePath: true"] {
        gateway.edit("gateway.yaml", &files(bad)).await;
        let answer = gateway.get("www.contoso.com", "/old").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{bad}");
        assert!(!answer.headers.contains_key(LOCATION), "{bad}");
        assert_eq!(gateway.get("www.contoso.com", "/other").await.body, "web /other", "{bad}");
    }
    gateway.edit("gateway.yaml", &files("targetUrl: 'https://b.example/'")).await;
    assert_eq!(gateway.get("www.contoso.com", "/old").await.headers[LOCATION], "https://b.example/");
    assert_eq!(echo(&mut live, "still here").await, "still here");
}

#[tokio::test]
async fn a_client_that_came_to_a_bound_port_is_led_to_a_bound_port() {
    let backend = Backend::start("web").await;
    let redirect = "targetListener: {name: to}, includePath: true";
    let services = service("web", &[(backend.address, true)]);
    let gateway =
        Gateway::start(&[("gateway.yaml", &application_gateway("", "", "/old*", redirect)), ("web.yaml", &services)])
            .await;
    let (bound, to) = (gateway.address(80), gateway.address(8081).port());
    let answer = get(bound, &format!("localhost:{}", bound.port()), "/old").await;
    assert_eq!(answer.headers[LOCATION], format!("http://localhost:{to}/old"));
    assert_eq!(get(gateway.address(8081), "localhost", "/old").await.body, "web /old");
}
