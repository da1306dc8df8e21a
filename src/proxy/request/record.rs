//! The record of one request, written to the access log and counted when it ends.

use std::cell::RefCell;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use super::client_requests::RequestSlot;
use super::context::{ActiveRequest, ConnectionContext};
use super::headers::{ClientFacts, REASON_HEADER, REQUEST_ID};
use crate::model::escape_target;
use crate::pool::Pool;
use crate::proxy::client::client_certificate::ClientCertificate;
use crate::table::{PoolIndex, Target};

/// Status that is recorded where the client left before it was answered, as nginx has it.
const CLIENT_LEFT_STATUS: u16 = 499;

/// Who has broken an answer off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Side {
    Backend,
    Client,
}

/// What could be read of the first line of a request whose header is malformed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) struct RequestLine {
    pub(in crate::proxy) method: Option<Method>,
    pub(in crate::proxy) uri: Option<Uri>,
}

/// The record of one request. Dropping it writes it: at the end of the answer's body, or when the client has left before that.
pub(in crate::proxy) struct RequestRecord {
    context: Arc<ConnectionContext>,
    /// Counts the request on its connection. `None` once it has become a session, which has records of its own.
    active: Option<ActiveRequest>,
    started: Instant,
    /// Who the client is and how it came.
    pub(in crate::proxy) client: ClientFacts,
    /// The frontend port whose routes the request takes.
    pub(in crate::proxy) port: u16,
    pub(in crate::proxy) method: Method,
    pub(in crate::proxy) version: Version,
    /// Bytes of the request's header, once it has been measured.
    pub(in crate::proxy) header_bytes: usize,
    /// The host, once it has been read.
    pub(in crate::proxy) host: Option<HeaderValue>,
    /// `None`: the request's target could not be read.
    uri: Option<Uri>,
    request_id: Option<HeaderValue>,
    /// The reason of the gateway's own answer.
    reason: Option<HeaderValue>,
    /// Who has broken off a member's answer, before its end.
    broken_by: Option<Side>,
    status: Option<StatusCode>,
    /// The route, once it has been found.
    pub(in crate::proxy) target: Option<Arc<Target>>,
    /// The client's certificate, verified as the host of the route asks for it.
    pub(in crate::proxy) client_certificate: Option<Arc<ClientCertificate>>,
    /// The pool of the route that was chosen.
    pub(in crate::proxy) pool: Option<PoolIndex>,
    /// The member that was tried last.
    pub(in crate::proxy) member: Option<SocketAddr>,
    /// When the token ends that has admitted the request, if a session has to end with it.
    pub(in crate::proxy) token_end: Option<tokio::time::Instant>,
    /// Bytes of the answer's body that have been handed to the client.
    pub(in crate::proxy) sent: u64,
}

impl RequestRecord {
    /// The record of a request whose header has just been read.
    pub(in crate::proxy) fn new<B>(context: Arc<ConnectionContext>, request: &http::Request<B>) -> Self {
        let settings = &context.state.settings;
        Self {
            active: Some(ActiveRequest::new(&context.requests)),
            started: Instant::now(),
            client: ClientFacts::read(&context.hop, request.headers(), |peer| settings.trusts(peer)),
            port: context.listener.port,
            context,
            method: request.method().clone(),
            version: request.version(),
            header_bytes: 0,
            host: None,
            uri: Some(request.uri().clone()),
            request_id: None,
            reason: None,
            broken_by: None,
            status: None,
            target: None,
            client_certificate: None,
            pool: None,
            member: None,
            token_end: None,
            sent: 0,
        }
    }

    /// The record of a request whose header could not be read. What could be read of its first line is noted.
    pub(in crate::proxy) fn unread(context: Arc<ConnectionContext>, line: RequestLine) -> Self {
        let mut request = http::Request::new(());
        *request.version_mut() = Version::HTTP_11;
        // What the access logs of the field have in place of what is not known.
        *request.method_mut() = line.method.unwrap_or_else(|| Method::from_bytes(b"-").expect("a token"));
        let mut record = Self::new(context, &request);
        record.uri = line.uri;
        record
    }

    /// Holds a place among the requests of its client until it ends, or until the session ends that it becomes.
    pub(in crate::proxy) fn hold(&mut self, slot: RequestSlot) {
        if let Some(active) = &mut self.active {
            active.slot = Some(slot);
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

    /// Notes that the answer has not come to its end. What was noted first stands.
    pub(in crate::proxy) fn broke_off(&mut self, side: Side) {
        self.broken_by.get_or_insert(side);
    }

    /// Notes that nothing of the answer has gone out, and that the gateway answers by itself instead.
    pub(in crate::proxy) fn is_answered_anew(&mut self) {
        (self.broken_by, self.sent) = (None, 0);
    }

    /// Whether the method is HEAD.
    pub(in crate::proxy) fn is_head(&self) -> bool {
        self.method == Method::HEAD
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
        let (client, method, version) = (self.client.address, &self.method, self.version);
        let path = escape_target(self.uri.as_ref().map_or("", Uri::path));
        let (host, path, sent) = (self.host(), &*path, self.sent);
        let reason = match self.broken_by {
            Some(Side::Backend) => "backend_aborted",
            Some(Side::Client) => "client_aborted",
            None => text(&self.reason),
        };
        let request_id = self.request_id();
        with_names(self.target.as_deref(), |object, route| {
            tracing::info!(target: "access", %client, %method, ?version, host, path, status, sent, seconds, object, route, field, pool,
                member, request_id, reason, "request");
        });
    }
}
