//! Streams: what is done with the connections of a listener that speaks no HTTP (protocol `Tcp` or `Tls`).

use std::sync::Arc;

use serde::Serialize;

use super::{WebSocket, WeightedPools};

/// Relaying of a connection, byte by byte, to a member of a pool. It is a session as a WebSocket is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// The pools.
    #[serde(flatten)]
    pub pools: WeightedPools,
    /// What becomes of the client's TLS. `None`: the listener's protocol is `Tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsMode>,
    /// Settings of the sessions, but for those about messages and pings, of which streams have none.
    pub sessions: Arc<WebSocket>,
}

/// What becomes of the TLS of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TlsMode {
    /// The gateway is the client's TLS server, with the certificate of the host.
    Terminate,
    /// The member is the client's TLS server. The gateway reads the server name (SNI) of the ClientHello, and nothing else.
    Passthrough,
}

impl Stream {
    /// The name of the protocol, for lists, logs and metrics.
    pub fn protocol(&self) -> &'static str {
        match self.tls {
            None => "tcp",
            Some(TlsMode::Terminate) => "tls",
            Some(TlsMode::Passthrough) => "tls-passthrough",
        }
    }
}
