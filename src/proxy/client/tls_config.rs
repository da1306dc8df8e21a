//! The TLS configuration of a listener. The certificate is looked up in the newest table at each handshake, so a new one
//! needs no new listener.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::tls_connection::note_server_name;
use crate::model::normalise_host;
use crate::table::Handle;

/// The configuration for a frontend port: TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1 by ALPN.
pub(in crate::proxy) fn server_config(
    table: Handle,
    port: u16,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(CertificateByServerName { table, port }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = tickets;
    Ok(Arc::new(config))
}

/// The configuration `config` of a port, for a stream without HTTP. What a client that offers one protocol alone will speak is certain,
/// so that is agreed on; among several only the backend could choose.
pub(in crate::proxy) fn for_stream(config: &ServerConfig, only_protocol: Option<Vec<u8>>) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = only_protocol.into_iter().collect();
    Arc::new(config)
}

/// Finds the certificate by the server name (SNI).
#[derive(Debug)]
struct CertificateByServerName {
    table: Handle,
    port: u16,
}

impl ResolvesServerCert for CertificateByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        let name = hello.server_name().map(normalise_host);
        let certificate = table.listener(self.port)?.certificate(name.as_deref())?;
        note_server_name(name);
        Some(Arc::clone(&certificate.key))
    }
}
