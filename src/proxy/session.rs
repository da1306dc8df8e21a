//! From a WebSocket handshake to a session that is relayed: over HTTP/1.1 or HTTP/2, with clients and with members.
//!
//! Does not choose members; the handshake is sent by `forward`.

mod extended_connect;
pub(super) mod handshake;
mod http2_connection;
pub(super) mod http2_sessions;
pub(super) mod peer;
pub(super) mod record;
pub(super) mod upgrade;
