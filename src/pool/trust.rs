//! The verification of TLS backends, as rustls client configurations.

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
};

use crate::model::UpstreamTls;

/// Why a TLS transport can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The server name is not a DNS name or IP address.
    #[error("{0:?} is not a server name")]
    ServerName(String),
    /// The trusted roots do not parse.
    #[error("the trusted root certificates can't be used: {0}")]
    Roots(String),
}

/// A configuration that verifies the backend against the roots of `tls`, or Mozilla's where it has none.
pub(super) fn verifying(tls: &UpstreamTls) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    match &tls.trusted_roots {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.expose()) {
                let certificate = certificate.map_err(|error| TrustError::Roots(error.to_string()))?;
                roots.add(certificate).map_err(|error| TrustError::Roots(error.to_string()))?;
            }
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| TrustError::Roots(error.to_string()))?;
    Ok(Arc::new(builder(provider).with_webpki_verifier(verifier).with_no_client_auth()))
}

/// A configuration that accepts any certificate.
pub(super) fn unverified() -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    Arc::new(builder(provider).dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The remedy for a backend whose certificate was refused; empty for other errors.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(fault)) = inner else { return "" };
    match fault {
        CertificateError::UnknownIssuer => {
            "; name the CA that issued the backend's certificate in trustedRootCertificates"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "; set hostName (or the annotation backend-hostname) to a name that the backend's certificate has"
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "; the backend shows a CA certificate as its own: issue it a server certificate (CA:FALSE), and trust the CA"
        }
        _ => "",
    }
}

fn builder(provider: Arc<CryptoProvider>) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
}

/// A verifier that accepts any certificate, but checks that the server holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
