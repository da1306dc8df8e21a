//! From a granted handshake to a session.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::access::Record;
use super::body::ResponseBody;
use super::context::Context;
use super::extended;
use super::headers;
use super::peer::Peer;
use super::refusal::Refusal;
use super::shared::Place;
use crate::model::Backend;
use crate::pool::Lease;
use crate::websocket::{self, End, EndCause, Handshake};

/// Marks headers as those of an opening handshake, or of its answer.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// What a session needs besides its streams.
pub(super) struct Opening {
    pub(super) handshake: Handshake,
    pub(super) client: OnUpgrade,
    /// Whether it was asked for by an extended CONNECT.
    pub(super) extended: bool,
    /// Its place on a connection that the member's sessions share.
    pub(super) place: Option<Place>,
}

/// A member has answered 101: checks that it grants what was asked, and opens the session.
///
/// # Errors
/// It does not; nothing is tunnelled.
pub(super) fn open(
    context: &Context,
    opening: Opening,
    mut response: Response<Incoming>,
    lease: Lease,
    backend: &Backend,
    mut record: Box<Record>,
) -> Result<Response<ResponseBody>, (Refusal, Box<Record>)> {
    if let Err(fault) = opening.handshake.verify(response.headers()) {
        let refusal =
            Refusal::bad_gateway("WebSocketHandshake", format!("the backend's answer is no handshake: {fault}"));
        return Err((refusal, record));
    }
    let member = hyper::upgrade::on(&mut response);
    let (mut parts, _) = response.into_parts();
    parts.version = Version::HTTP_11;
    if headers::response(&mut parts.headers).is_err() {
        return Err((Refusal::bad_gateway("WebSocketHandshake", "the backend's 101 answer has a body"), record));
    }
    if opening.extended {
        extended::grant(&mut parts);
    } else {
        mark(&mut parts.headers);
    }
    record.answered(parts.status, &parts.headers);
    context.shared.metrics.opened(record.route());
    let idle = backend.websocket.idle_timeout;
    let lease = lease.into_session();
    let mut guard = context.shared.sessions.open(lease.tenure());
    let alive = context.alive.clone();
    tokio::spawn(async move {
        let _alive = alive;
        let _lease = lease;
        let _place = opening.place;
        let end = match (opening.client.await, member.await) {
            (Ok(client), Ok(member)) => {
                let ((client, up), (member, down)) = (Peer::new(client), Peer::new(member));
                // A session may be slow; its own limit is the idle timeout.
                client.has_patience();
                websocket::relay(client, member, (up, down), idle, &mut guard).await
            }
            (Err(error), _) | (_, Err(error)) => {
                End { cause: EndCause::Failed(std::io::Error::other(error)), bytes_up: 0, bytes_down: 0 }
            }
        };
        drop(guard);
        record.ended(end);
    });
    Ok(Response::from_parts(parts, ResponseBody::full(Bytes::new())))
}
