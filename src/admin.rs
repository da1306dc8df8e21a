//! The admin port, for operators and their tools: health, readiness, metrics, the configuration that is served, live sessions.
//!
//! It reads everything and changes one thing: clients on this machine may have sessions closed.

mod config;
mod host;
mod metrics;
pub mod sessions;
mod state;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

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
use sessions::SessionOperation;

pub use config::Fingerprints;
pub use state::AdminState;

/// Time before the next connection is accepted after an error.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Every path of the admin port, and what it answers with.
const ADMIN_ROUTES: [(&str, AdminPage); 6] = [
    ("/livez", AdminPage::Liveness),
    ("/readyz", AdminPage::Readiness),
    ("/metrics", AdminPage::Metrics),
    ("/debug/config", AdminPage::Config),
    ("/sessions", AdminPage::Sessions(SessionOperation::List)),
    ("/sessions/close", AdminPage::Sessions(SessionOperation::Close)),
];

/// A page of the admin port.
#[derive(Debug, Clone, Copy)]
enum AdminPage {
    /// Whether the process is alive.
    Liveness,
    /// Whether the gateway should get traffic.
    Readiness,
    /// Prometheus metrics.
    Metrics,
    /// The configuration that is served, as JSON.
    Config,
    /// Live sessions: for clients on this machine alone.
    Sessions(SessionOperation),
}

impl AdminPage {
    /// The page at a path, if there is one.
    fn at(path: &str) -> Option<Self> {
        ADMIN_ROUTES.iter().find(|(known, _)| *known == path).map(|(_, page)| *page)
    }
}

/// The admin port: the handles and metrics that it answers from.
pub struct Admin {
    state: AdminState,
    addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
    ready: watch::Receiver<bool>,
    metrics: MetricRegistry,
}

impl Admin {
    /// An admin port that reads from these. `addresses` are the bound addresses by port; `ready` is false once the gateway drains.
    pub fn new(
        state: AdminState,
        addresses: watch::Receiver<BTreeMap<u16, SocketAddr>>,
        ready: watch::Receiver<bool>,
        proxy: &Metrics,
        status: &status::StatusMetrics,
    ) -> Self {
        let metrics = metrics::registry(state.clone(), proxy, status);
        Self { state, addresses, ready, metrics }
    }

    /// Why the gateway should get no traffic now; `None` if it should.
    fn unready(&self) -> Option<String> {
        let published = self.state.published.borrow();
        if !*self.ready.borrow() {
            return Some("draining".to_owned());
        }
        if published.generation == 0 {
            let mut why = "the configuration has not been read yet".to_owned();
            for (watch, watched) in self.state.watches.states().iter().filter(|(_, watched)| !watched.listed) {
                let trouble = watched.trouble.as_ref().map(|(trouble, _)| format!(": {trouble}")).unwrap_or_default();
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
        let (parts, body) = request.into_parts();
        let local = peer.ip().to_canonical().is_loopback();
        match AdminPage::at(parts.uri.path()) {
            Some(AdminPage::Sessions(operation)) => {
                sessions::answer(&self.state, peer, operation, Request::from_parts(parts, body)).await
            }
            Some(AdminPage::Liveness) => self.show(Some(AdminPage::Liveness), &parts.method),
            // Scrapers come from other machines, and may name the pod or its Service as they like.
            _ if local && host::may_be_web_page(&parts) => {
                let message =
                    "Host must be an IP address or localhost here, so that no web page can ask: name the port so\n";
                text(StatusCode::FORBIDDEN, message.to_owned())
            }
            page => self.show(page, &parts.method),
        }
    }

    /// Answers with a page that every client may read.
    fn show(&self, page: Option<AdminPage>, method: &Method) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n".to_owned());
        }
        match page {
            Some(AdminPage::Liveness) => text(StatusCode::OK, "ok\n".to_owned()),
            Some(AdminPage::Readiness) => match self.unready() {
                None => text(StatusCode::OK, "ok\n".to_owned()),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            Some(AdminPage::Metrics) => {
                let mut out = String::new();
                match prometheus_client::encoding::text::encode(&mut out, &self.metrics) {
                    Ok(()) => with_type(out, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
                    Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
                }
            }
            Some(AdminPage::Config) => {
                match config::dump(&self.state.published.borrow(), &self.addresses.borrow(), &self.state.pools) {
                    Ok(json) => with_type(json, "application/json"),
                    Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
                }
            }
            Some(AdminPage::Sessions(_)) | None => text(
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

/// Opens the admin port. `[::]` stands for every address of the machine, even if the machine has no IPv6.
///
/// # Errors
/// The address can't be bound.
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
                tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
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
