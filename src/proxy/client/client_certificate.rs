//! The certificate that a client has shown in its handshake, and what backends may be told of it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use x509_parser::certificate::X509Certificate;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

/// A client's certificate chain, of which the client holds the key. Whether it is trusted, a verifier says.
#[derive(Debug)]
pub(in crate::proxy) struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
}

impl ClientCertificate {
    /// The chain as the client sent it, its own certificate first. `None`: there is none.
    pub(in crate::proxy) fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let chain: Vec<_> = chain.iter().map(|der| der.clone().into_owned()).collect();
        (!chain.is_empty()).then_some(Self { chain })
    }

    /// Whether a verifier trusts it now.
    pub(in crate::proxy) fn is_trusted_by(&self, verifier: &dyn ClientCertVerifier) -> bool {
        let Some((leaf, intermediates)) = self.chain.split_first() else { return false };
        verifier.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok()
    }

    /// The certificate in PEM (RFC 7468), percent-encoded so that it can be the value of a header.
    pub(in crate::proxy) fn escaped_pem(&self) -> String {
        let base64 = STANDARD.encode(self.leaf());
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        let escape = |c: char| match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' => c.to_string(),
            other => format!("%{:02X}", u32::from(other)),
        };
        pem.chars().map(escape).collect()
    }

    /// The SHA-1 fingerprint, in hexadecimal digits.
    pub(in crate::proxy) fn fingerprint(&self) -> String {
        hexadecimal(digest(&SHA1_FOR_LEGACY_USE_ONLY, self.leaf()).as_ref())
    }

    /// The serial number, in hexadecimal digits.
    pub(in crate::proxy) fn serial(&self) -> String {
        self.read(|certificate| hexadecimal(certificate.raw_serial()).to_uppercase())
    }

    /// The name of the subject (RFC 4514).
    pub(in crate::proxy) fn subject(&self) -> String {
        self.read(|certificate| name(certificate.subject()))
    }

    /// The name of the issuer (RFC 4514).
    pub(in crate::proxy) fn issuer(&self) -> String {
        self.read(|certificate| name(certificate.issuer()))
    }

    /// The begin of its validity: `Nov 30 16:29:14 2026 GMT`.
    pub(in crate::proxy) fn valid_from(&self) -> String {
        self.read(|certificate| date(certificate.validity().not_before))
    }

    /// The end of its validity, as [`Self::valid_from`].
    pub(in crate::proxy) fn valid_to(&self) -> String {
        self.read(|certificate| date(certificate.validity().not_after))
    }

    fn leaf(&self) -> &[u8] {
        self.chain.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// A text of the certificate. Empty: it can't be read.
    fn read(&self, text: impl FnOnce(&X509Certificate<'_>) -> String) -> String {
        parse_x509_certificate(self.leaf()).map(|(_, certificate)| text(&certificate)).unwrap_or_default()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name as RFC 4514 writes it: the last part first.
fn name(name: &X509Name<'_>) -> String {
    let part = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let oid = attribute.attr_type();
        let label = oid2abbrev(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned);
        let value = attribute.as_str().map_or_else(
            // What is no text: its DER, section 2.4.
            |_| format!("#{}", hexadecimal(attribute.attr_value().data)),
            escaped,
        );
        format!("{label}={value}")
    };
    let parts: Vec<String> = name.iter_rdn().map(|set| set.iter().map(part).collect::<Vec<_>>().join("+")).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

/// A value with what would end it escaped (RFC 4514 section 2.4). What can't stand in a header is escaped too.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let escape = |(index, c): (usize, char)| match c {
        '"' | '+' | ',' | ';' | '<' | '>' | '\\' => format!("\\{c}"),
        '#' if index == 0 => "\\#".to_owned(),
        ' ' if index == 0 || index == last => "\\ ".to_owned(),
        c if c.is_control() || !c.is_ascii() => {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:02X}")).collect()
        }
        c => c.to_string(),
    };
    value.chars().enumerate().map(escape).collect()
}

/// A time as openssl writes it.
fn date(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let month = &time.month().to_string()[..3];
    let (hour, minute, second) = time.to_hms();
    format!("{month} {:2} {hour:02}:{minute:02}:{second:02} {} GMT", time.day(), time.year())
}
