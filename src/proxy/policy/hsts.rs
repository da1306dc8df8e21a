//! Has clients come by HTTPS alone.

use http::header::{self, HeaderMap};

use crate::model::Hsts;

/// Adds the header to an answer, in place of the backend's.
pub(super) fn apply(Hsts { origin: _, value }: &Hsts, headers: &mut HeaderMap) {
    headers.insert(header::STRICT_TRANSPORT_SECURITY, value.clone());
}
