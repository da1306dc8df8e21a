//! The record of one request, written to the access log and counted when it ends.

use std::cell::RefCell;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use super::context::{ActiveRequest, ConnectionContext};
use super::headers::REQUEST_ID;
use super::refusal::REASON_HEADER;
use crate::pool::Pool;
use crate::table::{PoolIndex, Target};

/// Status that is recorded where the client left before it was answered, as nginx has it.
const CLIENT_LEFT_STATUS: u16 = 499;

/// The record of one request. Dropping it writes it: at the end of the answer's body, or when the client has left before that.
pub(in crate::proxy) struct RequestRecord {
    context: Arc<ConnectionContext>,
    /// Counts the request on its connection. `None` once it has become a session, which has records of its own.
    active: Option<ActiveRequest>,
    started: Instant,
    method: Method,
    pub(in crate::proxy) version: Version,
    /// The host, once it has been read.
    pub(in crate::proxy) host: Option<HeaderValue>,
    uri: Uri,
    request_id: Option<HeaderValue>,
    /// The reason of the gateway's own answer.
    reason: Option<HeaderValue>,
    status: Option<StatusCode>,
    /// The route, once it has been found.
    pub(in crate::proxy) target: Option<Arc<Target>>,
    /// The pool of the route that was chosen.
    pub(in crate::proxy) pool: Option<PoolIndex>,
    /// The member that was tried last.
    pub(in crate::proxy) member: Option<SocketAddr>,
    /// Bytes of the answer's body that have been handed to the client.
    pub(in crate::proxy) sent: u64,
}

impl RequestRecord {
    /// The record of a request whose header has just been read.
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

    /// Notes the headers with which the request is forwarded.
    pub(in crate::proxy) fn forwarded(&mut self, headers: &HeaderMap) {
        self.request_id = headers.get(REQUEST_ID).cloned();
    }

    /// Notes the answer, as the client gets it.
    pub(in crate::proxy) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status);
        self.reason = headers.get(REASON_HEADER).cloned();
    }

    /// The pool that was chosen, if one was.
    pub(in crate::proxy) fn pool(&self) -> Option<&Arc<Pool>> {
        self.target.as_ref()?.pool(self.pool?)
    }

    /// Ends the record without writing it, because the request has become a session. Returns its place in the count of the
    /// connection's requests, which the session keeps.
    pub(in crate::proxy) fn become_session(mut self: Box<Self>) -> Option<ActiveRequest> {
        self.active.take()
    }

    /// The host; empty before it has been read.
    pub(in crate::proxy) fn host(&self) -> &str {
        text(&self.host)
    }

    /// The request id; empty before the request is forwarded.
    pub(in crate::proxy) fn request_id(&self) -> &str {
        text(&self.request_id)
    }
}

thread_local! {
    /// Buffers for the names of a route. They are logged as texts, because displayed values are logged without quotes.
    static NAMES: RefCell<[String; 2]> = const { RefCell::new([String::new(), String::new()]) };
}

/// Gives `log` the object that a route was made from (`Ingress default/site`) and the route's identity; both are empty without
/// a route. Nothing is written where the log's filter drops the records.
pub(in crate::proxy) fn with_names(target: Option<&Target>, log: impl FnOnce(&str, &str)) {
    if !tracing::enabled!(target: "access", tracing::Level::INFO) {
        return;
    }
    NAMES.with_borrow_mut(|[object, route]| {
        object.clear();
        route.clear();
        if let Some(target) = target {
            let written = write!(object, "{}", target.owner()).and_then(|()| target.write_id(route));
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
        let status = self.status.map_or(CLIENT_LEFT_STATUS, |status| status.as_u16());
        self.context.state.metrics.answered(self.target.as_ref(), status, seconds);
        if !self.context.state.settings.access_log {
            return;
        }
        let pool = self.pool().map_or("", |pool| &pool.id.0);
        let field = self.target.as_ref().map_or("", |target| &target.route.field);
        let member = self.member.map(|member| member.to_string()).unwrap_or_default();
        let (client, method, version) = (self.context.peer, &self.method, self.version);
        let (host, path, sent) = (self.host(), self.uri.path(), self.sent);
        let (request_id, reason) = (self.request_id(), text(&self.reason));
        with_names(self.target.as_deref(), |object, route| {
            tracing::info!(target: "access", %client, %method, ?version, host, path, status, sent, seconds, object, route, field, pool,
                member, request_id, reason, "request");
        });
    }
}
