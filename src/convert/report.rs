//! The report of a conversion: what became of each element and property, why, and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::value::Causes;
use crate::report::printable;

/// Everything that is said of a conversion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ConversionReport {
    /// How many elements of each collection were carried over, by the gateway's name.
    pub(crate) carried: BTreeMap<String, Vec<CarriedElements>>,
    /// What else there is to know, in the order of the template.
    pub(crate) entries: Vec<ConversionEntry>,
    /// What is unknown, and the properties that depend on it.
    pub(crate) unknown: BTreeMap<String, BTreeSet<String>>,
}

/// Elements that are in the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CarriedElements {
    pub(crate) collection: String,
    pub(crate) count: usize,
}

/// What became of one element or property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversionEntry {
    pub(crate) outcome: Outcome,
    /// The gateway, by the name of its object. Empty: the document as a whole.
    pub(crate) gateway: String,
    /// The element and property, as the template has them: `httpListeners[0] "web".hostName`. Empty: the gateway as a whole.
    pub(crate) property: String,
    pub(crate) message: String,
    /// What to do. Empty where nothing needs doing.
    pub(crate) remedy: String,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// It is in the output, and something of it has to be filled in.
    Open,
    /// It is not in the output.
    LeftOut,
    /// It is about Azure's machines or about Azure Resource Manager, and has no meaning here.
    NotNeeded,
    /// It is in the output, and somebody should know of it.
    Note,
}

impl ConversionReport {
    pub(crate) fn add(
        &mut self,
        outcome: Outcome,
        (gateway, property): (&str, &str),
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (gateway, property) = (gateway.to_owned(), property.to_owned());
        let entry = ConversionEntry { outcome, gateway, property, message: message.into(), remedy: remedy.into() };
        if !self.entries.contains(&entry) {
            self.entries.push(entry);
        }
    }

    /// Notes what a property depends on.
    pub(crate) fn add_unknown(&mut self, gateway: &str, property: &str, causes: &Causes) {
        for cause in causes {
            let properties = self.unknown.entry(cause.to_string()).or_default();
            properties.insert(format!("{gateway}: {property}"));
        }
    }

    /// Whether everything that matters to requests is in the output, and nothing has to be filled in.
    pub(crate) fn is_whole(&self) -> bool {
        !self.entries.iter().any(|entry| matches!(entry.outcome, Outcome::Open | Outcome::LeftOut))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "to fill in",
            Self::LeftOut => "left out",
            Self::NotNeeded => "not needed",
            Self::Note => "note",
        })
    }
}

impl fmt::Display for ConversionEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, gateway, property, message, remedy } = self;
        write!(f, "{outcome}: ")?;
        for place in [gateway, property].into_iter().filter(|place| !place.is_empty()) {
            write!(f, "{}: ", printable(place))?;
        }
        write!(f, "{}", printable(message))?;
        if remedy.is_empty() { Ok(()) } else { write!(f, "; {}", printable(remedy)) }
    }
}

/// Lines for a terminal: what became of what, and a summary for each gateway.
impl fmt::Display for ConversionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            writeln!(f, "{entry}")?;
        }
        for (cause, properties) in &self.unknown {
            let properties: Vec<_> = properties.iter().map(|property| printable(property)).collect();
            writeln!(f, "unknown: {}: {}", printable(cause), properties.join(", "))?;
        }
        for (gateway, carried) in &self.carried {
            let counts: Vec<_> =
                carried.iter().map(|CarriedElements { collection, count }| format!("{collection} {count}")).collect();
            writeln!(f, "carried over: {}: {}", printable(gateway), counts.join(", "))?;
        }
        let count = |outcome| self.entries.iter().filter(|entry| entry.outcome == outcome).count();
        let (open, left_out) = (count(Outcome::Open), count(Outcome::LeftOut));
        writeln!(f, "{open} to fill in, {left_out} left out")
    }
}
