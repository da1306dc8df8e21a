//! Filters of Gateway API: headers that are changed, and the path that backends get (HTTPHeaderFilter, HTTPURLRewriteFilter).

use http::{HeaderName, HeaderValue};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::PolicyOrigin;
use crate::model::PathReplacement;

/// What is changed in the requests of a route and their answers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RouteFilters {
    /// Who asked for it.
    pub origin: PolicyOrigin,
    /// Headers of the request that a backend gets.
    #[serde(skip_serializing_if = "HeaderModifier::is_empty")]
    pub request: HeaderModifier,
    /// Headers of the answer that a client gets.
    #[serde(skip_serializing_if = "HeaderModifier::is_empty")]
    pub response: HeaderModifier,
    /// The path that a backend gets. `None`: that of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathReplacement>,
}

/// Changes of headers, in the order in which they are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct HeaderModifier(pub Vec<HeaderChange>);

/// A change of one header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderChange {
    /// The value takes the place of all that the header had.
    Set(HeaderName, HeaderValue),
    /// The header gets one more value.
    Add(HeaderName, HeaderValue),
    /// The header is removed.
    Remove(HeaderName),
}

impl HeaderModifier {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for HeaderChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (change, name, value) = match self {
            Self::Set(name, value) => ("set", name, Some(value)),
            Self::Add(name, value) => ("add", name, Some(value)),
            Self::Remove(name) => ("remove", name, None),
        };
        let mut fields = serializer.serialize_struct("HeaderChange", 2)?;
        fields.serialize_field(change, name.as_str())?;
        fields.serialize_field("value", &value.map(|value| String::from_utf8_lossy(value.as_bytes())))?;
        fields.end()
    }
}
