//! The certificate that a client has shown in its handshake, and what backends may be told of it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use x509_parser::asn1_rs::ToDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use crate::table::ServedTls;

/// A client's certificate chain, of which the client holds the key. Whether it is trusted, the verifier of a policy says.
#[derive(Debug)]
pub(in crate::proxy) struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    /// The last second of Unix time in which all certificates of the chain are valid that were so at first.
    valid_until: u64,
    /// The policy that has trusted it last.
    trusted_by: Mutex<Option<Arc<ServedTls>>>,
}

impl ClientCertificate {
    /// The chain as the client sent it, its own certificate first. `None`: there is none. `policy`: the one that has trusted it.
    pub(in crate::proxy) fn new(chain: &[CertificateDer<'_>], policy: Option<Arc<ServedTls>>) -> Option<Self> {
        let chain: Vec<_> = chain.iter().map(|der| der.clone().into_owned()).collect();
        let now = UnixTime::now().as_secs();
        // The client may send along what nobody needs, and what has expired.
        let ends = chain.iter().map(|der| not_after(der).unwrap_or_default()).filter(|end| *end >= now);
        let valid_until = ends.min().unwrap_or_default();
        (!chain.is_empty()).then_some(Self { chain, valid_until, trusted_by: Mutex::new(policy) })
    }

    /// Whether a policy trusts it now. Its verifier is asked once, and for each request when a certificate of the chain has expired.
    pub(in crate::proxy) fn is_trusted_by<'v>(
        &self,
        policy: &Arc<ServedTls>,
        verifier: impl FnOnce() -> Option<&'v dyn ClientCertVerifier>,
    ) -> bool {
        let now = UnixTime::now();
        let mut trusted_by = self.trusted_by.lock().unwrap_or_else(PoisonError::into_inner);
        if now.as_secs() <= self.valid_until && trusted_by.as_ref().is_some_and(|last| Arc::ptr_eq(last, policy)) {
            return true;
        }
        let Some((leaf, intermediates)) = self.chain.split_first() else { return false };
        let is_trusted =
            verifier().is_some_and(|verifier| verifier.verify_client_cert(leaf, intermediates, now).is_ok());
        *trusted_by = is_trusted.then(|| Arc::clone(policy));
        is_trusted
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
        self.read(|certificate| {
            // DER has a zero before a number whose first bit is set.
            let serial = match certificate.raw_serial() {
                [0, rest @ ..] if !rest.is_empty() => rest,
                serial => serial,
            };
            hexadecimal(serial).to_uppercase()
        })
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

/// The last second of Unix time in which a certificate is valid.
fn not_after(der: &[u8]) -> Option<u64> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    u64::try_from(certificate.validity().not_after.timestamp()).ok()
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
            |_| format!("#{}", hexadecimal(&attribute.attr_value().to_der_vec().unwrap_or_default())),
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

#[cfg(test)]
mod tests {
    use rcgen::string::BmpString;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SerialNumber};

    use super::*;

    fn certificate(edit: impl FnOnce(&mut CertificateParams)) -> ClientCertificate {
        let mut params = CertificateParams::default();
        edit(&mut params);
        let der = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().clone();
        ClientCertificate::new(&[der], None).expect("a chain")
    }

    #[test]
    fn a_serial_number_is_written_as_openssl_writes_it() {
        for (bytes, expected) in [(&[0xab, 1][..], "AB01"), (&[0x0a, 1], "0A01"), (&[0], "00")] {
            let serial = certificate(|params| params.serial_number = Some(SerialNumber::from_slice(bytes))).serial();
            assert_eq!(serial, expected);
        }
    }

    #[test]
    fn a_value_that_is_no_text_is_written_as_its_der() {
        let value = DnValue::BmpString(BmpString::try_from("a").expect("a text"));
        let certificate = certificate(|params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, value);
        });
        assert_eq!(certificate.subject(), "CN=#1e020061");
    }
}
