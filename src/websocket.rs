//! WebSocket (RFC 6455): the handshake's rules, frame boundaries, the relay of a session, and the sessions of the process.
//!
//! A session holds its two streams, its route, a lease on its member and counters; never the routing table. Nothing
//! here unmasks, changes or buffers a message.

mod admission;
mod counters;
mod frame;
mod handshake;
mod metrics;
mod order;
mod pace;
mod registry;
mod relay;
mod session;
mod tend;
mod totals;

pub use admission::Rejected;
pub use counters::{Counters, Seen};
pub use frame::{Frames, close_frame};
pub use handshake::{Handshake, RequestFault, ResponseFault, accept};
pub use order::{Asked, Order, Why};
pub use pace::Window;
pub use registry::{Limits, Permit, Sessions};
pub use relay::{End, EndCause, Side, Stream, relay};
pub use session::{About, Said, Session, SessionGuard};
pub use tend::tend;
pub use totals::Totals;
