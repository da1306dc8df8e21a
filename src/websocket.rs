//! WebSocket (RFC 6455): the handshake's rules, frame boundaries, the relay of a session, and the sessions of the process; upgrades to
//! other protocols and streams, whose sessions have no frames.
//!
//! A session holds its two streams, its route, a lease on its member and counters; never the routing table. Nothing
//! here unmasks, changes or buffers a message.

mod admission;
mod close_order;
mod close_pace;
mod control_frame;
mod counters;
mod end;
mod frame;
mod frame_header;
mod handshake;
mod handshake_outcome;
mod handshake_texts;
mod metrics;
mod registry;
mod relay;
mod session;
mod tend;
mod token_bucket;
mod totals;
mod totals_key;
mod upgrade;

pub use admission::Rejected;
pub use close_order::{CloseCause, CloseOrder, ScheduledClose};
pub use close_pace::CloseWindow;
pub use control_frame::{MAX_CLOSE_REASON_BYTES, close_frame};
pub use counters::{CounterValues, Counters};
pub use end::{End, EndCause, PeerSide};
pub use frame::Frames;
pub use handshake::{Handshake, RequestFault, ResponseFault, accept};
pub use handshake_outcome::HandshakeOutcome;
pub use handshake_texts::HandshakeTexts;
pub use registry::{Limits, Permit, SessionGuard, Sessions};
pub use relay::{RelayStream, relay};
pub use session::{Session, SessionInfo, SessionProtocol};
pub use tend::tend;
pub use totals::{CloseClass, ObjectTotals, Totals};
pub use totals_key::TotalsKey;
pub use upgrade::{Upgrade, UpgradeFault};
