//! From an accepted handshake to an open session.

use bytes::Bytes;
use http::{Response, Version, header};
use hyper::upgrade::OnUpgrade;

use super::extended_connect;
use super::handshake::SessionRequest;
use super::http2_sessions::StreamSlot;
use super::peer::{ClientUpgrade, PeerStream};
use super::record;
use crate::pool::Lease;
use crate::pool::dial::Stream;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::refusal::Refusal;
use crate::websocket::{self, End, HandshakeOutcome, HandshakeTexts, Session, SessionInfo};

/// The member's side of a session.
pub(in crate::proxy) enum MemberStream {
    /// A connection of its own, with the bytes that came behind the answer.
    Http1(Stream, Bytes),
    /// A stream of an HTTP/2 connection.
    Http2(OnUpgrade),
}

/// The two streams of a session, and the bytes of both that came with the handshake.
struct SessionStreams {
    client: PeerStream,
    member: PeerStream,
    from_client: Bytes,
    from_member: Bytes,
}

/// Opens the session, after a member has answered 101. `slot` is the place of the member's stream on a shared connection. Returns
/// the answer for the client.
///
/// # Errors
/// The answer does not fit the request; nothing is relayed.
pub(in crate::proxy) fn open(
    context: &ConnectionContext,
    request: SessionRequest,
    response: Response<()>,
    member: MemberStream,
    slot: Option<StreamSlot>,
    lease: Lease,
    record: Box<RequestRecord>,
) -> Result<Response<()>, (Refusal, Box<RequestRecord>)> {
    // The answer is checked, and turned into the client's.
    let (mut parts, ()) = response.into_parts();
    let verified = match request.verify(&parts.headers) {
        Ok(_) if headers::prepare_response(&mut parts.headers, parts.status, false).is_err() => {
            Err(Refusal::handshake_answer("the backend's 101 answer has a body"))
        }
        verified => verified,
    };
    let (protocol, target, pool) = match (verified, record.target.clone(), record.pool().cloned()) {
        (Ok(protocol), Some(target), Some(pool)) => (protocol, target, pool),
        (verified, ..) => {
            request.fail(HandshakeOutcome::InvalidAnswer);
            return Err((verified.err().unwrap_or_else(Refusal::not_found), record));
        }
    };
    parts.version = Version::HTTP_11;
    if request.is_extended_connect {
        extended_connect::into_answer(&mut parts);
    } else {
        headers::add_upgrade(&mut parts.headers, protocol.clone().unwrap_or(headers::WEBSOCKET));
    }

    // The session is entered in the list, from which it can be closed.
    let subprotocol = || parts.headers.get(header::SEC_WEBSOCKET_PROTOCOL);
    let chosen = protocol.as_ref().or_else(subprotocol).and_then(|value| value.to_str().ok());
    let handshake = HandshakeTexts::new(
        record.host(),
        &request.path,
        &request.user_agent,
        chosen.unwrap_or_default(),
        record.request_id(),
    );
    let (port, client, version) = (request.port, request.client_address, Some(record.version));
    let protocol = request.protocol();
    let token_end = record.token_end.map(Box::new);
    let info = SessionInfo { target, pool, port, client, version, protocol, token_end, handshake };
    let active = record.become_session();
    let mut guard = context.state.sessions.open(request.permit, info, lease);
    request.attempt.opened();
    if !is_covered(context, guard.session()) {
        context.state.sessions.route_removed(guard.session());
    }

    // The relay runs in a task of its own. Until it has ended the process is not done, and the client's connection is not idle.
    let held = (context.alive.clone(), active, slot);
    let (client, log) = (request.client, context.state.settings.access_log);
    let task = Box::pin(async move {
        if log {
            record::opened(guard.session());
        }
        let end = match streams(client, member).await {
            Ok(SessionStreams { client, member, from_client, from_member }) => {
                websocket::relay(client, member, (from_client, from_member), &mut guard).await
            }
            Err(error) => End::failed(error),
        };
        if log {
            record::closed(guard.session(), &end);
        }
        guard.end(&end);
        drop(held);
    });
    tokio::spawn(task);
    Ok(Response::from_parts(parts, ()))
}

/// Waits for both streams.
async fn streams(client: ClientUpgrade, member: MemberStream) -> std::io::Result<SessionStreams> {
    let (client, from_client) = client.open().await?;
    let (member, from_member) = match member {
        MemberStream::Http1(stream, first) => (PeerStream::member(stream), first),
        MemberStream::Http2(member) => {
            (PeerStream::member_stream(member.await.map_err(std::io::Error::other)?), Bytes::new())
        }
    };
    Ok(SessionStreams { client, member, from_client, from_member })
}

/// Whether the newest table covers the session: its route may have been removed while the member answered.
fn is_covered(context: &ConnectionContext, session: &Session) -> bool {
    session.is_covered_by(&context.state.table.load().session_routes())
}
