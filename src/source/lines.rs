//! The lines of a manifest that may be shown beside a message: those of documents that certainly hold no Secret.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{self, DocumentObject};
use super::span::{Span, SpanContents};
use super::yaml;
use crate::model::Kind;

/// The longest line that is shown, in bytes. Longer lines are for machines.
const MAX_LINE_BYTES: usize = 4096;

/// The lines that may be shown, by their number from 1. Each is a line of a document in which every object is recognised, and
/// none is a Secret. A document is shown in full or not at all, for a value may end on the line where the next object begins.
pub(crate) fn showable_lines(bytes: &[u8]) -> BTreeMap<usize, String> {
    let Ok(text) = std::str::from_utf8(bytes) else { return BTreeMap::new() };
    // To YAML these end a line; not to `str::lines`.
    if text.replace("\r\n", "\n").contains('\r') {
        return BTreeMap::new();
    }
    let (mut shown, mut hidden) = (BTreeSet::new(), BTreeSet::new());
    let faults = yaml::parse(bytes, &mut |document| {
        let span = document.span.clone();
        let entries = object::entries(document);
        let known = !entries.is_empty() && entries.iter().all(is_no_secret);
        add_lines(&span, if known { &mut shown } else { &mut hidden });
    });
    hidden.extend(faults.iter().map(|fault| fault.position.line));
    (1u32..)
        .zip(text.lines())
        .filter(|(number, line)| line.len() <= MAX_LINE_BYTES && shown.contains(number) && !hidden.contains(number))
        .map(|(number, line)| (number as usize, line.to_owned()))
        .collect()
}

fn is_no_secret(entry: &DocumentObject) -> bool {
    entry.reference.as_ref().is_some_and(|object| object.kind != Kind::Secret)
}

/// Adds the lines on which `span` and the spans within it begin.
fn add_lines(span: &Span, lines: &mut BTreeSet<u32>) {
    lines.extend(span.key.map(|key| key.line));
    lines.insert(span.value.line);
    match &span.contents {
        SpanContents::Scalar => {}
        SpanContents::Fields(fields) => fields.iter().for_each(|(_, inner)| add_lines(inner, lines)),
        SpanContents::Items(items) => items.iter().for_each(|inner| add_lines(inner, lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<usize> {
        showable_lines(text.as_bytes()).into_keys().collect()
    }

    #[test]
    fn lines_are_shown_where_no_secret_can_be() {
        const INGRESS: &str = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {}}";
        for other in [
            "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: hunter2}}",
            "{apiVersion: v1, kind: secret, metadata: {name: s}, stringData: {password: hunter2}}",
            "{apiVersion: v2, kind: Secret, metadata: {name: s}, stringData: {password: hunter2}}",
            "{kind: 7, stringData: {password: hunter2}}",
        ] {
            assert_eq!(shown(&format!("{INGRESS}\n---\n{other}\n")), [1], "{other}");
            assert_eq!(shown(&format!("{INGRESS}\n--- {other}\n---\n{INGRESS}\n")), [1, 4], "{other}");
            let list = format!("{{apiVersion: v1, kind: List, items: [{INGRESS},\n{other}]}}");
            assert_eq!(shown(&list), [] as [usize; 0], "{other}");
            for stream in [format!("{INGRESS} {other}"), format!("{other} {INGRESS}")] {
                assert_eq!(shown(&stream), [] as [usize; 0], "{stream}");
            }
            assert_eq!(shown(&format!("{INGRESS}\r--- {other}\n")), [] as [usize; 0], "{other}");
        }
        assert_eq!(shown(&format!("apiVersion: v1\nkind: List\nitems:\n- {INGRESS}\n")), [1, 2, 3, 4]);
        assert_eq!(shown(&format!("{INGRESS} # {}", "x".repeat(MAX_LINE_BYTES))), [] as [usize; 0]);
    }
}
