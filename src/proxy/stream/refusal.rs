//! Why a connection of a stream is not served: how its client learns of it, where it is counted, and its record in the access log.

use std::io;

use super::{StreamConnection, StreamRoute};
use crate::model::{Action, Stream, TlsMode};
use crate::pool::NoMember;
use crate::pool::dial::DialError;
use crate::proxy::client::client_hello::ClientHelloError;
use crate::proxy::client::last_bytes::{reset, send_last};
use crate::proxy::request::metrics::RefusedFor;
use crate::proxy::request::record::with_names;
use crate::websocket::{HandshakeOutcome, Rejected, TotalsKey};

// Descriptions of alerts (RFC 8446 section 6).
const DECODE_ERROR: u8 = 50;
const INTERNAL_ERROR: u8 = 80;
const UNRECOGNIZED_NAME: u8 = 112;

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamRefusal {
    /// The client has left before it was known what it wants.
    #[error("{0}")]
    ClientLeft(io::Error),
    /// There is no ClientHello that can be read.
    #[error("{0}")]
    ClientHello(ClientHelloError),
    /// The ClientHello has not come in time.
    #[error("no ClientHello came in time")]
    SilentClient,
    /// No host of the listener has the server name.
    #[error("no listener of this port is for the server name {0:?}")]
    UnknownServerName(String),
    /// The rule is broken. Contains the reason of the report on its object.
    #[error("the rule can't serve: {0}")]
    Unavailable(&'static str),
    /// No rule leads anywhere.
    #[error("no rule of the listener leads to a pool")]
    NoRule,
    /// The pool is not configured.
    #[error("the pool of the rule is not configured")]
    NoPool,
    /// A limit of sessions is reached.
    #[error("{0}")]
    Rejected(#[from] Rejected),
    /// The TLS handshake with the client failed.
    #[error("the TLS handshake failed: {0}")]
    TlsFailed(io::Error),
    /// No member can take it.
    #[error("{0}")]
    NoMember(NoMember),
    /// No member could be connected to.
    #[error("{0}")]
    Unreachable(DialError),
}

impl From<ClientHelloError> for StreamRefusal {
    fn from(error: ClientHelloError) -> Self {
        match error {
            ClientHelloError::Connection(error) => Self::ClientLeft(error),
            error => Self::ClientHello(error),
        }
    }
}

/// Where a refusal is counted.
enum Counted {
    /// Among the clients that are refused for what they are.
    Client(RefusedFor),
    /// Among the connections of the route's object.
    Route(HandshakeOutcome),
}

impl StreamRefusal {
    /// `None`: it is nobody's fault.
    fn counted(&self) -> Option<Counted> {
        Some(match self {
            Self::ClientLeft(_) => return None,
            Self::ClientHello(_) | Self::SilentClient => Counted::Client(RefusedFor::ClientHello),
            Self::UnknownServerName(_) => Counted::Client(RefusedFor::ServerName),
            Self::Unavailable(_) | Self::NoRule | Self::NoPool => Counted::Route(HandshakeOutcome::Unavailable),
            Self::Rejected(rejected) => Counted::Route(rejected.outcome()),
            Self::TlsFailed(_) => Counted::Route(HandshakeOutcome::TlsFailed),
            Self::NoMember(_) | Self::Unreachable(_) => Counted::Route(HandshakeOutcome::BackendFailed),
        })
    }

    /// The description of the alert by which a client of TLS learns of it. `None`: there is nobody to send it to, or another has been sent.
    fn alert(&self, mode: Option<TlsMode>) -> Option<u8> {
        match self {
            Self::ClientLeft(_) | Self::SilentClient | Self::TlsFailed(_) => None,
            Self::ClientHello(_) => Some(DECODE_ERROR),
            Self::UnknownServerName(_) => Some(UNRECOGNIZED_NAME),
            Self::Unavailable(_) | Self::NoRule | Self::NoPool | Self::Rejected(_) => Some(INTERNAL_ERROR),
            // The handshake is over, where the gateway takes part in it.
            Self::NoMember(_) | Self::Unreachable(_) => (mode == Some(TlsMode::Passthrough)).then_some(INTERNAL_ERROR),
        }
    }
}

/// Ends a connection that is not served. `route`: the route that it has, once that is known.
pub(super) async fn refuse(connection: StreamConnection, route: Option<&StreamRoute>, refused: StreamRefusal) {
    let StreamConnection { state, listener, tcp, is_tls, client, slot: _slot, alive: _alive } = connection;
    let stream = route.and_then(|route| match &route.target.route.action {
        Action::Stream(stream) => Some(&**stream),
        _ => None,
    });
    let protocol = stream.map_or(if is_tls { "tls" } else { "tcp" }, Stream::protocol);
    let outcome = match refused.counted() {
        None => "client_left",
        Some(Counted::Client(cause)) => {
            state.metrics.client_refused(cause);
            cause.name()
        }
        Some(Counted::Route(outcome)) => {
            if let Some(route) = route {
                state.sessions.refused(route.target.owner(), TotalsKey::Stream(protocol), outcome);
            }
            outcome.name()
        }
    };
    if state.settings.access_log {
        let (port, host) = (listener.port, route.map(|route| route.host.as_str()));
        with_names(route.map(|route| &*route.target), |object, route| {
            tracing::info!(target: "access", %client, port, protocol, host, object, route, outcome, detail = %refused,
                "stream refused");
        });
    }
    match refused.alert(stream.and_then(|stream| stream.tls)).filter(|_| is_tls) {
        // A fatal alert in a record of its own.
        Some(description) => send_last(tcp, &[21, 3, 3, 0, 2, 2, description]).await,
        None => reset(tcp),
    }
}
