//! For operators and their tools: health, readiness, metrics, what is being served, live sessions. Read access to
//! everything, and a say in one thing: to those on this machine, that sessions close.

mod config;
mod metrics;
pub mod sessions;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry as MetricRegistry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::proxy::Metrics;
use crate::status;

pub use config::Fingerprints;
pub use metrics::Rooms;

/// What the admin port shows, and the sessions that it may ask to close. It has a say in nothing else.
pub struct Admin {
    rooms: Rooms,
    addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
    ready: watch::Receiver<bool>,
    metrics: MetricRegistry,
}

impl Admin {
    /// Reads from the given places. `ready` is false once the gateway drains.
    pub fn new(
        rooms: Rooms,
        addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
        ready: watch::Receiver<bool>,
        proxy: &Metrics,
        status: &status::StatusMetrics,
    ) -> Self {
        let metrics = metrics::registry(rooms.clone(), proxy, status);
        Self { rooms, addresses, ready, metrics }
    }

    /// Why the gateway should get no traffic now, if so.
    fn unready(&self) -> Option<String> {
        let published = self.rooms.published.borrow();
        if !*self.ready.borrow() {
            return Some("draining".to_owned());
        }
        if published.generation == 0 {
            let mut why = "the configuration has not been read yet".to_owned();
            for (watch, state) in self.rooms.troubles.states().iter().filter(|(_, state)| !state.listed) {
                let trouble = state.trouble.as_ref().map(|(trouble, _)| format!(": {trouble}")).unwrap_or_default();
                why.push_str(&format!("\nwaiting for the first list of {watch}{trouble}"));
            }
            return Some(why);
        }
        if !published.complete {
            let failed: Vec<String> =
                published.unopened.iter().map(|(port, error)| format!("port {port}: {error}")).collect();
            return Some(format!("not every listener is open: {}", failed.join("; ")));
        }
        None
    }

    async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/sessions" | "/sessions/close" => sessions::answer(&self.rooms, peer, request).await,
            _ => self.show(&request),
        }
    }

    fn show(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n".to_owned());
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match self.unready() {
                None => text(StatusCode::OK, "ok\n".to_owned()),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            "/metrics" => {
                let mut out = String::new();
                match prometheus_client::encoding::text::encode(&mut out, &self.metrics) {
                    Ok(()) => with_type(out, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
                    Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
                }
            }
            "/debug/config" => {
                match config::dump(&self.rooms.published.borrow(), &self.addresses.borrow(), &self.rooms.pools) {
                    Ok(json) => with_type(json, "application/json"),
                    Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
                }
            }
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /livez, /readyz, /metrics, /debug/config and /sessions\n".to_owned(),
            ),
        }
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = with_type(text, "text/plain; charset=utf-8");
    *response.status_mut() = status;
    response
}

fn with_type(body: String, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Opens the admin port. `[::]` means every address of the machine, though it may have no IPv6.
///
/// # Errors
/// It can't be bound.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await.map_err(|_| error)
        }
        bound => bound,
    }
}

/// Serves the admin port until the runtime ends.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "admin: accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let admin = Arc::clone(&admin);
        let service = service_fn(move |request| {
            let admin = Arc::clone(&admin);
            async move { Ok::<_, Infallible>(admin.answer(peer, request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "admin: connection ended");
            }
        });
    }
}
