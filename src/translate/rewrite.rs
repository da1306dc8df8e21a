//! Rewrites of the start of a path.

use crate::model::PathMatch;

/// The text that a path condition takes off the front of the paths that it matches: `/pathrule` of `/pathrule*` and
/// of `/pathrule/*`; nothing where it takes every path.
pub(super) fn literal(path: &PathMatch) -> String {
    match path {
        PathMatch::Exact(text) | PathMatch::Prefix(text) | PathMatch::PatternExact(text) => text.to_string(),
        PathMatch::PatternPrefix(text) => text.trim_end_matches('/').to_owned(),
        PathMatch::Any => String::new(),
    }
}
