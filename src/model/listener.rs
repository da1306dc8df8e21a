//! Listeners, the hosts behind them, and the routes of each host.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;
use serde::Serialize;

use super::{Affinity, CertificateId, HostPattern, ObjectRef, PoolId, RouteMatch, WebSocket};

/// What is served on one frontend port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Routes by host, in the order of a map's keys. The precedence among hosts is [`HostPattern::precedence`].
    pub hosts: OrdMap<HostPattern, Arc<Host>>,
    /// Certificate for TLS clients whose server name no host's certificate fits, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_certificate: Option<CertificateId>,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Protocol {
    /// HTTP/1.1 in clear text, and WebSocket (`ws`).
    Http,
    /// TLS with HTTP/2 and HTTP/1.1 by ALPN, and WebSocket (`wss`).
    Https,
}

/// One host of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Certificate for this host; `None` on a clear-text listener, or where the listener's default
    /// is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateId>,
    /// Routes in the order of their precedence ([`RouteMatch::precedence`]), patterns as they are listed.
    pub routes: Vec<Arc<Route>>,
}

/// What is done with the requests of one host and path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Readable identity: the field that made it, such as
    /// `spec.rules[0].http.paths[1]`; with the owner it is unique.
    pub field: Arc<str>,
    /// The object that made it.
    pub owner: Arc<ObjectRef>,
    /// Which requests.
    #[serde(flatten)]
    pub matches: RouteMatch,
    /// What to do.
    pub action: Action,
}

/// What a route does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Action {
    /// Hand it to a member of a pool; WebSocket handshakes too.
    Forward(Backend),
    /// Answer with a redirect.
    Redirect(Redirect),
    /// The rule is broken: answer 503 and say why, rather than let a wider rule take its requests.
    Unavailable(Unavailable),
    /// Nothing is meant to be there: answer 404, rather than let a wider host take its requests.
    NotFound,
}

/// A route that can't serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unavailable {
    /// Why, in the words of the report on the owner: `ServiceNotFound`.
    pub reason: &'static str,
}

/// Where and how a request is handed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backend {
    /// The pool.
    pub pool: PoolId,
    /// How. Shared with other backends of the same.
    #[serde(flatten)]
    pub options: Arc<ForwardOptions>,
}

impl Deref for Backend {
    type Target = ForwardOptions;

    fn deref(&self) -> &ForwardOptions {
        &self.options
    }
}

/// How a request is handed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForwardOptions {
    /// `Host` that the backend sees.
    pub host: HostHeader,
    /// How the path changes.
    pub rewrite: Option<PathRewrite>,
    /// Time for the answer's header, and the longest silence within the body. It bounds a WebSocket's handshake too.
    pub request_timeout: Duration,
    /// For WebSocket sessions.
    pub websocket: Arc<WebSocket>,
    /// Clients come back to their member; `None`: each request goes anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Arc<Affinity>>,
}

/// `Host` of a forwarded request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum HostHeader {
    /// As the client sent it.
    Preserve,
    /// This one.
    Set(String),
    /// The member's own name or address (`pickHostNameFromBackendAddress`).
    Member,
}

/// The start of a path replaced (ARM `backendHttpSettings.path`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathRewrite {
    /// What is taken off the front, without case: `/pathrule`; empty: nothing.
    pub strip: String,
    /// What is put there: `/override/`.
    pub prepend: String,
}

/// A redirect to HTTPS on the same host, path and query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redirect {
    /// 301 or 308.
    pub status: u16,
    /// Frontend port of the HTTPS listener.
    pub port: u16,
}
