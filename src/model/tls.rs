//! Certificates, and bytes that must never be printed.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Identity of a certificate: the Secret it came from, `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CertificateId(pub String);

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server certificate with its key, both PEM. `translate` has seen that they parse and belong
/// together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The chain, leaf first (PEM).
    pub chain: SecretBytes,
    /// The private key (PEM: PKCS #8, PKCS #1 or SEC 1).
    pub key: SecretBytes,
}

/// Bytes that no log, dump or error shows: `Debug` and `Serialize` print their count alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretBytes(Arc<[u8]>);

impl SecretBytes {
    /// Takes the bytes in.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one who uses them.
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
