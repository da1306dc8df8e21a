//! Challenges of certificate authorities.

use crate::model::PathMatch;

/// Whether a path is for the challenge of a certificate authority, which asks for it on port 80 and often before there
/// is a certificate (RFC 8555 section 8.3).
pub(super) fn is_challenge(path: &PathMatch) -> bool {
    let (PathMatch::Exact(text) | PathMatch::Prefix(text)) = path else { return false };
    text.strip_prefix("/.well-known/acme-challenge").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
