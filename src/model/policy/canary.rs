//! Canaries: a second pool of a route, and the requests that are sent to one of the two whatever their weights.

use std::sync::Arc;

use http::HeaderName;
use serde::{Serialize, Serializer};

use super::PolicyOrigin;
use crate::model::Pattern;

/// What chooses between the two pools of a route, the main one and then the canary's. Where nothing does, their weights do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Canary {
    /// The object that is the canary.
    pub origin: PolicyOrigin,
    /// A header of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<CanaryHeader>,
    /// A cookie of the request, which says `always` or `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Arc<str>>,
}

/// A header that chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CanaryHeader {
    /// Its name.
    #[serde(serialize_with = "as_text")]
    pub name: HeaderName,
    /// The values that are the canary's.
    pub values: CanaryValues,
}

/// Values of a header that choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum CanaryValues {
    /// `always` is the canary, `never` the main pool; another value chooses nothing.
    AlwaysOrNever,
    /// This value is the canary; another chooses nothing.
    Equal(Arc<str>),
    /// Values in which the pattern matches are the canary; another chooses nothing.
    Matching(Pattern),
    /// Every value is the main pool: what was to choose can't be read.
    None,
}

/// One of the two pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanarySide {
    /// The first pool of the route.
    Main,
    /// The second.
    Canary,
}

impl CanaryHeader {
    /// The pool that a value chooses.
    pub fn side(&self, value: &[u8]) -> Option<CanarySide> {
        match &self.values {
            CanaryValues::AlwaysOrNever => CanarySide::of_word(value),
            CanaryValues::Equal(equal) => (value == equal.as_bytes()).then_some(CanarySide::Canary),
            CanaryValues::Matching(pattern) => pattern.is_match(value).then_some(CanarySide::Canary),
            CanaryValues::None => Some(CanarySide::Main),
        }
    }
}

impl CanarySide {
    /// The pool that `always` or `never` chooses.
    pub fn of_word(word: &[u8]) -> Option<Self> {
        match word {
            b"always" => Some(Self::Canary),
            b"never" => Some(Self::Main),
            _ => None,
        }
    }
}

fn as_text<S: Serializer>(name: &HeaderName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}
