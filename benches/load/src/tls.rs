//! The client's TLS: whom it trusts, and the tickets that let a connection be resumed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, NamedGroup, RootCertStore};
use tokio_rustls::TlsConnector;

/// Tickets are kept up to this many for each server.
const KEPT: usize = 1024;

/// A client that trusts the certificates in `ca`, and either resumes as often as it can, or never.
pub(crate) fn connector(ca: &str, is_http2: bool, is_resumed: bool) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).with_context(|| format!("can't read {ca}"))? {
        roots.add(certificate?)?;
    }
    let mut provider = aws_lc_rs::default_provider();
    // As browsers prefer it; most servers follow.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![if is_http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    config.resumption =
        if is_resumed { Resumption::store(Arc::new(Tickets::default())) } else { Resumption::disabled() };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What servers have given for resumption. Unlike rustls' own store, it holds enough for many connections at once.
#[derive(Debug, Default)]
struct Tickets(Mutex<HashMap<ServerName<'static>, Server>>);

#[derive(Debug, Default)]
struct Server {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: Vec<Tls13ClientSessionValue>,
}

impl Tickets {
    fn servers(&self) -> MutexGuard<'_, HashMap<ServerName<'static>, Server>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.servers().entry(server).or_default().group = Some(group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.servers().get(&server.to_owned())?.group
    }

    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.servers().entry(server).or_default().tls12 = Some(value);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.servers().get(&server.to_owned())?.tls12.clone()
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.servers().entry(server.clone()).or_default().tls12 = None;
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut servers = self.servers();
        let tickets = &mut servers.entry(server).or_default().tls13;
        if tickets.len() < KEPT {
            tickets.push(value);
        }
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.servers().get_mut(server)?.tls13.pop()
    }
}
