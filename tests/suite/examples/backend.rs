//! A backend that answers what it has got: its name and the target, then the headers.

use std::convert::Infallible;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

use http::header::{LOCATION, SERVER};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A backend on loopback. `/path1` redirects as an App Service does that knows only its own host.
pub(super) struct EchoBackend {
    pub(super) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for EchoBackend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl EchoBackend {
    pub(super) async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let service = service_fn(move |request| async move { Ok::<_, Infallible>(answer(name, &request)) });
                connections
                    .spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, task }
    }
}

fn answer(name: &str, request: &Request<Incoming>) -> Response<String> {
    let mut body = format!("{name} {}\n", request.uri());
    for (name, value) in request.headers() {
        writeln!(body, "{name}: {}", value.to_str().unwrap_or("?")).expect("a text takes it");
    }
    let response = Response::builder().header(SERVER, "Microsoft-IIS/10.0").header("x-powered-by", "ASP.NET");
    let response = match request.uri().path() {
        "/path1" => response.status(StatusCode::FOUND).header(LOCATION, "https://contoso.azurewebsites.net/path2"),
        _ => response,
    };
    response.body(body).expect("a response")
}
