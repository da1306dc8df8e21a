//! Live sessions at the admin port: listing them, and closing some of them. For clients on this machine alone.

mod close_command;
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
pub use listed::{ListedClose, ListedCounters, ListedSession, Listing};

use super::host;
use super::state::AdminState;
use super::{text, with_type};
use crate::websocket::{CloseWindow, Session};
use close_command::CloseCommand;
use listed::PodsByAddress;

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Time in which the whole body has to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// An operation on the live sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionOperation {
    /// `GET`: the sessions that a filter in the query matches.
    List,
    /// `POST`: closes the sessions that a filter in the body matches.
    Close,
}

/// The error that a request is answered with.
#[derive(Debug)]
struct RequestError {
    status: StatusCode,
    /// What is wrong and what to do, without a full stop.
    message: String,
}

impl SessionOperation {
    /// The method to use.
    fn method(self) -> Method {
        match self {
            Self::List => Method::GET,
            Self::Close => Method::POST,
        }
    }

    fn accepts(self, method: &Method) -> bool {
        *method == self.method() || self == Self::List && *method == Method::HEAD
    }
}

/// Answers a request for an operation on sessions.
pub(super) async fn answer(
    state: &AdminState,
    peer: SocketAddr,
    operation: SessionOperation,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let answer = async {
        permit(peer.ip(), operation, &parts)?;
        match operation {
            SessionOperation::List => list(state, &parts).await,
            SessionOperation::Close => close(state, body).await,
        }
    };
    match answer.await {
        Ok(json) => with_type(json, "application/json"),
        Err(RequestError { status, message }) => text(status, format!("{message}\n")),
    }
}

/// Checks whether the peer may ask for this. A client that reaches the port from another machine may not, nor may a web page in the
/// browser of somebody who forwards the port.
fn permit(peer: IpAddr, operation: SessionOperation, request: &Parts) -> Result<(), RequestError> {
    let error = |status, message| Err(RequestError { status, message });
    let path = request.uri.path();
    if !peer.to_canonical().is_loopback() {
        let message = format!(
            "{path} is answered to loopback peers only, and you are {}: use kubectl exec POD -- /steadygate sessions, or \
             kubectl port-forward",
            peer.to_canonical()
        );
        return error(StatusCode::FORBIDDEN, message);
    }
    if !host::names_machine(request) {
        let message = "Host must be an IP address or localhost here, so that no web page can ask: name the port so";
        return error(StatusCode::FORBIDDEN, message.to_owned());
    }
    if !operation.accepts(&request.method) {
        let method = operation.method();
        let message = format!("{path} is answered here to {method} only: use {method}");
        return error(StatusCode::METHOD_NOT_ALLOWED, message);
    }
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_json =
        content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if operation == SessionOperation::Close && !is_json {
        let message = format!("Content-Type is {content_type:?}: send application/json");
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    Ok(())
}

async fn list(state: &AdminState, parts: &Parts) -> Result<String, RequestError> {
    let filter = Filter::of_query(parts.uri.query().unwrap_or_default()).map_err(bad_request)?;
    with_matching(state, filter, |sessions, pods| {
        let listed = sessions.iter().map(|session| ListedSession::of(session, pods)).collect();
        serde_json::to_string(&Listing { sessions: listed }).map_err(|error| internal_error(&error))
    })
    .await?
}

async fn close(state: &AdminState, body: Incoming) -> Result<String, RequestError> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("the body has more than {MAX_BODY_BYTES} bytes: send less");
            return Err(RequestError { status: StatusCode::PAYLOAD_TOO_LARGE, message });
        }
        Ok(Err(error)) => return Err(bad_request(format!("the body can't be read: {error}"))),
        Err(_) => {
            let message = format!("the body did not come within {BODY_TIMEOUT:?}");
            return Err(RequestError { status: StatusCode::REQUEST_TIMEOUT, message });
        }
    };
    let CloseCommand { filter, order, over } = CloseCommand::read(&body).map_err(bad_request)?;
    let all = state.sessions.clone();
    let count = with_matching(state, filter.clone(), move |sessions, _| {
        tracing::info!(sessions = sessions.len(), %filter, code = order.code, reason = %order.reason, ?over,
            "closing sessions: asked for at the admin port");
        all.schedule_close(sessions, CloseWindow::over(over), &order);
        sessions.len()
    });
    Ok(json!({ "closing": count.await? }).to_string())
}

/// Calls `act` with the sessions that the filter matches, on a thread for blocking work: there may be very many.
async fn with_matching<T: Send + 'static>(
    state: &AdminState,
    filter: Filter,
    act: impl FnOnce(&[Arc<Session>], &PodsByAddress<'_>) -> T + Send + 'static,
) -> Result<T, RequestError> {
    let (model, sessions) = (Arc::clone(&state.published.borrow().model), state.sessions.clone());
    let task = tokio::task::spawn_blocking(move || {
        let pods = PodsByAddress::of(&model);
        let mut sessions = sessions.list();
        sessions.retain(|session| filter.matches(&pods.facts(session)));
        act(&sessions, &pods)
    });
    task.await.map_err(|error| internal_error(&error))
}

fn bad_request(message: String) -> RequestError {
    RequestError { status: StatusCode::BAD_REQUEST, message }
}

fn internal_error(error: &dyn std::fmt::Display) -> RequestError {
    RequestError { status: StatusCode::INTERNAL_SERVER_ERROR, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::AdminPage;

    /// The status of the error that a request is answered with; 200 for none.
    fn status(peer: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let Some(AdminPage::Sessions(operation)) = AdminPage::at(parts.uri.path()) else {
            panic!("no sessions: {path}")
        };
        let permitted = permit(peer.parse().expect("an address"), operation, &parts);
        permitted.map_or_else(|error| error.status.as_u16(), |()| 200)
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
