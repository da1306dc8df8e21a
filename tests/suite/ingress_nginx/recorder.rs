//! A backend that answers what it has seen.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Response, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// A backend on loopback.
pub(super) struct Recorder {
    pub(super) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

/// A request, as the backend saw it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) service: String,
    pub(super) target: String,
    /// Several values of one header, with commas.
    pub(super) headers: BTreeMap<String, String>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recorder {
    pub(super) async fn start(service: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let answer = service_fn(move |request: http::Request<Incoming>| async move {
                    // It answers once it has the whole request.
                    let (parts, body) = request.into_parts();
                    body.collect().await?;
                    Ok::<_, hyper::Error>(answer(service, &parts))
                });
                connections
                    .spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, task }
    }
}

fn answer(service: &str, request: &request::Parts) -> Response<Full<Bytes>> {
    let mut seen = Seen { service: service.to_owned(), target: request.uri.to_string(), headers: BTreeMap::new() };
    for (name, value) in &request.headers {
        let value = value.to_str().unwrap_or_default();
        let values = seen.headers.entry(name.to_string()).or_default();
        *values = if values.is_empty() { value.to_owned() } else { format!("{values}, {value}") };
    }
    let mut response = Response::new(Full::from(serde_json::to_vec(&seen).expect("JSON")));
    // What the answer is to have besides.
    for line in request.headers.get_all("x-answer") {
        let (name, value) = line.to_str().expect("text").split_once(": ").expect("name and value");
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        response.headers_mut().append(name, value.parse().expect("a value"));
    }
    response
}
