//! CA certificates in a template: the base64 of a `.cer` file, which holds DER or PEM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Characters of a line of PEM (RFC 7468 section 2).
const LINE: usize = 64;

/// The certificates as PEM, and nothing else that the data may hold.
///
/// # Errors
/// There is no certificate in it.
pub(super) fn pem(data: &str) -> Result<String, &'static str> {
    let none = "data holds no certificate";
    let compact: String = data.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = if data.trim_start().starts_with("-----") {
        data.as_bytes().to_vec()
    } else {
        STANDARD.decode(compact).map_err(|_| none)?
    };
    let certificates: Vec<CertificateDer<'_>> = match bytes.starts_with(b"-----") {
        true => CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect(),
        false => vec![CertificateDer::from(&bytes[..])],
    };
    let valid = certificates.iter().filter(|certificate| RootCertStore::empty().add((*certificate).clone()).is_ok());
    let text: String = valid.map(|certificate| encoded(certificate)).collect();
    if text.is_empty() { Err(none) } else { Ok(text) }
}

fn encoded(certificate: &CertificateDer<'_>) -> String {
    let base64 = STANDARD.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + "-----END CERTIFICATE-----\n"
}
