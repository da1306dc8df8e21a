//! The TLS handshake of a connection of HTTP, as the host that the client names asks for it.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpStream;

use super::client_hello::{ClientHello, ClientHelloError};
use super::tls_config;
use super::tls_connection::TlsConnection;
use crate::table::{Handle, ServedTls};

/// A connection whose handshake has ended.
pub(in crate::proxy) struct AcceptedTls {
    pub(in crate::proxy) tls: Box<TlsConnection>,
    /// The server name (SNI), normalised.
    pub(in crate::proxy) server_name: Option<String>,
    /// The policy that the handshake has followed.
    pub(in crate::proxy) policy: Option<Arc<ServedTls>>,
}

/// A handshake that has failed. Where that is possible, the alert has been sent.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(in crate::proxy) struct HandshakeError {
    /// The server name (SNI), normalised, where a host of the port has a policy.
    pub(in crate::proxy) server_name: Option<String>,
    pub(in crate::proxy) cause: io::Error,
}

/// What is wrong about a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum CertificateFault {
    /// There is none.
    Missing,
    /// It is not trusted, or has expired, or the client does not hold its key.
    Invalid,
}

impl HandshakeError {
    fn new(server_name: Option<String>, cause: impl Into<io::Error>) -> Self {
        Self { server_name, cause: cause.into() }
    }

    /// What is wrong about the client's certificate, if that is why it has failed.
    pub(in crate::proxy) fn certificate_fault(&self) -> Option<CertificateFault> {
        match self.cause.get_ref()?.downcast_ref()? {
            rustls::Error::NoCertificatesPresented => Some(CertificateFault::Missing),
            rustls::Error::InvalidCertificate(_) => Some(CertificateFault::Invalid),
            _ => None,
        }
    }
}

/// Answers a handshake. Only where a host of the port has a policy, the ClientHello is looked at before: it says whose policy holds.
/// `default`: the configuration for hosts that have none.
///
/// # Errors
/// The handshake has failed.
pub(in crate::proxy) async fn accept(
    table: &Handle,
    port: u16,
    default: &Arc<ServerConfig>,
    tcp: &mut TcpStream,
) -> Result<AcceptedTls, HandshakeError> {
    let Named { name, policy } =
        if has_policies(table, port) { look(table, port, tcp).await? } else { Named::default() };
    let config = match &policy {
        None => Some(Arc::clone(default)),
        Some(policy) => tls_config::of_policy(default, policy).map(|config| Arc::clone(&config.server)),
    };
    let Some(config) = config else { return Err(HandshakeError::new(name, io::ErrorKind::Unsupported)) };
    match TlsConnection::accept(config, tcp).await {
        Ok((tls, server_name)) => Ok(AcceptedTls { tls, server_name, policy }),
        Err(error) => Err(HandshakeError::new(name, error)),
    }
}

fn has_policies(table: &Handle, port: u16) -> bool {
    table.load().listener(port).is_some_and(|listener| listener.has_tls_policies())
}

/// The server name of a ClientHello, and the policy of its host.
#[derive(Default)]
struct Named {
    name: Option<String>,
    policy: Option<Arc<ServedTls>>,
}

async fn look(table: &Handle, port: u16, tcp: &TcpStream) -> Result<Named, HandshakeError> {
    let name = match ClientHello::look(tcp).await {
        Ok(hello) => hello.server_name,
        Err(ClientHelloError::Connection(error)) => return Err(HandshakeError::new(None, error)),
        // The handshake itself finds the fault, and sends the alert.
        Err(ClientHelloError::Malformed(_)) => return Ok(Named::default()),
        Err(error @ ClientHelloError::TooLong) => return Err(HandshakeError::new(None, io::Error::other(error))),
    };
    let policy = table.load().listener(port).and_then(|listener| listener.tls_policy(name.as_deref())).cloned();
    Ok(Named { name, policy })
}
