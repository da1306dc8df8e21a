//! PEM (RFC 7468) as OpenSSL reads it, for certificates and keys come from everywhere: with text around the blocks, headers within
//! them, lines of any length and any end, and spaces at their ends.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::x509;

/// Base64 whose padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What is wrong with a text that should be PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PemProblem {
    #[error("a block has no end")]
    Unended,
    #[error("a block is not base64")]
    NotBase64,
    #[error("it is encrypted")]
    Encrypted,
}

/// The certificates of a text in their order (DER). The trust settings of OpenSSL's `TRUSTED CERTIFICATE` are left out.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, PemProblem> {
    let blocks = Blocks::new(text).filter_map(|block| match &*block.label {
        "CERTIFICATE" | "X509 CERTIFICATE" => Some(block.decode()),
        "TRUSTED CERTIFICATE" => {
            Some(block.decode().map(|der| x509::first_element(&der).map_or(Vec::new(), <[u8]>::to_vec)))
        }
        _ => None,
    });
    blocks.collect()
}

/// The first private key of a text (DER of PKCS #8, PKCS #1 or SEC 1). `None`: it has none.
pub(super) fn private_key(text: &[u8]) -> Result<Option<Vec<u8>>, PemProblem> {
    let mut keys = Blocks::new(text).filter_map(|block| match &*block.label {
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => Some(block.decode()),
        "ENCRYPTED PRIVATE KEY" => Some(Err(PemProblem::Encrypted)),
        _ => None,
    });
    keys.next().transpose()
}

/// A certificate (DER) as PEM.
pub(super) fn encode_certificate(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(der))
}

/// A block that has not been decoded.
struct Block {
    label: String,
    /// The lines between its begin and its end.
    lines: Vec<String>,
    is_ended: bool,
}

impl Block {
    fn decode(self) -> Result<Vec<u8>, PemProblem> {
        let Self { label: _, lines, is_ended } = self;
        if !is_ended {
            return Err(PemProblem::Unended);
        }
        let mut base64 = String::new();
        for line in lines {
            match line.split_once(':') {
                Some((_, value)) if value.contains("ENCRYPTED") => return Err(PemProblem::Encrypted),
                // A header (RFC 1421 section 4.4).
                Some(_) => {}
                None => base64.extend(line.split_whitespace()),
            }
        }
        BASE64.decode(base64).map_err(|_| PemProblem::NotBase64)
    }
}

/// The blocks of a text.
struct Blocks<'t> {
    lines: Box<dyn Iterator<Item = &'t [u8]> + 't>,
}

impl<'t> Blocks<'t> {
    fn new(text: &'t [u8]) -> Self {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        Self { lines: Box::new(text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii)) }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let label = self.lines.find_map(|line| marker(line, b"-----BEGIN "))?;
        let mut block = Block { label, lines: Vec::new(), is_ended: false };
        for line in &mut self.lines {
            if line.starts_with(b"-----") {
                block.is_ended = marker(line, b"-----END ").is_some_and(|end| end == block.label);
                break;
            }
            block.lines.push(String::from_utf8_lossy(line).into_owned());
        }
        Some(block)
    }
}

/// The label of a line that begins or ends a block.
fn marker(line: &[u8], start: &[u8]) -> Option<String> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    Some(String::from_utf8_lossy(label).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `MDA=` is the base64 of `00`, which stands for a certificate.
    #[test]
    fn certificates_are_found_however_they_are_written() {
        for (text, expected) in [
            ("-----BEGIN CERTIFICATE-----\nMDA=\n-----END CERTIFICATE-----\n", Ok(1)),
            ("-----BEGIN CERTIFICATE-----\r\nMDA=\r\n-----END CERTIFICATE-----", Ok(1)),
            ("-----BEGIN CERTIFICATE-----\rMDA=\r-----END CERTIFICATE-----\r", Ok(1)),
            ("\u{feff}-----BEGIN CERTIFICATE-----  \n MD \n\n\tA= \n-----END CERTIFICATE-----\t", Ok(1)),
            ("-----BEGIN CERTIFICATE-----\nMDA\n-----END CERTIFICATE-----", Ok(1)),
            (
                "Bag Attributes\n  name: x\n-----BEGIN X509 CERTIFICATE-----\nMDA=\n-----END X509 CERTIFICATE-----\nend",
                Ok(1),
            ),
            (
                "-----BEGIN DH PARAMETERS-----\n***\n-----END DH PARAMETERS-----\n\
                 -----BEGIN CERTIFICATE-----\nComment: mine\n\nMDA=\n-----END CERTIFICATE-----\n\
                 -----BEGIN CERTIFICATE-----\nMDA=\n-----END CERTIFICATE-----\n",
                Ok(2),
            ),
            ("nothing", Ok(0)),
            ("-----BEGIN CERTIFICATE-----\nMDA=\n", Err(PemProblem::Unended)),
            ("-----BEGIN CERTIFICATE-----\nMDA=\n-----END PRIVATE KEY-----\n", Err(PemProblem::Unended)),
            ("-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----\n", Err(PemProblem::NotBase64)),
        ] {
            let read = certificates(text.as_bytes());
            assert_eq!(read.as_ref().map(Vec::len), expected.as_ref().copied(), "{text:?}");
            assert!(read.into_iter().flatten().all(|der| der == b"00"), "{text:?}");
        }
    }

    #[test]
    fn trust_settings_are_left_out() {
        // A sequence of one byte, and then another.
        let text = format!(
            "-----BEGIN TRUSTED CERTIFICATE-----\n{}\n-----END TRUSTED CERTIFICATE-----\n",
            BASE64.encode([0x30, 1, 7, 0x30, 1, 8])
        );
        assert_eq!(certificates(text.as_bytes()), Ok(vec![vec![0x30, 1, 7]]));
    }

    #[test]
    fn the_first_key_is_read_unless_it_is_encrypted() {
        let block = |label: &str, lines: &str| format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n");
        let parameters = block("EC PARAMETERS", "BggqhkjOPQMBBw==");
        for (text, expected) in [
            (parameters.clone() + &block("EC PRIVATE KEY", "MDA="), Ok(Some(b"00".to_vec()))),
            (block("CERTIFICATE", "***") + &block("PRIVATE KEY", "MDA="), Ok(Some(b"00".to_vec()))),
            (parameters, Ok(None)),
            (block("ENCRYPTED PRIVATE KEY", "MDA="), Err(PemProblem::Encrypted)),
            (
                block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMDA="),
                Err(PemProblem::Encrypted),
            ),
        ] {
            assert_eq!(private_key(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        assert_eq!(certificates(encode_certificate(b"any bytes").as_bytes()), Ok(vec![b"any bytes".to_vec()]));
    }
}
