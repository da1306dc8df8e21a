//! A backend that answers what it has got: its name and the target, then the headers.

use std::convert::Infallible;
use std::fmt::Write;

use bytes::Bytes;
use http::header::{LOCATION, SERVER};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::loopback_server::LoopbackServer;

/// Starts one. `/path1` redirects as an App Service does that knows only its own host.
pub(super) async fn start(name: &'static str) -> LoopbackServer {
    LoopbackServer::start(move |request| async move { Ok::<_, Infallible>(answer(name, &request)) }).await
}

fn answer(name: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut body = format!("{name} {}\n", request.uri());
    for (name, value) in request.headers() {
        writeln!(body, "{name}: {}", value.to_str().unwrap_or("?")).expect("a text takes it");
    }
    let response = Response::builder().header(SERVER, "Microsoft-IIS/10.0").header("x-powered-by", "ASP.NET");
    let response = match request.uri().path() {
        "/path1" => response.status(StatusCode::FOUND).header(LOCATION, "https://contoso.azurewebsites.net/path2"),
        _ => response,
    };
    response.body(Full::from(body)).expect("a response")
}
