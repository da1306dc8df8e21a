//! Listeners, and the hosts behind them.

use std::sync::Arc;

use imbl::OrdMap;
use serde::Serialize;

use super::{CertificateId, HostPattern, Route, TlsPolicy};

/// What is served on one frontend port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// The protocol that clients speak.
    pub protocol: Protocol,
    /// Routes by host, in the order of a map's keys. The precedence among hosts is [`HostPattern::precedence`].
    pub hosts: OrdMap<HostPattern, Arc<Host>>,
    /// The certificate for TLS clients whose server name (SNI) no host has, and for those that send none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_certificate: Option<CertificateId>,
}

/// The protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Protocol {
    /// HTTP/1.1 in clear text, and WebSocket (`ws`).
    Http,
    /// TLS with HTTP/2 and HTTP/1.1 by ALPN, and WebSocket (`wss`).
    Https,
    /// A stream of bytes. Its host is [`HostPattern::of_port`].
    Tcp,
    /// A stream of bytes over TLS, that the gateway terminates or passes through. Its hosts are server names (SNI, RFC 6066 section 3).
    Tls,
}

/// One host of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// The certificate of the host. `None`: the listener has clear text, or its default certificate is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateId>,
    /// What connections must be like. `None`: as [`super::TlsTerms::default`] has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Arc<TlsPolicy>>,
    /// Routes in the order of their precedence ([`super::RouteMatch::precedence`]), patterns as they are listed.
    pub routes: Vec<Arc<Route>>,
}
