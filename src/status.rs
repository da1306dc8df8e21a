//! What is written of reports and of the data plane into the status of objects and into Events.
//!
//! `plan` and `notice` decide, as pure functions; `writer`, `events` and `lease` talk to the API server, and only the
//! replica that holds the lease writes.

mod address;
mod election;
mod events;
mod facts;
mod gateway;
mod identity;
mod lease;
mod metrics;
mod notice;
mod pace;
mod plan;
mod problem;
mod task;
mod writer;

pub use address::Publish;
pub use facts::{Facts, MemberState, Parts, PoolHealth, Served};
pub use metrics::Metrics;
pub use notice::{Notice, notices};
pub use plan::{Change, Desired, View};
pub use task::{Health, Options, Running, start};
