//! From a granted handshake to a session.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, Version};
use hyper::upgrade::OnUpgrade;

use super::extended;
use super::http2_sessions::StreamSlot;
use super::peer::PeerStream;
use crate::pool::Lease;
use crate::pool::dial::Stream;
use crate::proxy::forward::body::ResponseBody;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers;
use crate::proxy::request::record::{self, RequestRecord};
use crate::proxy::request::refusal::Refusal;
use crate::table::Target;
use crate::websocket::{self, End, Handshake, Permit, Session, Sessions};

/// Marks headers as those of an opening handshake, or of its answer.
pub(in crate::proxy) fn mark(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// A handshake that has been let in: counted, when it is over, by what came of it.
pub(in crate::proxy) struct HandshakeAttempt {
    sessions: Sessions,
    target: Arc<Target>,
    outcome: Option<&'static str>,
}

impl HandshakeAttempt {
    /// One that is abandoned, unless something comes of it.
    pub(in crate::proxy) fn new(sessions: Sessions, target: Arc<Target>) -> Self {
        Self { sessions, target, outcome: Some("abandoned") }
    }

    pub(in crate::proxy) fn came_to(&mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }

    /// The session is open, and counted.
    fn opened(&mut self) {
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

/// What a session needs besides its streams.
pub(in crate::proxy) struct SessionRequest {
    pub(in crate::proxy) handshake: Handshake,
    pub(in crate::proxy) client: OnUpgrade,
    pub(in crate::proxy) attempt: HandshakeAttempt,
    /// Leave to open it.
    pub(in crate::proxy) permit: Permit,
    pub(in crate::proxy) client_address: IpAddr,
    pub(in crate::proxy) port: u16,
    /// Normalised.
    pub(in crate::proxy) path: String,
    pub(in crate::proxy) user_agent: String,
    /// Whether it was asked for by an extended CONNECT.
    pub(in crate::proxy) extended: bool,
    /// Its place on a connection that the member's sessions share.
    pub(in crate::proxy) place: Option<StreamSlot>,
}

/// The member's side of a session.
pub(in crate::proxy) enum MemberStream {
    /// Its connection, and what came on it after the answer.
    Own(Stream, Bytes),
    /// hyper has it.
    Upgraded(OnUpgrade),
}

/// A member has answered 101: checks that it grants what was asked, and opens the session.
///
/// # Errors
/// It does not; nothing is tunnelled.
pub(in crate::proxy) fn open(
    context: &ConnectionContext,
    mut opening: SessionRequest,
    response: Response<()>,
    member: MemberStream,
    lease: Lease,
    mut record: Box<RequestRecord>,
) -> Result<Response<ResponseBody>, (Refusal, Box<RequestRecord>)> {
    if let Err(fault) = opening.handshake.verify(response.headers()) {
        let refusal =
            Refusal::bad_gateway("WebSocketHandshake", format!("the backend's answer is no handshake: {fault}"));
        return Err((refusal, record));
    }
    let (mut parts, _) = response.into_parts();
    parts.version = Version::HTTP_11;
    if headers::response(&mut parts.headers).is_err() {
        return Err((Refusal::bad_gateway("WebSocketHandshake", "the backend's 101 answer has a body"), record));
    }
    let (Some(target), Some(pool)) = (record.target.clone(), record.pool().cloned()) else {
        return Err((Refusal::not_found(), record));
    };
    if opening.extended {
        extended::grant(&mut parts);
    } else {
        mark(&mut parts.headers);
    }
    let subprotocol = parts.headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let (about, active) = record.becomes_session(target, pool, &opening, subprotocol.unwrap_or_default());
    drop(record);
    let mut guard = context.state.sessions.open(opening.permit, about, lease);
    opening.attempt.opened();
    if !still_leads(context, guard.session()) {
        context.state.sessions.route_removed(guard.session());
    }
    // Held until it has ended: the process is not done, and its connections are in use.
    let held = (context.alive.clone(), active, opening.place);
    let (client, log) = (opening.client, context.state.settings.access_log);
    let task = Box::pin(async move {
        if log {
            record::session_opened(guard.session());
        }
        let end = match peers(client, member).await {
            Ok((client, member, first)) => websocket::relay(client, member, first, &mut guard).await,
            Err(error) => End::failed(std::io::Error::other(error)),
        };
        if log {
            record::session_closed(guard.session(), &end);
        }
        guard.end(&end);
        drop(held);
    });
    tokio::spawn(task);
    Ok(Response::from_parts(parts, ResponseBody::full(Bytes::new())))
}

/// Both sides of a session, and what came with the handshake.
async fn peers(client: OnUpgrade, member: MemberStream) -> hyper::Result<(PeerStream, PeerStream, (Bytes, Bytes))> {
    let (client, up) = PeerStream::new(client.await?);
    let (member, down) = match member {
        MemberStream::Own(stream, first) => (PeerStream::member(stream), first),
        MemberStream::Upgraded(member) => PeerStream::new(member.await?),
    };
    Ok((client, member, (up, down)))
}

/// Whether the newest table covers a session: its route may have been removed while the backend made up its mind.
fn still_leads(context: &ConnectionContext, session: &Session) -> bool {
    session.is_covered_by(&context.state.table.load().session_routes())
}
