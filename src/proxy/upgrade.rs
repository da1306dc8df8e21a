//! From a granted handshake to a session.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, Version};
use hyper::upgrade::OnUpgrade;

use super::access::{self, Record};
use super::body::ResponseBody;
use super::context::Context;
use super::extended;
use super::headers;
use super::peer::Peer;
use super::refusal::Refusal;
use super::shared::Place;
use crate::pool::Lease;
use crate::pool::dial::Stream;
use crate::table::Target;
use crate::websocket::{self, About, End, Handshake, Permit, Session, Sessions};

/// Marks headers as those of an opening handshake, or of its answer.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// A handshake that has been let in: counted, when it is over, by what came of it.
pub(super) struct Attempt {
    sessions: Sessions,
    target: Arc<Target>,
    outcome: Option<&'static str>,
}

impl Attempt {
    /// One that is abandoned, unless something comes of it.
    pub(super) fn new(sessions: Sessions, target: Arc<Target>) -> Self {
        Self { sessions, target, outcome: Some("abandoned") }
    }

    pub(super) fn came_to(&mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }

    /// The session is open, and counted.
    fn opened(&mut self) {
        self.outcome = None;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome {
            self.sessions.refused(self.target.name(), outcome);
        }
    }
}

/// What a session needs besides its streams.
pub(super) struct Opening {
    pub(super) handshake: Handshake,
    pub(super) client: OnUpgrade,
    pub(super) attempt: Attempt,
    /// Leave to open it.
    pub(super) permit: Permit,
    pub(super) client_address: IpAddr,
    pub(super) port: u16,
    /// Normalised.
    pub(super) path: String,
    pub(super) user_agent: String,
    /// Whether it was asked for by an extended CONNECT.
    pub(super) extended: bool,
    /// Its place on a connection that the member's sessions share.
    pub(super) place: Option<Place>,
}

/// The member's side of a session.
pub(super) enum Granted {
    /// Its connection, and what came on it after the answer.
    Own(Stream, Bytes),
    /// hyper has it.
    Upgraded(OnUpgrade),
}

/// A member has answered 101: checks that it grants what was asked, and opens the session.
///
/// # Errors
/// It does not; nothing is tunnelled.
pub(super) fn open(
    context: &Context,
    mut opening: Opening,
    response: Response<()>,
    member: Granted,
    lease: Lease,
    mut record: Box<Record>,
) -> Result<Response<ResponseBody>, (Refusal, Box<Record>)> {
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
    let Some(target) = record.target.clone() else { return Err((Refusal::not_found(), record)) };
    if opening.extended {
        extended::grant(&mut parts);
    } else {
        mark(&mut parts.headers);
    }
    let subprotocol = parts.headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let (about, active) = record.becomes_session(target, &opening, subprotocol.unwrap_or_default());
    drop(record);
    let mut guard = context.shared.sessions.open(opening.permit, about, lease);
    opening.attempt.opened();
    if !still_leads(context, guard.session()) {
        context.shared.sessions.route_removed(guard.session());
    }
    // Held until it has ended: the process is not done, and its connections are in use.
    let held = (context.alive.clone(), active, opening.place);
    let (client, log) = (opening.client, context.shared.settings.access_log);
    let task = Box::pin(async move {
        if log {
            access::session_opened(guard.session());
        }
        let end = match peers(client, member).await {
            Ok((client, member, first)) => websocket::relay(client, member, first, &mut guard).await,
            Err(error) => End::failed(std::io::Error::other(error)),
        };
        if log {
            access::session_closed(guard.session(), &end);
        }
        guard.end(&end);
        drop(held);
    });
    tokio::spawn(task);
    Ok(Response::from_parts(parts, ResponseBody::full(Bytes::new())))
}

/// Both sides of a session, and what came with the handshake.
async fn peers(client: OnUpgrade, member: Granted) -> hyper::Result<(Peer, Peer, (Bytes, Bytes))> {
    let (client, up) = Peer::new(client.await?);
    let (member, down) = match member {
        Granted::Own(stream, first) => (Peer::member(stream), first),
        Granted::Upgraded(member) => Peer::new(member.await?),
    };
    Ok((client, member, (up, down)))
}

/// Whether the newest table has a place for a session: its route may have been removed while the backend made up its mind.
fn still_leads(context: &Context, session: &Session) -> bool {
    let About { port, said, target, .. } = &session.about;
    context.shared.table.load().places().has(*port, said.host(), said.path(), &target.id, session.member())
}
