//! The TLS configuration of a listener, and of the policies of its hosts. The certificate is looked up in the newest table at each
//! handshake, so a new one needs no new listener.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ServerConfig};

use super::client_verifier::client_verifier;
use super::tls_connection::note_server_name;
use crate::model::{TlsTerms, TlsVersion, normalise_host};
use crate::table::{Handle, ServedTls, TlsConfig};

/// The protocols of HTTP by their names in ALPN (RFC 9113 section 3.1), most preferred first.
const HTTP_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

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
    config.alpn_protocols = HTTP_PROTOCOLS.map(Vec::from).to_vec();
    config.ticketer = tickets;
    Ok(Arc::new(config))
}

/// The configuration for connections of a policy. `default` is that of the port, for hosts without one. `None`: none can be made, which
/// is logged.
pub(in crate::proxy) fn of_policy<'p>(default: &ServerConfig, policy: &'p ServedTls) -> Option<&'p TlsConfig> {
    let make = |terms: &TlsTerms| match of_terms(default, terms) {
        Ok(config) => Some(config),
        Err(error) => {
            tracing::error!(%error, "no TLS connection can be accepted by a policy");
            None
        }
    };
    policy.config(make)
}

fn of_terms(default: &ServerConfig, terms: &TlsTerms) -> Result<TlsConfig, rustls::Error> {
    let suites = terms.cipher_suites();
    let is_offered = |version| suites.iter().any(|suite| suite.version() == version);
    let versions = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
    let versions: Vec<_> =
        versions.into_iter().filter(|(version, _)| is_offered(*version)).map(|each| each.1).collect();
    let known = aws_lc_rs::default_provider();
    let named = |name: &str| known.cipher_suites.iter().copied().find(|suite| name_of(suite.suite()) == name);
    let cipher_suites = suites.iter().filter_map(|suite| named(suite.name())).collect();
    let provider = Arc::new(CryptoProvider { cipher_suites, ..known.clone() });
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions)?;
    let verifier = terms.client_certificates.as_ref().map(client_verifier).transpose()?;
    let builder = match &verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::clone(&default.cert_resolver));
    config.ignore_client_order = terms.cipher_suites.is_some();
    let skipped = usize::from(!terms.http2);
    config.alpn_protocols = HTTP_PROTOCOLS[skipped..].iter().map(|name| name.to_vec()).collect();
    if verifier.is_some() {
        // A session that is resumed would let a certificate in that has expired since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = aws_lc_rs::Ticketer::new()?;
    }
    Ok(TlsConfig { server: Arc::new(config), verifier })
}

/// The name of a suite in the registry of IANA. rustls names those of TLS 1.3 apart from those before.
pub(in crate::proxy) fn name_of(suite: CipherSuite) -> String {
    suite.as_str().unwrap_or_default().replacen("TLS13_", "TLS_", 1)
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
        let listener = table.listener(self.port)?;
        if name.is_none() && listener.tls_policy(None).is_some_and(|policy| policy.terms.requires_server_name) {
            return None;
        }
        let certificate = listener.certificate(name.as_deref())?;
        note_server_name(name);
        Some(Arc::clone(&certificate.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    #[test]
    fn every_suite_of_the_model_is_one_of_the_library_and_has_its_version() {
        let known = aws_lc_rs::default_provider().cipher_suites;
        let named: Vec<String> = known.iter().map(|suite| name_of(suite.suite())).collect();
        assert_eq!(model::CipherSuite::OFFERED.map(model::CipherSuite::name).to_vec(), named);
        for (suite, known) in model::CipherSuite::OFFERED.into_iter().zip(known) {
            assert_eq!(suite.version() == TlsVersion::Tls13, known.tls13().is_some(), "{}", suite.name());
        }
    }
}
