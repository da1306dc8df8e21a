//! A client's handshake, for WebSocket or another protocol: read, admitted, and counted by its outcome.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::{StatusCode, request};
use http_body::Body;

use super::extended_connect;
use super::peer::ClientUpgrade;
use crate::model::{Action, ForwardOptions};
use crate::proxy::client::body::ClientBody;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::target::RequestTarget;
use crate::table::Target;
use crate::websocket::{Handshake, HandshakeOutcome, Permit, SessionProtocol, Sessions, TotalsKey, Upgrade};

/// A handshake that has been admitted: what the session needs besides its streams.
pub(in crate::proxy) struct SessionRequest {
    handshake: Opening,
    pub(super) client: ClientUpgrade,
    pub(super) attempt: HandshakeAttempt,
    pub(super) permit: Permit,
    pub(super) client_address: IpAddr,
    /// The frontend port whose route the session has.
    pub(super) port: u16,
    /// The path in its normal form.
    pub(super) path: String,
    pub(super) user_agent: String,
    /// Whether the handshake is an extended CONNECT.
    pub(super) is_extended_connect: bool,
}

/// What a request asks for.
enum Opening {
    WebSocket(Handshake),
    Upgrade(Upgrade),
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

/// Counts a request that the policies of its route do not admit, if it is a handshake.
pub(in crate::proxy) fn count_denied(
    context: &ConnectionContext,
    parts: &request::Parts,
    requested: &RequestTarget,
    target: &Target,
) {
    let is_websocket = || !matches!(Handshake::read(&parts.method, parts.version, &parts.headers, false), Ok(None));
    let upgrade = || {
        let Action::Forward(forward) = &target.route.action else { return None };
        let allowed = forward.upgrade_protocols.as_deref()?;
        Some(allowed.label(Upgrade::read(parts.version, &parts.headers, allowed)?.first()))
    };
    let key = match requested.is_extended_connect || is_websocket() {
        true => TotalsKey::WebSocket,
        false => match upgrade() {
            Some(protocol) => totals_key(Some(protocol)),
            None => return,
        },
    };
    context.state.sessions.refused(target.owner(), key, HandshakeOutcome::Denied);
}

/// Counts an admitted handshake by its outcome, when it is dropped: as abandoned, if none has been set.
pub(super) struct HandshakeAttempt {
    sessions: Sessions,
    target: Arc<Target>,
    /// The label of the protocol; `None` for WebSocket.
    protocol: Option<Box<str>>,
    /// `None` for an open session, which is counted by itself.
    outcome: Option<HandshakeOutcome>,
}

impl SessionRequest {
    /// Reads the handshake of a request, if it is one, and asks for a place among the sessions. An extended CONNECT is
    /// turned into a handshake of HTTP/1.1. Where the route allows other protocols than WebSocket, a request for one of these is a
    /// handshake too.
    ///
    /// # Errors
    /// The handshake is malformed, or beyond a limit.
    pub(in crate::proxy) fn read(
        context: &ConnectionContext,
        parts: &mut request::Parts,
        body: &mut ClientBody,
        target: &RequestTarget,
        options: &ForwardOptions,
        record: &RequestRecord,
    ) -> Result<Option<Self>, Refusal> {
        let sessions = &context.state.sessions;
        let is_extended_connect = target.is_extended_connect;
        let read = if is_extended_connect {
            extended_connect::into_handshake(parts).map(Some)
        } else {
            Handshake::read(&parts.method, parts.version, &parts.headers, !body.is_end_stream())
        };
        let Some(route) = &record.target else { return Ok(None) };
        let read = read.map_err(|fault| {
            sessions.refused(route.owner(), TotalsKey::WebSocket, HandshakeOutcome::Malformed);
            Refusal::handshake(fault, is_extended_connect)
        });
        let mut protocol = None;
        let handshake = match (read?, options.upgrade_protocols.as_deref()) {
            (Some(handshake), _) => Opening::WebSocket(handshake),
            (None, None) => return Ok(None),
            (None, Some(allowed)) => {
                let Some(upgrade) = Upgrade::read(parts.version, &parts.headers, allowed) else { return Ok(None) };
                protocol = Some(allowed.label(upgrade.first()).into());
                Opening::Upgrade(upgrade)
            }
        };
        let Some(client) = ClientUpgrade::take(body) else { return Ok(None) };
        let client_address = record.client.address;
        let permit = sessions.admit(route, client_address).map_err(|rejected| {
            sessions.refused(route.owner(), totals_key(protocol.as_deref()), rejected.outcome());
            Refusal::rejected(rejected)
        })?;
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Some(Self {
            handshake,
            client,
            is_extended_connect,
            attempt: HandshakeAttempt::new(sessions.clone(), Arc::clone(route), protocol),
            permit,
            client_address,
            port: record.port,
            path: target.path().to_owned(),
            user_agent: user_agent.unwrap_or_default().to_owned(),
        }))
    }

    /// What is asked for.
    pub(in crate::proxy) fn protocol(&self) -> SessionProtocol {
        match self.handshake {
            Opening::WebSocket(_) => SessionProtocol::WebSocket,
            Opening::Upgrade(_) => SessionProtocol::Other,
        }
    }

    /// The `Upgrade` that the member gets.
    pub(in crate::proxy) fn upgrade_header(&self) -> HeaderValue {
        match &self.handshake {
            Opening::WebSocket(_) => headers::WEBSOCKET,
            Opening::Upgrade(upgrade) => upgrade.to_header(),
        }
    }

    /// Checks that a 101 answer with these headers opens the session. Gives the protocol that the member has chosen; `None` for
    /// WebSocket.
    ///
    /// # Errors
    /// The answer does not open it: nothing may be tunnelled.
    pub(super) fn verify(&self, answer: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
        match &self.handshake {
            Opening::WebSocket(handshake) => match handshake.verify(answer) {
                Ok(()) => Ok(None),
                Err(fault) => Err(Refusal::handshake_answer(format!("the backend's answer is no handshake: {fault}"))),
            },
            Opening::Upgrade(upgrade) => match upgrade.verify(answer) {
                Ok(chosen) => Ok(Some(chosen.clone())),
                Err(fault) => Err(Refusal::upgrade_answer(format!("the backend's answer is no upgrade: {fault}"))),
            },
        }
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

/// The totals of a protocol: its label, or `None` for WebSocket.
fn totals_key(protocol: Option<&str>) -> TotalsKey<'_> {
    protocol.map_or(TotalsKey::WebSocket, TotalsKey::Upgrade)
}

impl HandshakeAttempt {
    fn new(sessions: Sessions, target: Arc<Target>, protocol: Option<Box<str>>) -> Self {
        Self { sessions, target, protocol, outcome: Some(HandshakeOutcome::Abandoned) }
    }

    /// Counts nothing, because the session is open and has been counted.
    pub(super) fn opened(mut self) {
        self.outcome = None;
    }
}

impl Drop for HandshakeAttempt {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome {
            self.sessions.refused(self.target.owner(), totals_key(self.protocol.as_deref()), outcome);
        }
    }
}
