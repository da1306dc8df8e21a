//! TLS policies: what a client's connection must be like for the requests of a host.

use std::sync::Arc;

use serde::Serialize;

use super::{ClientCertificates, PolicyOrigin};

/// The policy of a host, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsPolicy {
    /// The object and field that asked for it.
    pub origin: PolicyOrigin,
    /// What it asks for. Hosts with equal terms share the tickets of TLS sessions.
    #[serde(flatten)]
    pub terms: Arc<TlsTerms>,
}

/// What a policy asks of a connection. For connections in clear text, `http2` alone counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsTerms {
    /// The cipher suites that are offered, most preferred first, and with them the versions of TLS. It is never empty. `None`: all of
    /// [`CipherSuite::OFFERED`], in the order that the client prefers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// Whether clients have to send a server name (SNI).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requires_server_name: bool,
    /// The certificates that clients have to show. `None`: they are not asked for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificates: Option<ClientCertificates>,
}

impl Default for TlsTerms {
    fn default() -> Self {
        Self { cipher_suites: None, http2: true, requires_server_name: false, client_certificates: None }
    }
}

impl TlsTerms {
    /// The cipher suites, most preferred first.
    pub fn cipher_suites(&self) -> &[CipherSuite] {
        self.cipher_suites.as_deref().unwrap_or(&CipherSuite::OFFERED)
    }
}

/// A version of TLS that can be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// A cipher suite that can be offered, by its name in the registry of IANA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CipherSuite(&'static str);

impl CipherSuite {
    /// Every one, in the gateway's own order.
    pub const OFFERED: [Self; 9] = [
        Self("TLS_AES_256_GCM_SHA384"),
        Self("TLS_AES_128_GCM_SHA256"),
        Self("TLS_CHACHA20_POLY1305_SHA256"),
        Self("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        Self("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        Self("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        Self("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        Self("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        Self("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    ];

    /// The suite with this name, if it can be offered.
    pub fn named(name: &str) -> Option<Self> {
        Self::OFFERED.into_iter().find(|suite| suite.0 == name)
    }

    /// Its name in the registry of IANA.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The version of TLS that it is for. Those of TLS 1.3 name no key exchange.
    pub fn version(self) -> TlsVersion {
        if self.0.contains("_WITH_") { TlsVersion::Tls12 } else { TlsVersion::Tls13 }
    }
}
