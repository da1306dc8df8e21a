//! What the cluster is told of objects: their status and Events.
//!
//! `plan` and `notice` decide, as pure functions, with a file for each language; `writer`, `events` and `lease` talk to the
//! API server. Only the replica that holds the lease writes. The room serves no request, and no room that does knows it.

mod address;
mod application_gateway;
mod change;
mod condition;
mod context;
mod election;
mod events;
mod facts;
mod gateway_api;
mod identity;
mod ingress;
mod lease;
mod metrics;
mod notice;
mod object_reports;
mod pace;
mod plan;
mod shorten;
mod thread;
mod writer;

pub use address::PublishedAddresses;
pub use change::{DesiredStatus, PlanInput, StatusChange};
pub use context::PoolHealthReader;
pub use facts::{Facts, MemberState, PoolHealth, Served, ServedElements, ServedListeners};
pub use metrics::StatusMetrics;
pub use notice::{Notice, notices};
pub use thread::{StatusOptions, StatusThread, start};
