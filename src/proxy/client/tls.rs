//! TLS towards clients. The certificate is looked up in the newest table at each handshake, so a new one needs no
//! new listener.

mod stream;

use std::cell::Cell;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::model::normalise_host;
use crate::table::Handle;

pub(in crate::proxy) use stream::TlsConnection;

thread_local! {
    /// The server name, normalised, in the ClientHello that was read last: rustls tells that of an unbuffered connection to nobody
    /// but the one who finds the certificate.
    static ASKED: Cell<Option<String>> = const { Cell::new(None) };
}

/// TLS 1.2 and 1.3 for a frontend port, HTTP/2 and HTTP/1.1 by ALPN.
pub(in crate::proxy) fn server_config(
    table: Handle,
    port: u16,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByServerName { table, port }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = tickets;
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct ByServerName {
    table: Handle,
    port: u16,
}

impl ResolvesServerCert for ByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        let name = hello.server_name().map(normalise_host);
        let certificate = table.listener(self.port)?.certificate(name.as_deref())?;
        ASKED.set(name);
        Some(Arc::clone(&certificate.key))
    }
}
