//! Options of `steadygate run` about how much it takes at once.

use std::os::fd::RawFd;

use crate::proxy::{ConnectionLimits, ProxySettings};
use crate::websocket::Limits;

/// The largest number of file descriptors that clients never get.
const MAX_RESERVED_DESCRIPTORS: u64 = 1024;
/// The part of all file descriptors that clients never get, where there are few.
const RESERVED_PART: u64 = 4;

/// How much is served at once.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LimitOptions {
    /// Sessions open at once; more handshakes are answered 503 [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_sessions: Option<u32>,

    /// Sessions that the gateway closes in a second at most, as long as a drain's time suffices
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    close_rate: u32,

    /// Connections of clients at once; more are closed [default: half of the file descriptors that are not reserved]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,

    /// Connections at once from one address (IPv6: from one /64); --trusted-proxy are not limited [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections_per_address: Option<u32>,

    /// Bytes of HTTP/2 requests that are held until a backend has answered them, of all clients together
    #[arg(long, value_name = "BYTES", default_value_t = ProxySettings::DEFAULT_MAX_UNANSWERED_BYTES)]
    pub(super) max_unanswered_bytes: usize,
}

impl LimitOptions {
    /// The limits of sessions.
    pub(super) fn sessions(&self) -> Limits {
        Limits { sessions: self.max_sessions, close_rate: self.close_rate }
    }

    /// The limits of client connections, of a process that may have `descriptors`. A quarter of them, or 1,024, are for probes, the
    /// API server and the admin port; of the others, every client may need one more for a backend.
    pub(super) fn connections(&self, descriptors: u64) -> ConnectionLimits {
        let end = descriptors - (descriptors / RESERVED_PART).min(MAX_RESERVED_DESCRIPTORS);
        let half = usize::try_from(end / 2).unwrap_or(usize::MAX);
        ConnectionLimits {
            max: self.max_connections.map_or(half, |max| max as usize),
            max_per_address: self.max_connections_per_address,
            end_of_descriptors: RawFd::try_from(end).unwrap_or(RawFd::MAX),
        }
    }
}
