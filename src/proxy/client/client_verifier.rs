//! Who verifies the certificates of clients: rustls' verifier over the CA certificates of a policy (RFC 5280 section 6), and the name of the
//! immediate issuer where that is asked for.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use x509_parser::parse_x509_certificate;

use crate::model::{CaCertificate, ClientCertificates};

/// The verifier of a policy.
///
/// # Errors
/// A CA certificate can't be used.
pub(in crate::proxy) fn client_verifier(wanted: &ClientCertificates) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let ClientCertificates { authorities, issuer_is_last_ca } = wanted;
    let mut roots = RootCertStore::empty();
    for CaCertificate(der) in authorities {
        roots.add(CertificateDer::from(der.clone()))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
    if !issuer_is_last_ca {
        return Ok(verifier);
    }
    Ok(Arc::new(IssuerVerifier { verifier, issuers: last_of_chains(authorities) }))
}

/// The names of the CAs that have issued none of the others: the last of each chain.
fn last_of_chains(authorities: &[CaCertificate]) -> Vec<Vec<u8>> {
    let names: Vec<Names> = authorities.iter().filter_map(|CaCertificate(der)| Names::read(der)).collect();
    let is_last =
        |name: &&Names| !names.iter().any(|other| other.issuer == name.subject && other.subject != name.subject);
    names.iter().filter(is_last).map(|name| name.subject.clone()).collect()
}

/// The names in a certificate (RFC 5280 section 4.1.2.4), DER.
struct Names {
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

impl Names {
    fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let (subject, issuer) = (certificate.subject().as_raw().to_vec(), certificate.issuer().as_raw().to_vec());
        Some(Self { subject, issuer })
    }
}

/// Lets only those in whose immediate issuer has one of these names.
#[derive(Debug)]
struct IssuerVerifier {
    verifier: Arc<dyn ClientCertVerifier>,
    issuers: Vec<Vec<u8>>,
}

impl ClientCertVerifier for IssuerVerifier {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verifier.verify_client_cert(end_entity, intermediates, now)?;
        let is_known = Names::read(end_entity).is_some_and(|names| self.issuers.contains(&names.issuer));
        if is_known { Ok(verified) } else { Err(CertificateError::UnknownIssuer.into()) }
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
