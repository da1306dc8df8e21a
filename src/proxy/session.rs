//! From a WebSocket handshake to a session that is relayed.
//!
//! Opens sessions; which member gets the handshake is decided in `forward`.

pub(super) mod extended;
pub(super) mod http2_sessions;
mod peer;
pub(super) mod upgrade;
