//! Options of `steadygate run` about how much it takes at once.

use crate::websocket::Limits;

/// How much is served at once.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LimitOptions {
    /// WebSocket sessions open at once; more handshakes are answered 503 [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_sessions: Option<u32>,

    /// WebSocket sessions that the gateway closes in a second at most, as long as a drain's time suffices
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    close_rate: u32,
}

impl LimitOptions {
    /// The limits of WebSocket sessions.
    pub(super) fn sessions(&self) -> Limits {
        Limits { sessions: self.max_sessions, close_rate: self.close_rate }
    }
}
