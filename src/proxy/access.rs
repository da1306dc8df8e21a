//! One record of each request and session, written when it ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode, Version};

use super::Shared;
use super::context::Active;
use super::headers::REQUEST_ID;
use super::refusal::REASON;
use crate::table::Target;
use crate::websocket::End;

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
    session: Option<End>,
    pub(super) target: Option<Arc<Target>>,
    pub(super) member: Option<SocketAddr>,
    /// Bytes of the answer's body handed to the client.
    pub(super) sent: u64,
    _active: Active,
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
            session: None,
            target: None,
            member: None,
            sent: 0,
            _active: active,
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

    /// The request became a session, which has ended.
    pub(super) fn ended(mut self, end: End) {
        self.shared.metrics.ended(self.route(), end.cause.name());
        self.session = Some(end);
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
        if self.session.is_none() {
            self.shared.metrics.answered(self.route(), status, seconds);
        }
        if !self.shared.settings.access_log {
            return;
        }
        let pool = self.target.as_ref().and_then(|target| target.pool.as_ref()).map_or("", |pool| &pool.id.0);
        let rule = self.target.as_ref().map_or("", |target| &target.route.field);
        let member = self.member.map(|member| member.to_string()).unwrap_or_default();
        let (client, method, version, host, path) = (self.client, &self.method, self.version, &self.host, &self.path);
        let (request_id, reason, route) = (&self.request_id, &self.reason, self.route());
        match &self.session {
            None => tracing::info!(target: "access", %client, %method, ?version, host, path, status, sent = self.sent,
                seconds, route, rule, pool, member, request_id, reason, "request"),
            Some(end) => tracing::info!(target: "access", %client, host, path, seconds, route, rule, pool, member,
                request_id, cause = end.cause.name(), detail = end.cause.detail(), bytes_up = end.bytes_up,
                bytes_down = end.bytes_down, "session"),
        }
    }
}
