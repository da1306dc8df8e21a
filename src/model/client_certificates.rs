//! Certificates that clients have to show.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Serialize, Serializer};

/// The certificates of clients that are let in. A client without one is refused in the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientCertificates {
    /// They have to come from one of these CA certificates, directly or by CA certificates that the client sends along. Never empty.
    pub authorities: Vec<CaCertificate>,
    /// Whether the immediate issuer has to be one of these that has issued none of the others: the last of its chain, by its name (ARM
    /// `verifyClientCertIssuerDN`).
    pub issuer_is_last_ca: bool,
}

/// A CA certificate, DER (RFC 5280). It is displayed by its SHA-256 fingerprint, in hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct CaCertificate(pub Vec<u8>);

impl fmt::Display for CaCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        digest(&SHA256, &self.0).as_ref().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CaCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for CaCertificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
