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
}

/// Answers a handshake. Only where a host of the port has a policy, the ClientHello is looked at before: it says whose policy holds.
/// `default`: the configuration for hosts that have none.
///
/// # Errors
/// The handshake has failed. Where that is possible, the alert has been sent.
pub(in crate::proxy) async fn accept(
    table: &Handle,
    port: u16,
    default: &Arc<ServerConfig>,
    tcp: &mut TcpStream,
) -> io::Result<AcceptedTls> {
    let policy = if has_policies(table, port) { look(table, port, tcp).await? } else { None };
    let config = match &policy {
        None => Arc::clone(default),
        Some(policy) => tls_config::of_policy(default, policy).ok_or(io::ErrorKind::Unsupported)?,
    };
    let (tls, server_name) = TlsConnection::accept(config, tcp).await?;
    Ok(AcceptedTls { tls, server_name })
}

fn has_policies(table: &Handle, port: u16) -> bool {
    table.load().listener(port).is_some_and(|listener| listener.has_tls_policies())
}

/// The policy of the host that the client names.
async fn look(table: &Handle, port: u16, tcp: &TcpStream) -> io::Result<Option<Arc<ServedTls>>> {
    let name = match ClientHello::look(tcp).await {
        Ok(hello) => hello.server_name,
        Err(ClientHelloError::Connection(error)) => return Err(error),
        // The handshake itself finds the fault, and sends the alert.
        Err(ClientHelloError::Malformed(_)) => return Ok(None),
        Err(error @ ClientHelloError::TooLong) => return Err(io::Error::other(error)),
    };
    Ok(table.load().listener(port).and_then(|listener| listener.tls_policy(name.as_deref())).cloned())
}
