//! A request as the client made it, and what is noted of it until it has been answered: its target, its headers, the
//! gateway's own answers, the record for log and metrics.
//!
//! Decides nothing, and knows neither members nor sessions.

pub(super) mod authority;
pub(super) mod client_requests;
pub(super) mod context;
pub(super) mod edits;
pub(super) mod header_size;
pub(super) mod headers;
pub(super) mod metrics;
pub(super) mod record;
pub(super) mod refusal;
pub(super) mod state;
pub(super) mod target;
