//! One record of each request and session, written when it ends.

use std::cell::RefCell;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use super::context::{ActiveRequest, ConnectionContext};
use super::headers::REQUEST_ID;
use super::refusal::REASON;
use crate::pool::Pool;
use crate::proxy::session::upgrade::SessionRequest;
use crate::table::{PoolIndex, Target};
use crate::websocket::{End, HandshakeTexts, Session, SessionInfo};

/// What is known of a request so far. Dropping it writes it down: at the end of the answer's body, or where the
/// client has gone before that.
pub(in crate::proxy) struct RequestRecord {
    context: Arc<ConnectionContext>,
    /// `None` once it has become a session, which is written down for itself.
    active: Option<ActiveRequest>,
    started: Instant,
    method: Method,
    pub(in crate::proxy) version: Version,
    /// Once it is known.
    pub(in crate::proxy) host: Option<HeaderValue>,
    uri: Uri,
    request_id: Option<HeaderValue>,
    /// Why the gateway answered by itself, if it did.
    reason: Option<HeaderValue>,
    status: Option<StatusCode>,
    pub(in crate::proxy) target: Option<Arc<Target>>,
    /// Which pool of the target was chosen, if one was.
    pub(in crate::proxy) pool: Option<PoolIndex>,
    pub(in crate::proxy) member: Option<SocketAddr>,
    /// Bytes of the answer's body handed to the client.
    pub(in crate::proxy) sent: u64,
}

impl RequestRecord {
    pub(in crate::proxy) fn new<B>(context: Arc<ConnectionContext>, request: &http::Request<B>) -> Self {
        Self {
            active: Some(ActiveRequest::new(&context.requests)),
            context,
            started: Instant::now(),
            method: request.method().clone(),
            version: request.version(),
            host: None,
            uri: request.uri().clone(),
            request_id: None,
            reason: None,
            status: None,
            target: None,
            pool: None,
            member: None,
            sent: 0,
        }
    }

    pub(in crate::proxy) fn forwarded(&mut self, headers: &HeaderMap) {
        self.request_id = headers.get(REQUEST_ID).cloned();
    }

    pub(in crate::proxy) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        self.reason = headers.get(REASON).cloned();
    }

    /// The pool that was chosen, if one was.
    pub(in crate::proxy) fn pool(&self) -> Option<&Arc<Pool>> {
        self.target.as_ref()?.pool(self.pool?)
    }

    /// The request has become a session by its target, which is written down for itself. Gives what has been noted.
    pub(in crate::proxy) fn becomes_session(
        &mut self,
        target: Arc<Target>,
        pool: Arc<Pool>,
        opening: &SessionRequest,
        subprotocol: &str,
    ) -> (SessionInfo, Option<ActiveRequest>) {
        let handshake = HandshakeTexts::new(
            text(&self.host),
            &opening.path,
            &opening.user_agent,
            subprotocol,
            text(&self.request_id),
        );
        let (port, client) = (opening.port, opening.client_address);
        (SessionInfo { target, pool, port, client, version: self.version, handshake }, self.active.take())
    }
}

thread_local! {
    /// Buffers for the names of a route. They are logged as texts, since values that are displayed are logged without quotes.
    static NAMES: RefCell<[String; 2]> = const { RefCell::new([String::new(), String::new()]) };
}

/// Gives `log` the object that a route was made from (`Ingress default/site`) and the route's identity; both are empty without
/// a route.
fn with_names(target: Option<&Target>, log: impl FnOnce(&str, &str)) {
    NAMES.with_borrow_mut(|[object, route]| {
        object.clear();
        route.clear();
        if let Some(target) = target {
            let written = write!(object, "{}", target.owner()).and_then(|()| write!(route, "{}", target.id()));
            debug_assert!(written.is_ok(), "a String takes every text");
        }
        log(object, route);
    });
}

fn text(value: &Option<HeaderValue>) -> &str {
    value.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default()
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if self.active.is_none() {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f64();
        // 499, as nginx has it: the client left before an answer.
        let status = self.status.map_or(499, |status| status.as_u16());
        self.context.state.metrics.answered(self.target.as_ref(), status, seconds);
        if !self.context.state.settings.access_log {
            return;
        }
        let pool = self.pool().map_or("", |pool| &pool.id.0);
        let field = self.target.as_ref().map_or("", |target| &target.route.field);
        let member = self.member.map(|member| member.to_string()).unwrap_or_default();
        let (client, method, version) = (self.context.peer, &self.method, self.version);
        let (host, path, sent) = (text(&self.host), self.uri.path(), self.sent);
        let (request_id, reason) = (text(&self.request_id), text(&self.reason));
        with_names(self.target.as_deref(), |object, route| {
            tracing::info!(target: "access", %client, %method, ?version, host, path, status, sent, seconds, object, route, field, pool,
                member, request_id, reason, "request");
        });
    }
}

/// Writes down that a session has been opened.
pub(in crate::proxy) fn session_opened(session: &Session) {
    let SessionInfo { client, version, handshake, target, .. } = &session.info;
    let (host, path, user_agent) = (handshake.host(), handshake.path(), handshake.user_agent());
    with_names(Some(target), |object, route| {
        tracing::info!(target: "access", session = session.id, %client, ?version, host, path, user_agent,
            subprotocol = handshake.subprotocol(), object, route, field = &*target.route.field, pool = session.pool(),
            member = %session.member(), request_id = handshake.request_id(), "session opened");
    });
}

/// Writes down how a session ended.
pub(in crate::proxy) fn session_closed(session: &Session, end: &End) {
    let SessionInfo { client, handshake, target, .. } = &session.info;
    let (host, path, seconds) = (handshake.host(), handshake.path(), session.opened.elapsed().as_secs_f64());
    let (up, down) = (session.up.values(), session.down.values());
    with_names(Some(target), |object, route| {
        tracing::info!(target: "access", session = session.id, %client, host, path, seconds, object, route,
            field = &*target.route.field, pool = session.pool(), member = %session.member(), request_id = handshake.request_id(),
            cause = end.name(), initiator = end.initiator(), code = end.code, detail = end.detail(),
            messages_up = up.messages(), messages_down = down.messages(), bytes_up = up.bytes, bytes_down = down.bytes,
            "session closed");
    });
}
