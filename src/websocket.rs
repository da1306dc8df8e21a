//! WebSocket (RFC 6455): the handshake's rules, frame boundaries, the relay of a session, and the drain.
//!
//! A session holds its two streams, a lease on its member and counters; never the routing table. Nothing here
//! unmasks, changes or buffers a message.

mod frame;
mod handshake;
mod relay;
mod session;

pub use frame::{Frames, close_frame};
pub use handshake::{Handshake, RequestFault, ResponseFault, accept};
pub use relay::{End, EndCause, Side, Stream, relay};
pub use session::{Drain, SessionGuard, Sessions};
