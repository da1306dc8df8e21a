//! Gateway API over sockets: HTTP/1.1 and WebSocket handshakes through matches, filters and weights, as its objects come and go.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::StreamExt;
use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::gateway::{Answer, Backend, Gateway, PATIENCE, echo, service, session};
use crate::loopback_server::LoopbackServer;

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  gatewayClassName: steadygate
  listeners:
  - {name: all, port: 80, protocol: HTTP}
  - {name: wide, port: 80, protocol: HTTP, hostname: '*.example'}
  - {name: second, port: 8081, protocol: HTTP}
";

/// An HTTPRoute of the Gateway `edge`. `spec`: all of it but `parentRefs`.
fn route(name: &str, listener: &str, spec: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: default}}\n\
         spec:\n  parentRefs: [{{name: edge, sectionName: {listener}}}]\n{spec}\n"
    )
}

/// An answer to a request with these headers, on a connection of its own.
async fn send(address: SocketAddr, method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let stream = TcpStream::connect(address).await.expect("connects");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::default()).expect("a request");
    let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}

/// A backend that answers with what it was asked: the target, then a line for each header. It refuses handshakes, with the same.
async fn mirror() -> LoopbackServer {
    LoopbackServer::start(|request: Request<Incoming>| async move {
        let mut text = format!("{}\n", request.uri());
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\n", value.to_str().expect("text"));
        }
        let answer = Response::builder().header("x-old", "1").header("x-kept", "1");
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from(text))).expect("an answer"))
    })
    .await
}

#[tokio::test]
async fn requests_go_by_host_path_method_headers_and_query() {
    let (web, api) = (Backend::start("web").await, Backend::start("api").await);
    let files = [
        ("gateway.yaml", GATEWAY.to_owned()),
        ("web.yaml", service("web", &[(web.address, true)])),
        ("api.yaml", service("api", &[(api.address, true)])),
        (
            "wide.yaml",
            route(
                "wide",
                "wide",
                "  rules:
  - {matches: [{path: {value: /only}}], backendRefs: [{name: web, port: 80}]}
  - {matches: [{path: {value: /x}, method: POST}, {path: {value: /x}, headers: [{name: Version, value: '2'}]},
      {path: {value: /x}, queryParams: [{name: v, value: '2'}]}], backendRefs: [{name: api, port: 80}]}
  - {matches: [{path: {value: /x}}], backendRefs: [{name: web, port: 80}]}",
            ),
        ),
        (
            "narrow.yaml",
            route(
                "narrow",
                "wide",
                "  hostnames: [a.example]\n  rules: [{matches: [{path: {value: /narrow}}], backendRefs: [{name: api, port: 80}]}]",
            ),
        ),
        ("all.yaml", route("all", "all", "  rules: [{backendRefs: [{name: web, port: 80}]}]")),
    ];
    let gateway = Gateway::start(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).await;
    let at = gateway.address(80);
    for (method, host, path, headers, expected) in [
        ("GET", "b.example", "/x", &[][..], "web /x"),
        ("POST", "b.example", "/x", &[], "api /x"),
        ("GET", "b.example", "/x", &[("version", "2")], "api /x"),
        ("GET", "b.example", "/x", &[("version", "3")], "web /x"),
        ("GET", "b.example", "/x?v=2", &[], "api /x"),
        ("GET", "b.example", "/x?v=1&v=2", &[], "web /x"),
        ("GET", "c.b.example", "/only", &[], "web /only"),
        // What the routes of the exact host do not take goes to those of the wildcard of the same listener.
        ("GET", "a.example", "/narrow", &[], "api /narrow"),
        ("GET", "a.example", "/x", &[("version", "2")], "api /x"),
        ("GET", "other.test", "/anything", &[], "web /anything"),
    ] {
        let answer = send(at, method, host, path, headers).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, expected), "{method} {host}{path} {headers:?}");
    }
    // And no further: another listener's routes are not for these hosts.
    for host in ["a.example", "b.example"] {
        assert_eq!(gateway.get(host, "/elsewhere").await.status, StatusCode::NOT_FOUND, "{host}");
    }
    assert_eq!(send(gateway.address(8081), "GET", "other.test", "/", &[]).await.status, StatusCode::NOT_FOUND);

    // A handshake is matched as any request.
    let stream = TcpStream::connect(at).await.expect("connects");
    let mut request = "ws://b.example/x".into_client_request().expect("a request");
    request.headers_mut().insert("version", "2".parse().expect("a value"));
    let (mut live, answer) = tokio_tungstenite::client_async(request, tokio_tungstenite::MaybeTlsStream::Plain(stream))
        .await
        .expect("opens");
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(echo(&mut live, "hello").await, "hello");
    assert_eq!(api.requests.load(std::sync::atomic::Ordering::Relaxed), 6, "the session is with api");
}

#[tokio::test]
async fn filters_change_what_backends_and_clients_get() {
    let (mirror, web) = (mirror().await, Backend::start("web").await);
    let spec = "  rules:
  - matches: [{path: {value: /headers}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: X-Set, value: new}], add: [{name: x-add, value: more}], remove: [X-Remove]}
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: X-Kept, value: '2'}], add: [{name: X-New, value: a}], remove: [X-Old]}
    backendRefs: [{name: mirror, port: 80}]
  - matches: [{path: {value: /prefix}}]
    filters: [{type: URLRewrite, urlRewrite: {hostname: in.side, path: {type: ReplacePrefixMatch, replacePrefixMatch: /p}}}]
    backendRefs: [{name: mirror, port: 80}]
  - matches: [{path: {value: /full}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /f}}}]
    backendRefs: [{name: mirror, port: 80}]
  - matches: [{path: {value: /chat}}]
    filters:
    - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: X-New, value: a}]}}
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /mirrored}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}}}]
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /moved}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]
  - matches: [{path: {value: /secure}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: s.example, statusCode: 301}}]";
    let files = [
        ("gateway.yaml", GATEWAY.to_owned()),
        ("mirror.yaml", service("mirror", &[(mirror.address, true)])),
        ("web.yaml", service("web", &[(web.address, true)])),
        ("route.yaml", route("filters", "all", spec)),
    ];
    let gateway = Gateway::start(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).await;
    let at = gateway.address(80);

    let headers = [("x-set", "old"), ("X-Add", "some"), ("x-remove", "1")];
    let answer = send(at, "GET", "site.test", "/headers", &headers).await;
    for line in ["x-set: new\n", "x-add: some\n", "x-add: more\n"] {
        assert!(answer.body.contains(line), "{line}: {}", answer.body);
    }
    assert!(!answer.body.contains("old") && !answer.body.contains("x-remove"), "{}", answer.body);
    let shown = |name: &str| answer.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    assert_eq!([shown("x-kept"), shown("x-new"), shown("x-old")], [Some("2".into()), Some("a".into()), None]);

    for (path, target, host) in [
        ("/prefix/a?q=1", "/p/a?q=1", "in.side"),
        ("/prefix", "/p", "in.side"),
        ("/prefix//b/../c", "/p/c", "in.side"),
        ("/full/a?q=1", "/f?q=1", "site.test"),
    ] {
        let body = send(at, "GET", "site.test", path, &[]).await.body;
        assert!(
            body.starts_with(&format!("{target}\n")) && body.contains(&format!("host: {host}\n")),
            "{path}: {body}"
        );
    }

    for (path, status, location) in [
        ("/moved/a?q=1", 302, format!("http://site.test:{}/new/a?q=1", at.port())),
        ("/secure/a", 301, "https://s.example/secure/a".to_owned()),
    ] {
        let host = format!("site.test:{}", at.port());
        let answer = send(at, "GET", &host, path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.headers[LOCATION].to_str().expect("text")), (status, &*location));
    }

    // A filter that can't be served is not skipped.
    let answer = send(at, "GET", "site.test", "/mirrored", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.reason()), (500, Some("UnsupportedValue")));
    let refused = session(at, "site.test", "/mirrored").await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 500));

    // Handshakes take filters as any request does.
    let stream = TcpStream::connect(at).await.expect("connects");
    let stream = tokio_tungstenite::MaybeTlsStream::Plain(stream);
    let (mut live, answer) = tokio_tungstenite::client_async("ws://site.test/chat", stream).await.expect("opens");
    assert_eq!(answer.headers()["x-new"], "a");
    assert_eq!(echo(&mut live, "hello").await, "hello");
}

#[tokio::test]
async fn an_invalid_backend_keeps_its_share_and_no_endpoint_is_503() {
    let web = Backend::start("web").await;
    let spec = "  rules:
  - {matches: [{path: {value: /half}}], backendRefs: [{name: web, port: 80}, {name: missing, port: 80}]}
  - {matches: [{path: {value: /none}}]}
  - {matches: [{path: {value: /missing}}], backendRefs: [{name: missing, port: 80}]}
  - {matches: [{path: {value: /missing}}], backendRefs: [{name: web, port: 80}]}
  - {matches: [{path: {value: /empty}}], backendRefs: [{name: empty, port: 80}]}";
    let files = [
        ("gateway.yaml", GATEWAY.to_owned()),
        ("web.yaml", service("web", &[(web.address, true)])),
        ("empty.yaml", service::<bool>("empty", &[])),
        ("route.yaml", route("shares", "all", spec)),
    ];
    let gateway = Gateway::start(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).await;
    let mut served = 0;
    for _ in 0..200 {
        let answer = gateway.get("site.test", "/half").await;
        match answer.status {
            StatusCode::OK => served += 1,
            status => assert_eq!((status.as_u16(), answer.reason()), (500, Some("InvalidBackend"))),
        }
    }
    // Six standard deviations.
    assert!((58..=142).contains(&served), "{served} of 200");
    for (path, status, reason) in
        [("/none", 500, "InvalidValue"), ("/missing", 500, "ServiceNotFound"), ("/empty", 503, "NoEndpoints")]
    {
        let answer = gateway.get("site.test", path).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (status, Some(reason)), "{path}");
        let refused = session(gateway.address(80), "site.test", path).await;
        assert!(matches!(refused, Err(Error::Http(answer)) if answer.status().as_u16() == status), "{path}, ws");
    }
}

#[tokio::test]
async fn a_session_outlives_every_change_but_the_end_of_its_route() {
    let (web, api) = (Backend::start("web").await, Backend::start("api").await);
    let chat = |rest: &str| {
        route(
            "chat",
            "all",
            &format!(
                "  rules:\n  - {{matches: [{{path: {{value: /chat}}, headers: [{{name: room, value: a}}]}}], backendRefs: [{{name: web, port: 80}}]}}\n{rest}"
            ),
        )
    };
    let files = [
        ("gateway.yaml", GATEWAY.to_owned()),
        ("web.yaml", service("web", &[(web.address, true)])),
        ("api.yaml", service("api", &[(api.address, true)])),
        ("chat.yaml", chat("")),
    ];
    let gateway = Gateway::start(&files.each_ref().map(|(name, text)| (*name, text.as_str()))).await;
    let stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    let mut request = "ws://site.test/chat".into_client_request().expect("a request");
    request.headers_mut().insert("room", "a".parse().expect("a value"));
    let stream = tokio_tungstenite::MaybeTlsStream::Plain(stream);
    let (mut live, _) = tokio_tungstenite::client_async(request, stream).await.expect("opens");

    // Another rule of its route, another route, another listener, another backend beside its own, another Gateway.
    gateway
        .edit("chat.yaml", &chat("  - {matches: [{path: {value: /other}}], backendRefs: [{name: api, port: 80}]}"))
        .await;
    gateway.edit("other.yaml", &route("other", "all", "  rules: [{backendRefs: [{name: api, port: 80}]}]")).await;
    gateway.edit("gateway.yaml", &GATEWAY.replace("'*.example'", "'*.test.example'")).await;
    gateway
        .edit("chat.yaml", &chat("").replace("{name: web, port: 80}", "{name: api, port: 80}, {name: web, port: 80}"))
        .await;
    let zone = GATEWAY.replace("name: edge", "name: zone").replace("hostname: '*.example'", "hostname: b.test");
    gateway.edit("zone.yaml", &zone).await;
    assert_eq!(echo(&mut live, "still here").await, "still here");

    // Its route ends: the session is closed with a reason.
    gateway.edit("chat.yaml", &chat("").replace("room", "hall")).await;
    let closed = async {
        while let Some(message) = live.next().await {
            if let Ok(message) = message
                && message.is_close()
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("closed");
}
