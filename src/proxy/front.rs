//! From bytes to requests: open ports, worker threads, client connections.
//!
//! Knows nothing of routes: each request is given to `decision`.

mod connection;
mod handshake;
mod http1;
mod http2;
mod listeners;
mod opening;
mod worker;

use std::time::Duration;

pub use http1::replay::{ReadEnd, ReadRequest, read_requests};
pub use listeners::{Bindings, DrainingWorkers, Listeners};

/// Time that a peer has to agree to the end of a connection on which nothing is under way.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
