//! The reports of one object, as its status quotes them.

use std::collections::BTreeSet;

use super::shorten::shortened;
use crate::report::{Report, Severity};

/// The number of reports that a message quotes; the others are counted.
const MAX_QUOTED: usize = 3;

/// The longest text of one report in a message, in bytes.
const MAX_REPORT_BYTES: usize = 400;

/// The reports of one object, errors first.
#[derive(Debug, Clone)]
pub(super) struct ObjectReports<'a>(Vec<&'a Report>);

impl<'a> ObjectReports<'a> {
    /// Sorts the reports of one object.
    pub(super) fn new(reports: impl IntoIterator<Item = &'a Report>) -> Self {
        let mut reports: Vec<_> = reports.into_iter().collect();
        reports.sort_by(|a, b| (a.severity, a).cmp(&(b.severity, b)));
        Self(reports)
    }

    /// The reports for which `keep` is true.
    pub(super) fn filter(&self, keep: impl Fn(&Report) -> bool) -> Self {
        Self(self.0.iter().copied().filter(|report| keep(report)).collect())
    }

    /// The reports about one of the fields, or about a part of one.
    pub(super) fn within(&self, fields: &BTreeSet<String>) -> Self {
        self.filter(|report| fields.iter().any(|field| is_within(&report.field, field)))
    }

    /// The reports about none of the fields, nor about a part of one.
    pub(super) fn outside(&self, fields: &BTreeSet<String>) -> Self {
        self.filter(|report| !fields.iter().any(|field| is_within(&report.field, field)))
    }

    /// The errors.
    pub(super) fn errors(&self) -> Self {
        self.filter(|report| report.severity == Severity::Error)
    }

    /// The first report: the worst one.
    pub(super) fn first(&self) -> Option<&'a Report> {
        self.0.first().copied()
    }

    /// The first few reports in words, and the number of the others.
    pub(super) fn message(&self) -> String {
        let mut parts: Vec<_> = self.0.iter().take(MAX_QUOTED).map(|report| text(report)).collect();
        let more = self.0.len().saturating_sub(MAX_QUOTED);
        if more > 0 {
            parts.push(format!("and {more} more"));
        }
        parts.join("; ")
    }
}

/// One report in words: field and message.
fn text(report: &Report) -> String {
    let Report { field, message, .. } = report;
    shortened(if field.is_empty() { message.clone() } else { format!("{field}: {message}") }, MAX_REPORT_BYTES)
}

fn is_within(field: &str, outer: &str) -> bool {
    field.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_within_its_element_alone() {
        for (field, outer, expected) in [
            ("spec.probes[1].path", "spec.probes[1]", true),
            ("spec.probes[1]", "spec.probes[1]", true),
            ("spec.probes[11]", "spec.probes[1]", false),
            ("spec.probesets", "spec.probes", false),
            ("", "spec", false),
        ] {
            assert_eq!(is_within(field, outer), expected, "{field} {outer}");
        }
    }
}
