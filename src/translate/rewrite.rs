//! Rewrites of the start of a path, for all languages.

use crate::model::PathMatch;

/// The text that a rewrite takes off the front of the paths that a condition matches: `/pathrule` for `/pathrule*` and
/// for `/pathrule/*`; nothing for a condition that matches every path, or of which no text is known that it matches.
pub(super) fn literal(path: &PathMatch) -> String {
    match path {
        PathMatch::Exact(text) | PathMatch::Prefix(text) | PathMatch::PatternExact(text) => text.to_string(),
        PathMatch::PatternPrefix(text) => text.trim_end_matches('/').to_owned(),
        PathMatch::Regex(_) | PathMatch::Any => String::new(),
    }
}
