//! A client's WebSocket handshake: read, admitted, and counted by its outcome.

use std::net::IpAddr;
use std::sync::Arc;

use http::{StatusCode, header, request};
use hyper::upgrade::OnUpgrade;

use super::extended_connect;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::target::RequestTarget;
use crate::table::Target;
use crate::websocket::{Handshake, HandshakeOutcome, Permit, Sessions};

/// A handshake that has been admitted: what the session needs besides its streams.
pub(in crate::proxy) struct SessionRequest {
    pub(super) handshake: Handshake,
    pub(super) client: OnUpgrade,
    pub(super) attempt: HandshakeAttempt,
    pub(super) permit: Permit,
    pub(super) client_address: IpAddr,
    /// The frontend port.
    pub(super) port: u16,
    /// The path in its normal form.
    pub(super) path: String,
    pub(super) user_agent: String,
    /// Whether the handshake is an extended CONNECT.
    pub(super) is_extended_connect: bool,
}

/// What a member's answer means for a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum HandshakeAnswer {
    /// 101: the session may be opened, if the headers fit the request.
    Accepted,
    /// A 2xx other than 101, to an extended CONNECT: handed on, it would tell the client that the session is open (RFC 8441
    /// section 5).
    FalselyAccepted,
    /// Any other answer, which is handed on.
    Refused,
}

/// Counts an admitted handshake by its outcome, when it is dropped: as abandoned, if none has been set.
pub(super) struct HandshakeAttempt {
    sessions: Sessions,
    target: Arc<Target>,
    /// `None` for an open session, which is counted by itself.
    outcome: Option<HandshakeOutcome>,
}

impl SessionRequest {
    /// Reads the handshake of a request, if it is one, and asks for a place among the sessions. An extended CONNECT is
    /// turned into a handshake of HTTP/1.1.
    ///
    /// # Errors
    /// The handshake is malformed, or beyond a limit.
    pub(in crate::proxy) fn read(
        context: &ConnectionContext,
        parts: &mut request::Parts,
        has_body: bool,
        target: &RequestTarget,
        record: &RequestRecord,
    ) -> Result<Option<Self>, Refusal> {
        let sessions = &context.state.sessions;
        let is_extended_connect = target.is_extended_connect;
        let read = if is_extended_connect {
            extended_connect::into_handshake(parts).map(Some)
        } else {
            Handshake::read(&parts.method, parts.version, &parts.headers, has_body)
        };
        let Some(route) = &record.target else { return Ok(None) };
        let read = read.map_err(|fault| {
            sessions.refused(route.owner(), HandshakeOutcome::Malformed);
            Refusal::handshake(fault, is_extended_connect)
        });
        let Some(handshake) = read? else { return Ok(None) };
        let Some(client) = parts.extensions.remove::<OnUpgrade>() else { return Ok(None) };
        let settings = &context.state.settings;
        let client_address = headers::client_address(&parts.headers, context.peer, |peer| settings.trusts(peer));
        let permit = sessions.admit(route, client_address).map_err(|rejected| {
            sessions.refused(route.owner(), rejected.outcome());
            Refusal::rejected(rejected)
        })?;
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Some(Self {
            handshake,
            client,
            is_extended_connect,
            attempt: HandshakeAttempt::new(sessions.clone(), Arc::clone(route)),
            permit,
            client_address,
            port: context.listener.port,
            path: target.path().to_owned(),
            user_agent: user_agent.unwrap_or_default().to_owned(),
        }))
    }

    /// What an answer with this status means for the handshake.
    pub(in crate::proxy) fn judge(&self, status: StatusCode) -> HandshakeAnswer {
        match status {
            StatusCode::SWITCHING_PROTOCOLS => HandshakeAnswer::Accepted,
            status if self.is_extended_connect && status.is_success() => HandshakeAnswer::FalselyAccepted,
            _ => HandshakeAnswer::Refused,
        }
    }

    /// Ends the handshake without a session.
    pub(in crate::proxy) fn fail(mut self, outcome: HandshakeOutcome) {
        self.attempt.outcome = Some(outcome);
    }
}

impl HandshakeAttempt {
    fn new(sessions: Sessions, target: Arc<Target>) -> Self {
        Self { sessions, target, outcome: Some(HandshakeOutcome::Abandoned) }
    }

    /// Counts nothing, because the session is open and has been counted.
    pub(super) fn opened(mut self) {
        self.outcome = None;
    }
}

impl Drop for HandshakeAttempt {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome {
            self.sessions.refused(self.target.owner(), outcome);
        }
    }
}
