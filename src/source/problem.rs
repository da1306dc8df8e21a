//! What is wrong with one object, before it is known where that object stands.

use crate::report::{Reason, Severity};

/// Something wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field's path within the object; empty for the object as a whole.
    pub(crate) field: String,
    /// The kind of problem.
    pub(crate) reason: Reason,
    /// Whether the object is refused for it.
    pub(crate) severity: Severity,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) remedy: String,
}

/// What is wrong with one object.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
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
        self.0.push(Problem { field, reason, severity, message, remedy });
    }

    /// Whether the object is refused.
    pub(crate) fn refused(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// The one of `names` that was probably meant by `word`: equal but for case, or one or two letters away.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = if word.len() < 4 { 1 } else { 2 };
    let lower = word.to_ascii_lowercase();
    names
        .into_iter()
        .map(|name| (distance(&lower, &name.to_ascii_lowercase(), allowed + 1), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, or `limit` where it is no less.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    if a.len().abs_diff(b.len()) >= limit || a.len() > 64 {
        return limit;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()].min(limit)
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
