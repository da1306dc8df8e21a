//! Pages for the gateway's own errors (ARM `customErrorConfigurations`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::PolicyOrigin;

/// The statuses that a page may be for (ARM `CustomErrorStatusCode`).
pub const PAGE_STATUSES: [u16; 9] = [400, 403, 404, 405, 408, 500, 502, 503, 504];

/// The largest page, in bytes (ARM's limit is 1 MB).
pub const MAX_PAGE_BYTES: usize = 1_000_000;

/// Pages by the status that they are for. An error that a backend answered is handed on as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPages(pub BTreeMap<u16, ErrorPage>);

/// A page, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPage {
    /// Who asked for the page.
    pub origin: PolicyOrigin,
    /// The page: HTML in UTF-8.
    pub html: PageBytes,
}

/// The bytes of a page. They are shared by all answers that carry it, and too many to print.
#[derive(Clone, PartialEq, Eq)]
pub struct PageBytes(pub Arc<[u8]>);

impl ErrorPages {
    /// The page for a status.
    pub fn page(&self, status: u16) -> Option<&ErrorPage> {
        self.0.get(&status)
    }
}

impl fmt::Debug for PageBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for PageBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}
