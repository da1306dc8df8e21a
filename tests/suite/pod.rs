//! A backend that ends as a pod's process does: gracefully, or at once with every connection reset.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

/// The state of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Life {
    Running,
    /// Accepts nothing, finishes requests, closes idle connections.
    Ending,
    Killed,
}

/// A pod that answers with its name and the request's body, to WebSocket messages too. `/healthz` answers 200.
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Number of open connections, of sessions and probes too.
    pub(crate) connections: Arc<AtomicUsize>,
    life: watch::Sender<Life>,
}

impl Pod {
    /// Starts on any free port.
    pub(crate) async fn start(name: impl Into<String>) -> Self {
        Self::start_at(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts at an address that another pod may have had.
    pub(crate) async fn start_at(name: impl Into<String>, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("binds");
        let (life, watched) = watch::channel(Life::Running);
        let (name, connections) = (name.into(), Arc::new(AtomicUsize::new(0)));
        let pod = Self { name, address: listener.local_addr().expect("bound"), connections, life };
        tokio::spawn(accept(listener, pod.name.clone(), Arc::clone(&pod.connections), watched));
        pod
    }

    /// SIGTERM to a process that handles it, but does not close its sessions.
    pub(crate) fn end(&self) {
        self.life.send_replace(Life::Ending);
    }

    /// SIGKILL: every connection is reset.
    pub(crate) fn kill(&self) {
        self.life.send_replace(Life::Killed);
    }
}

async fn accept(listener: TcpListener, name: String, connections: Arc<AtomicUsize>, mut life: watch::Receiver<Life>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.expect("accepts").0,
            _ = life.wait_for(|life| *life != Life::Running) => return,
        };
        let reset = socket2::Socket::from(std::os::fd::OwnedFd::from(
            socket2::SockRef::from(&stream).try_clone().expect("cloned"),
        ));
        let (connections, mut life) = (Arc::clone(&connections), life.clone());
        let (name, inner) = (name.clone(), life.clone());
        tokio::spawn(async move {
            connections.fetch_add(1, Ordering::Relaxed);
            let serving = serve(stream, name, Arc::clone(&connections), inner);
            tokio::select! {
                () = serving => {}
                _ = life.wait_for(|life| *life == Life::Killed) => {
                    reset.set_linger(Some(Duration::ZERO)).expect("set");
                }
            }
            connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn serve(stream: TcpStream, name: String, connections: Arc<AtomicUsize>, mut life: watch::Receiver<Life>) {
    let watched = life.clone();
    let service = service_fn(move |request| answer(name.clone(), Arc::clone(&connections), watched.clone(), request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = life.wait_for(|life| *life != Life::Running) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    name: String,
    connections: Arc<AtomicUsize>,
    life: watch::Receiver<Life>,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(key) = request.headers().get("sec-websocket-key").cloned() else {
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        return Ok(Response::new(Full::new(Bytes::from(format!("{name} {}", String::from_utf8_lossy(&body))))));
    };
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        connections.fetch_add(1, Ordering::Relaxed);
        talk(upgraded, &name, life).await;
        connections.fetch_sub(1, Ordering::Relaxed);
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-accept", accept);
    Ok(response.body(Full::default()).expect("a response"))
}

async fn talk(upgraded: hyper::upgrade::Upgraded, name: &str, mut life: watch::Receiver<Life>) {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("a TCP stream");
    let stream = parts.io.into_inner();
    let reset = socket2::SockRef::from(&stream).try_clone().expect("cloned");
    let mut socket = WebSocketStream::from_partially_read(stream, parts.read_buf.to_vec(), Role::Server, None).await;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            _ = life.wait_for(|life| *life == Life::Killed) => {
                reset.set_linger(Some(Duration::ZERO)).expect("set");
                return;
            }
        };
        let Some(Ok(message)) = message else { return };
        if let Ok(text) = message.to_text()
            && message.is_text()
            && socket.send(format!("{name} {text}").into()).await.is_err()
        {
            return;
        }
    }
}
