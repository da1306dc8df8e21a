//! The size of requests' bodies.

use serde::Serialize;

use super::PolicyOrigin;

/// The largest body that a request may have. A larger one is refused: at once where its length is declared, else while it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BodyLimit {
    /// Who asked for it.
    pub origin: PolicyOrigin,
    /// Bytes.
    pub bytes: u64,
}
