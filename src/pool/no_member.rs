//! Why a pool has no member for a request.

use std::fmt;

/// Why a pool has no member for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMember {
    /// Endpoints that are not ready.
    pub not_ready: usize,
    /// Endpoints that are terminating and serve no more.
    pub terminating: usize,
    /// Endpoints that fail their probe.
    pub down: usize,
    /// Endpoints whose first probe has not been answered.
    pub unknown: usize,
    /// DNS names without an address.
    pub unresolved: usize,
    /// Addresses that may not be backends.
    pub forbidden: usize,
}

impl fmt::Display for NoMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { not_ready, terminating, down, unknown, unresolved, forbidden } = *self;
        if not_ready + terminating + down + unknown + unresolved + forbidden == 0 {
            return f.write_str("the backend has no endpoints");
        }
        let mut parts = Vec::new();
        for (count, what) in [
            (down, "failing the health probe"),
            (unknown, "not yet probed"),
            (not_ready, "not ready"),
            (terminating, "terminating"),
            (unresolved, "not resolving to an address"),
            (forbidden, "at an address that no backend may have"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        write!(f, "no backend endpoint is available: {}", parts.join(", "))
    }
}
