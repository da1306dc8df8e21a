//! What is not known: why, and texts of which parts are not.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

/// Why something is unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// A parameter that has neither a value nor a default.
    Parameter(Rc<str>),
    /// A parameter whose value is a secret of a Key Vault.
    KeyVaultParameter(Rc<str>),
    /// A function whose result is known in Azure alone.
    Function(Rc<str>),
    /// Something of the template that can't be evaluated, in words.
    Fault(Rc<str>),
}

/// Why something is unknown, in order and each once.
pub(crate) type Causes = BTreeSet<Cause>;

/// A value of which nothing is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unknown {
    /// The expression that would give it, as it was written. Two unknown values of one expression are equal.
    pub(crate) expression: Rc<str>,
    pub(crate) causes: Rc<Causes>,
}

/// A text of which parts are unknown.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Partial {
    parts: Vec<Part>,
}

/// A part of such a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Known(String),
    Unknown(Unknown),
}

impl Unknown {
    pub(crate) fn new(expression: impl AsRef<str>, cause: Cause) -> Self {
        Self { expression: expression.as_ref().into(), causes: Rc::new(Causes::from([cause])) }
    }

    /// Something that can't be evaluated.
    pub(crate) fn fault(why: impl AsRef<str>) -> Self {
        Self::new(&why, Cause::Fault(why.as_ref().into()))
    }
}

impl Partial {
    /// The whole text, if all of it is known.
    pub(super) fn known(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Known(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(crate) fn causes(&self) -> impl Iterator<Item = Cause> {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Unknown(unknown) = part { Some(unknown) } else { None })
            .flat_map(|unknown| unknown.causes.iter().cloned())
    }

    pub(super) fn size(&self) -> usize {
        self.parts.iter().map(|part| if let Part::Known(text) = part { 16 + text.len() } else { 16 }).sum()
    }

    /// What follows the last `/` that is known.
    pub(crate) fn last_segment(&self) -> Self {
        let mut segment = Vec::new();
        for part in self.parts.iter().rev() {
            match part {
                Part::Known(text) if text.contains('/') => {
                    segment.push(Part::Known(text.rsplit('/').next().unwrap_or_default().to_owned()));
                    break;
                }
                other => segment.push(other.clone()),
            }
        }
        segment.into_iter().rev().collect()
    }
}

impl FromIterator<Part> for Partial {
    /// Parts beside each other that are known become one.
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (_, Part::Known(text)) if text.is_empty() => {}
                (Some(Part::Known(before)), Part::Known(text)) => before.push_str(&text),
                (_, part) => joined.push(part),
            }
        }
        Self { parts: joined }
    }
}

/// The text, with `{…}` for what is unknown.
impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Known(text) => f.write_str(text),
            Part::Unknown(unknown) => write!(f, "{{{}}}", unknown.expression),
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "parameters('{name}') without a value"),
            Self::KeyVaultParameter(name) => write!(f, "parameters('{name}') (a Key Vault reference)"),
            Self::Function(name) => write!(f, "{name}()"),
            Self::Fault(words) => f.write_str(words),
        }
    }
}
