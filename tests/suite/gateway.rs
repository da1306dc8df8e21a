//! The real gateway on ports that the system chooses, and backends for it: the vocabulary of the other files.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use steadygate::app::{App, Config, Source, start};
use steadygate::proxy::{Bindings, ProxySettings};
use steadygate::translate::Tenancy;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::loopback_server::LoopbackServer;

/// Time limit of every wait: long, since the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway and the directory that it serves.
pub(crate) struct Gateway {
    pub(crate) dir: TempDir,
    pub(crate) app: App,
}

/// The client's side of a WebSocket session.
pub(crate) type Session = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Gateway {
    /// Serves these files; frontend port 80 is open when it returns.
    pub(crate) async fn start(files: &[(&str, &str)]) -> Self {
        Self::start_with(ProxySettings::default(), files).await
    }

    /// Serves these files with other settings of the proxy.
    pub(crate) async fn start_with(settings: ProxySettings, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ports = [80, 443, 8081].into_iter().map(|port| (port, loopback(0))).collect();
        let config = Config {
            source: Source::Directory(dir.path().to_owned()),
            controller_name: steadygate::translate::CONTROLLER.to_owned(),
            status: None,
            serve_controllers: vec!["azure/application-gateway".to_owned(), "k8s.io/ingress-nginx".to_owned()],
            tenancy: Tenancy::default(),
            default_certificate: None,
            external_names: true,
            pod_ips: Vec::new(),
            bindings: Bindings { address: Some(Ipv4Addr::LOCALHOST.into()), ports },
            settings,
            affinity_key: None,
            session_limits: Default::default(),
            workers: 2,
            admin: loopback(0),
        };
        let app = start(config).await.expect("starts");
        let gateway = Self { dir, app };
        gateway.wait_for_generation(1).await;
        let mut addresses = gateway.app.addresses.clone();
        let open = addresses.wait_for(|addresses| addresses.contains_key(&80));
        drop(tokio::time::timeout(PATIENCE, open).await.expect("port 80 opens").expect("the app runs"));
        gateway
    }

    /// Writes a file as editors do (beside, then renamed into place) and waits until it has been taken in.
    pub(crate) async fn edit(&self, name: &str, text: &str) {
        let generation = self.app.published.borrow().generation;
        self.write(name, text);
        self.wait_for_generation(generation + 1).await;
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let beside = self.dir.path().join(format!(".{name}.new"));
        std::fs::write(&beside, text).expect("written");
        std::fs::rename(beside, self.dir.path().join(name)).expect("renamed");
    }

    pub(crate) async fn wait_for_generation(&self, generation: u64) {
        let mut published = self.app.published.clone();
        let taken = published.wait_for(|published| published.generation >= generation);
        drop(tokio::time::timeout(PATIENCE, taken).await.expect("taken in").expect("the app runs"));
    }

    /// The address at which a frontend port is bound.
    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        self.app.addresses.borrow()[&port]
    }

    /// GET on frontend port 80.
    pub(crate) async fn get(&self, host: &str, path: &str) -> Answer {
        get(self.address(80), host, path).await
    }

    /// GET over HTTP/2 on frontend port 80, which has to serve that without TLS.
    pub(crate) async fn get_over_http2(&self, host: &str, path: &str) -> Answer {
        get_over_http2(self.address(80), host, path).await
    }

    /// Opens a session on frontend port 80.
    pub(crate) async fn session(&self, host: &str, path: &str) -> Session {
        session(self.address(80), host, path).await.expect("a session opens")
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// The reason of a response that the gateway itself made.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.headers.get("x-steadygate-reason").and_then(|reason| reason.to_str().ok())
    }
}

/// GET on a connection of its own.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> Answer {
    let stream = TcpStream::connect(address).await.expect("connects");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let request = Request::get(path).header("host", host).body(Full::<Bytes>::default()).expect("a request");
    Answer::read(sender.send_request(request).await.expect("an answer")).await
}

/// GET over HTTP/2 without TLS, on a connection of its own.
pub(crate) async fn get_over_http2(address: SocketAddr, host: &str, path: &str) -> Answer {
    let stream = TokioIo::new(TcpStream::connect(address).await.expect("connects"));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = Request::get(format!("http://{host}{path}")).body(Full::<Bytes>::default()).expect("a request");
    Answer::read(sender.send_request(request).await.expect("an answer")).await
}

/// Opens a session.
pub(crate) async fn session(
    address: SocketAddr,
    host: &str,
    path: &str,
) -> Result<Session, tokio_tungstenite::tungstenite::Error> {
    let stream = TcpStream::connect(address).await.expect("connects");
    let url = format!("ws://{host}{path}");
    Ok(tokio_tungstenite::client_async(url, MaybeTlsStream::Plain(stream)).await?.0)
}

/// Sends a message and gives the one that comes back.
pub(crate) async fn echo(session: &mut Session, text: &str) -> String {
    session.send(text.to_owned().into()).await.expect("sent");
    let answer = tokio::time::timeout(PATIENCE, session.next()).await.expect("in time").expect("open");
    answer.expect("a message").into_text().expect("text").to_string()
}

/// A backend on loopback: answers its name and the path, echoes WebSocket messages, and answers /healthz with a status
/// that can be set.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) health: Arc<AtomicU16>,
    pub(crate) requests: Arc<AtomicUsize>,
    pub(crate) probes: Arc<AtomicUsize>,
    _server: LoopbackServer,
}

impl Backend {
    pub(crate) async fn start(name: &'static str) -> Self {
        let (health, requests, probes) = (Arc::new(AtomicU16::new(200)), Arc::default(), Arc::default());
        let state = (Arc::clone(&health), Arc::clone(&requests), Arc::clone(&probes));
        let server = LoopbackServer::start(move |request| answer(name, state.clone(), request)).await;
        Self { address: server.address, health, requests, probes, _server: server }
    }
}

type State = (Arc<AtomicU16>, Arc<AtomicUsize>, Arc<AtomicUsize>);

async fn answer(
    name: &'static str,
    (health, requests, probes): State,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/healthz" {
        probes.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::from_u16(health.load(Ordering::Relaxed)).expect("a status");
        return Ok(response);
    }
    requests.fetch_add(1, Ordering::Relaxed);
    let Some(key) = request.headers().get("sec-websocket-key") else {
        let text = format!("{name} {}", request.uri().path());
        let response = Response::builder().header("x-backend", name);
        return Ok(response.body(Full::new(Bytes::from(text))).expect("a response"));
    };
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), role, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-accept", accept);
    Ok(response.body(Full::default()).expect("a response"))
}

/// The conditions of an endpoint in an EndpointSlice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Ready,
    NotReady,
    /// Terminating and serving: as the EndpointSlice controller writes it when a pod is deleted.
    Terminating,
    /// Terminating and not serving: when the deleted pod is not ready any more.
    Ending,
}

impl From<bool> for Endpoint {
    fn from(ready: bool) -> Self {
        if ready { Self::Ready } else { Self::NotReady }
    }
}

impl Endpoint {
    fn conditions(self) -> &'static str {
        match self {
            Self::Ready => "{ready: true, serving: true, terminating: false}",
            Self::NotReady => "{ready: false, serving: false, terminating: false}",
            Self::Terminating => "{ready: false, serving: true, terminating: true}",
            Self::Ending => "{ready: false, serving: false, terminating: true}",
        }
    }
}

/// A Service and its EndpointSlices, by the address and the conditions of each endpoint.
pub(crate) fn service<E: Into<Endpoint> + Copy>(name: &str, endpoints: &[(SocketAddr, E)]) -> String {
    let mut ports: BTreeMap<u16, Vec<(std::net::IpAddr, Endpoint)>> = BTreeMap::new();
    for (address, endpoint) in endpoints {
        ports.entry(address.port()).or_default().push((address.ip(), (*endpoint).into()));
    }
    let mut text = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\n\
         spec: {{ports: [{{name: http, port: 80}}]}}\n"
    );
    for (port, addresses) in ports {
        text += &format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: {name}-{port}, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}\n\
             addressType: IPv4\nports: [{{name: http, port: {port}}}]\nendpoints:\n"
        );
        for (ip, endpoint) in addresses {
            text += &format!("- {{addresses: [{ip}], conditions: {}}}\n", endpoint.conditions());
        }
    }
    text
}

/// An Ingress with one host, its annotations, and paths (prefixes) to services.
pub(crate) fn ingress(name: &str, host: &str, annotations: &[(&str, &str)], paths: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  namespace: default\n  annotations:\n"
    );
    // The probe's own path, for the backends here; others as given.
    text += "    appgw.ingress.kubernetes.io/health-probe-path: /healthz\n";
    for (key, value) in annotations {
        text += &format!("    {key}: {value:?}\n");
    }
    text += &format!("spec:\n  rules:\n  - host: {host}\n    http:\n      paths:\n");
    for (path, service) in paths {
        text += &format!(
            "      - {{path: {path}, pathType: Prefix, backend: {{service: {{name: {service}, port: {{name: http}}}}}}}}\n"
        );
    }
    text
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never: {what}");
}
