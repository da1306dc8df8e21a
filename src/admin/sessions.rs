//! Live sessions: which there are, and the word to some of them to close. For those on this machine alone.

mod command;
mod filter;
mod listed;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;

pub use filter::{Filter, encode};
pub use listed::{Closing, Direction, Listed, Listing};

use super::{Rooms, text, with_type};
use crate::websocket::{CloseWindow, Session};
use command::Command;
use listed::Pods;

/// Largest body that is read.
const MAX_BODY: usize = 64 * 1024;
/// Time in which it must have come.
const BODY_TIME: Duration = Duration::from_secs(10);

/// An answer that is none.
type Refused = (StatusCode, String);

/// Answers `/sessions` and `/sessions/close`.
pub(super) async fn answer(rooms: &Rooms, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let answer = async {
        permit(peer.ip(), &parts)?;
        if parts.uri.path() == "/sessions" { list(rooms, &parts).await } else { close(rooms, body).await }
    };
    match answer.await {
        Ok(json) => with_type(json, "application/json"),
        Err((status, why)) => text(status, format!("{why}\n")),
    }
}

/// Whether the peer may ask this. Who reaches the port from elsewhere may not, nor may a page in the browser of somebody
/// who forwards it.
fn permit(peer: IpAddr, request: &Parts) -> Result<(), Refused> {
    if !peer.to_canonical().is_loopback() {
        return Err((
            StatusCode::FORBIDDEN,
            format!(
                "{} is answered to loopback peers only, and you are {}: use kubectl exec POD -- /steadygate sessions, or \
                 kubectl port-forward",
                request.uri.path(),
                peer.to_canonical()
            ),
        ));
    }
    let hosts: Vec<_> = request.headers.get_all(header::HOST).iter().collect();
    let host = match hosts[..] {
        [host] => host.to_str().ok().and_then(|host| host.parse().ok()),
        _ => None,
    };
    let named: Vec<_> = host.iter().chain(request.uri.authority()).collect();
    if host.is_none() || !named.into_iter().all(is_of_machine) {
        let why =
            "Host must be an IP address or localhost here, so that no web page can ask: name the port so".to_owned();
        return Err((StatusCode::FORBIDDEN, why));
    }
    let (wanted, is_close) = match request.uri.path() {
        "/sessions" => ("GET", false),
        _ => ("POST", true),
    };
    if is_close != (request.method == Method::POST) || !is_close && !is_read(&request.method) {
        let why = format!("{} is answered here to {} only: use {wanted}", request.uri.path(), wanted);
        return Err((StatusCode::METHOD_NOT_ALLOWED, why));
    }
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_json =
        content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if is_close && !is_json {
        let why = format!("Content-Type is {content_type:?}: send application/json");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    Ok(())
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn is_of_machine(authority: &http::uri::Authority) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

async fn list(rooms: &Rooms, parts: &Parts) -> Result<String, Refused> {
    let filter = Filter::of_query(parts.uri.query().unwrap_or_default()).map_err(bad)?;
    chosen(rooms, filter, |sessions, pods| {
        let listed = sessions.iter().map(|session| Listed::of(session, pods)).collect();
        serde_json::to_string(&Listing { sessions: listed }).map_err(|error| failed(&error))
    })
    .await?
}

async fn close(rooms: &Rooms, body: Incoming) -> Result<String, Refused> {
    let body = tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {MAX_BODY} bytes: send less")));
        }
        Ok(Err(error)) => return Err(bad(format!("the body can't be read: {error}"))),
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {BODY_TIME:?}"))),
    };
    let Command { filter, order, over } = Command::read(&body).map_err(bad)?;
    let all = rooms.sessions.clone();
    let count = chosen(rooms, filter.clone(), move |sessions, _| {
        tracing::info!(sessions = sessions.len(), %filter, code = order.code, reason = %order.reason, ?over,
            "closing sessions: asked for at the admin port");
        all.schedule_close(sessions, CloseWindow::over(over), &order);
        sessions.len()
    });
    Ok(json!({ "closing": count.await? }).to_string())
}

/// Does something with the sessions that are meant, on a thread of its own: there may be very many.
async fn chosen<T: Send + 'static>(
    rooms: &Rooms,
    filter: Filter,
    act: impl FnOnce(&[Arc<Session>], &Pods<'_>) -> T + Send + 'static,
) -> Result<T, Refused> {
    let (model, sessions) = (Arc::clone(&rooms.published.borrow().model), rooms.sessions.clone());
    let task = tokio::task::spawn_blocking(move || {
        let pods = Pods::of(&model);
        let mut sessions = sessions.list();
        sessions.retain(|session| filter.matches(&pods.facts(session)));
        act(&sessions, &pods)
    });
    task.await.map_err(|error| failed(&error))
}

fn bad(why: String) -> Refused {
    (StatusCode::BAD_REQUEST, why)
}

fn failed(error: &dyn std::fmt::Display) -> Refused {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of what is refused; 200 where nothing is.
    fn status(peer: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        permit(peer.parse().expect("an address"), &parts).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn who_is_elsewhere_is_refused_whatever_is_asked() {
        for peer in ["10.0.0.7", "::ffff:10.0.0.7", "fd00::1", "0.0.0.0", "169.254.1.1"] {
            assert_eq!(status(peer, "GET", "/sessions", &[("Host", "localhost")]), 403, "{peer}");
        }
        for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(status(peer, "GET", "/sessions", &[("Host", "localhost:9180")]), 200, "{peer}");
        }
    }

    #[test]
    fn a_web_page_can_neither_read_nor_close() {
        const JSON: (&str, &str) = ("Content-Type", "application/json; charset=utf-8");
        for (method, path, headers, expected) in [
            ("GET", "/sessions", &[("Host", "evil.example:9180")][..], 403),
            ("GET", "/sessions", &[], 403),
            ("GET", "/sessions", &[("Host", "localhost"), ("Host", "evil.example")], 403),
            ("GET", "http://evil.example/sessions", &[("Host", "localhost")], 403),
            ("HEAD", "/sessions", &[("Host", "[::1]:9180")], 200),
            ("POST", "/sessions", &[("Host", "localhost"), JSON], 405),
            ("GET", "/sessions/close", &[("Host", "localhost"), JSON], 405),
            ("OPTIONS", "/sessions/close", &[("Host", "localhost"), JSON], 405),
            ("POST", "/sessions/close", &[("Host", "localhost.evil.example"), JSON], 403),
            ("POST", "/sessions/close", &[("Host", "127.0.0.1:9180")], 415),
            ("POST", "/sessions/close", &[("Host", "127.0.0.1:9180"), ("Content-Type", "text/plain")], 415),
            ("POST", "/sessions/close", &[("Host", "127.0.0.1:9180"), JSON], 200),
        ] {
            assert_eq!(status("127.0.0.1", method, path, headers), expected, "{method} {path} {headers:?}");
        }
    }
}
