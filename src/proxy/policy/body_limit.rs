//! Refuses bodies that are too large, by the length that a request declares.

use http::header::{self, HeaderMap};

use crate::model::BodyLimit;
use crate::proxy::request::refusal::Refusal;

/// Admits a request. What it gives is the limit for a body whose length is not declared: that one is counted while it comes.
///
/// # Errors
/// 413: the body is larger than it may be.
pub(super) fn admit(limit: &BodyLimit, headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(Some(limit.bytes)) };
    let length: Option<u64> = length.to_str().ok().and_then(|length| length.parse().ok());
    match length {
        Some(length) if length <= limit.bytes => Ok(None),
        _ => Err(Refusal::body_too_large()),
    }
}
