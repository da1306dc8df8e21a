//! Certificates, and bytes that must never be printed.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The identity of a certificate: the Secret that it comes from, `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CertificateId(pub String);

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server certificate with its key, both DER. `translate` has verified that they belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The certificate chain, leaf first. It is never empty. Its bytes are not secret, but too many to print.
    pub chain: Vec<SecretBytes>,
    /// The private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: SecretBytes,
}

/// Bytes that no log, dump or error shows: `Debug` and `Serialize` print only their number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretBytes(Arc<[u8]>);

impl SecretBytes {
    /// Wraps secret bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves. They must not be printed.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redacted ({} bytes)", self.0.len())
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_material_is_never_printed() {
        let secret = SecretBytes::new(b"hunter2");
        assert_eq!(format!("{secret:?}"), "redacted (7 bytes)");
        assert_eq!(serde_json::to_string(&secret).expect("serialises"), "\"redacted (7 bytes)\"");
    }
}
