//! How a refusal is told.

use crate::model::Protocol;

/// How a listener refuses: HTTP answers, a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusals {
    Statuses,
    Ends,
}

impl Refusals {
    pub(super) fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http | Protocol::Https => Self::Statuses,
            Protocol::Tcp | Protocol::Tls => Self::Ends,
        }
    }

    /// What clients get where HTTP would answer with `status`.
    pub(super) fn name(self, status: u16) -> String {
        match self {
            Self::Statuses => status.to_string(),
            Self::Ends => "the connection is refused".to_owned(),
        }
    }
}
