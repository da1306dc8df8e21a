//! From bytes to requests: open ports, worker threads, client connections.
//!
//! Knows nothing of routes: each request is given to `decision`.

mod connection;
mod http2;
mod listeners;
mod opening;
mod worker;

pub use listeners::{Bindings, DrainingWorkers, Listeners};
