//! The records of a session in the access log: one when it opens, one when it has ended.

use crate::proxy::request::record::with_names;
use crate::websocket::{End, Session, SessionInfo};

/// Writes the record of a session that has been opened.
pub(in crate::proxy) fn opened(session: &Session) {
    let SessionInfo { client, version, handshake, target, .. } = &session.info;
    let (host, path, user_agent) = (handshake.host(), handshake.path(), handshake.user_agent());
    with_names(Some(target), |object, route| {
        tracing::info!(target: "access", session = session.id, %client, version = version.map(tracing::field::debug), host, path, user_agent,
            protocol = session.other_protocol(), subprotocol = session.subprotocol(), object, route, field = &*target.route.field, pool = session.pool(),
            member = %session.member(), request_id = handshake.request_id(), "session opened");
    });
}

/// Writes the record of a session that has ended.
pub(in crate::proxy) fn closed(session: &Session, end: &End) {
    let SessionInfo { client, handshake, target, .. } = &session.info;
    let (host, path, seconds) = (handshake.host(), handshake.path(), session.opened.elapsed().as_secs_f64());
    let (up, down) = (session.up.values(), session.down.values());
    with_names(Some(target), |object, route| {
        tracing::info!(target: "access", session = session.id, %client, host, path, seconds, object, route,
            field = &*target.route.field, pool = session.pool(), member = %session.member(), request_id = handshake.request_id(),
            protocol = session.other_protocol(), cause = end.name(), initiator = end.initiator(), code = end.code, detail = end.detail(),
            messages_up = up.messages(), messages_down = down.messages(), bytes_up = up.bytes, bytes_down = down.bytes,
            "session closed");
    });
}
