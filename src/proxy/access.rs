//! One record of each request and session, written when it ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode, Version};

use super::Shared;
use super::context::Active;
use super::headers::REQUEST_ID;
use super::refusal::REASON;
use super::upgrade::Opening;
use crate::table::Target;
use crate::websocket::{About, End, Said, Session};

/// What is known of a request so far. Dropping it writes it down: at the end of the answer's body, or where the
/// client has gone before that.
#[derive(Debug)]
pub(super) struct Record {
    shared: Arc<Shared>,
    started: Instant,
    client: IpAddr,
    method: Method,
    pub(super) version: Version,
    host: String,
    path: String,
    request_id: String,
    /// Why the gateway answered by itself, if it did.
    reason: String,
    status: Option<StatusCode>,
    /// Whether it became a session, which is written down for itself.
    is_session: bool,
    pub(super) target: Option<Arc<Target>>,
    pub(super) member: Option<SocketAddr>,
    /// Bytes of the answer's body handed to the client.
    pub(super) sent: u64,
    active: Option<Active>,
}

impl Record {
    pub(super) fn new(shared: &Arc<Shared>, client: IpAddr, request: &http::request::Parts, active: Active) -> Self {
        Self {
            shared: Arc::clone(shared),
            started: Instant::now(),
            client,
            method: request.method.clone(),
            version: request.version,
            host: String::new(),
            path: request.uri.path().to_owned(),
            request_id: String::new(),
            reason: String::new(),
            status: None,
            is_session: false,
            target: None,
            member: None,
            sent: 0,
            active: Some(active),
        }
    }

    pub(super) fn asked(&mut self, host: &str) {
        host.clone_into(&mut self.host);
    }

    pub(super) fn forwarded(&mut self, headers: &HeaderMap) {
        self.request_id = text(headers, &REQUEST_ID);
    }

    pub(super) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        self.reason = text(headers, &REASON);
    }

    /// The request has become a session by its target, which is written down for itself. Gives what has been noted.
    pub(super) fn becomes_session(
        &mut self,
        target: Arc<Target>,
        opening: &Opening,
        subprotocol: &str,
    ) -> (About, Option<Active>) {
        self.is_session = true;
        let said = Said::new(&self.host, &opening.path, &opening.user_agent, subprotocol, &self.request_id);
        let (port, client) = (opening.port, opening.client_address);
        (About { target, port, client, version: self.version, said }, self.active.take())
    }

    /// The object whose route was taken; empty for none.
    pub(super) fn route(&self) -> &str {
        self.target.as_ref().map_or("", |target| &target.name)
    }
}

fn text(headers: &HeaderMap, name: &http::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

impl Drop for Record {
    fn drop(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        // 499, as nginx has it: the client left before an answer.
        let status = self.status.map_or(499, |status| status.as_u16());
        if self.is_session {
            return;
        }
        self.shared.metrics.answered(self.route(), status, seconds);
        if !self.shared.settings.access_log {
            return;
        }
        let pool = self.target.as_ref().and_then(|target| target.pool.as_ref()).map_or("", |pool| &pool.id.0);
        let rule = self.target.as_ref().map_or("", |target| &target.route.field);
        let member = self.member.map(|member| member.to_string()).unwrap_or_default();
        let (client, method, version, host, path) = (self.client, &self.method, self.version, &self.host, &self.path);
        let (request_id, reason, route) = (&self.request_id, &self.reason, self.route());
        tracing::info!(target: "access", %client, %method, ?version, host, path, status, sent = self.sent, seconds, route,
            rule, pool, member, request_id, reason, "request");
    }
}

/// Writes down that a session has been opened.
pub(super) fn session_opened(session: &Session) {
    let About { client, version, said, target, .. } = &session.about;
    let (host, path, user_agent) = (said.host(), said.path(), said.user_agent());
    tracing::info!(target: "access", session = session.id, %client, ?version, host, path, user_agent,
        subprotocol = said.subprotocol(), route = session.route(), rule = &*target.route.field, pool = session.pool(),
        member = %session.member(), request_id = said.request_id(), "session opened");
}

/// Writes down how a session ended.
pub(super) fn session_closed(session: &Session, end: &End) {
    let About { client, said, target, .. } = &session.about;
    let (host, path, seconds) = (said.host(), said.path(), session.opened.elapsed().as_secs_f64());
    let (up, down) = (session.up.seen(), session.down.seen());
    tracing::info!(target: "access", session = session.id, %client, host, path, seconds, route = session.route(),
        rule = &*target.route.field, pool = session.pool(), member = %session.member(), request_id = said.request_id(),
        cause = end.name(), initiator = end.initiator(), code = end.code, detail = end.detail(),
        messages_up = up.messages(), messages_down = down.messages(), bytes_up = up.bytes, bytes_down = down.bytes,
        "session closed");
}
