//! Problems of one object, before it is known where the object stands.

use crate::report::{Reason, Severity};

/// A problem of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldProblem {
    /// The field's path within the object; empty for the object as a whole.
    pub(crate) field: String,
    /// The kind of problem.
    pub(crate) reason: Reason,
    /// Whether the object is refused for it.
    pub(crate) severity: Severity,
    /// The problem, for people.
    pub(crate) message: String,
    /// A remedy.
    pub(crate) remedy: String,
}

/// The problems of one object.
#[derive(Debug, Default)]
pub(crate) struct FieldProblems(pub(crate) Vec<FieldProblem>);

impl FieldProblems {
    /// The object is not of its kind: a field has the wrong type, is unknown or missing.
    pub(crate) fn malformed(
        &mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Reason::InvalidObject, Severity::Error, field, message, remedy);
    }

    /// A field has a value outside what is allowed.
    pub(crate) fn refuse(&mut self, field: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Reason::InvalidValue, Severity::Error, field, message, remedy);
    }

    /// A problem of any kind.
    pub(crate) fn push(
        &mut self,
        reason: Reason,
        severity: Severity,
        field: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (field, message, remedy) = (field.into(), message.into(), remedy.into());
        self.0.push(FieldProblem { field, reason, severity, message, remedy });
    }

    /// Whether the object is refused.
    pub(crate) fn refused(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// The longest word that a spelling is suggested for.
const MAX_WORD_BYTES: usize = 64;

/// The one of `names` that was probably meant by `word`: it differs in one letter or two, case aside.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let max_distance = if word.len() < 4 { 1 } else { 2 };
    let lower = word.to_ascii_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::levenshtein(&lower, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= max_distance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_letter_or_two_away() {
        let names = ["service", "resource", "path", "pathType"];
        for (word, expected) in [
            ("servce", Some("service")),
            ("pathtype", Some("pathType")),
            ("pathTypo", Some("pathType")),
            ("pth", Some("path")),
            ("port", None),
            ("é", None),
        ] {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }
}
