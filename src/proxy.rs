//! The data plane: listeners, TLS, requests, and what becomes of them.
//!
//! One worker thread a core, each with its own single-threaded runtime, its own sockets on every listener's
//! port and its own idle connections to members. A request reads the table once, takes its route from it, and
//! goes `front -> decision -> forward`, and from there to `session` when it is a WebSocket handshake. A connection without HTTP goes
//! `front -> stream`. Knows nothing of Kubernetes.

mod client;
mod decision;
mod forward;
mod front;
mod http1;
mod limits;
mod policy;
mod request;
mod session;
mod stream;
mod timer;

pub use client::connections::ConnectionLimits;
pub use front::{Bindings, DrainingWorkers, Listeners, ReadEnd, ReadRequest, read_requests};
pub use limits::{Quantity, SIZE_LIMITS, SizeLimit};
pub use request::metrics::Metrics;
pub use request::refusal::RefusalReason;
pub use request::state::{Clients, ProxySettings, WorkerState};
