//! A backend that answers what it has seen.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use crate::loopback_server::LoopbackServer;

/// A request, as the backend saw it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) service: String,
    pub(super) target: String,
    /// Several values of one header, with commas.
    pub(super) headers: BTreeMap<String, String>,
}

/// Starts a backend, by the name of its Service. It answers once it has the whole request.
pub(super) async fn start(service: &'static str) -> LoopbackServer {
    LoopbackServer::start(move |request: Request<Incoming>| async move {
        let (parts, body) = request.into_parts();
        body.collect().await?;
        Ok::<_, hyper::Error>(answer(service, &parts))
    })
    .await
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
