//! Which lines of a manifest may be shown beside a message: those of documents that hold no Secret for certain.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{self, Entry};
use super::span::{Inner, Span};
use super::yaml;
use crate::model::Kind;

/// The longest line that is shown, in bytes. A longer one is for machines.
const MAX_LENGTH: usize = 4096;

/// The lines that may be shown, by their number from 1: each holds a part of a document of which every object is
/// known, and none is a Secret. A document is taken as a whole, for a value may end on the line where the next
/// object begins.
pub(crate) fn showable(bytes: &[u8]) -> BTreeMap<usize, String> {
    let Ok(text) = std::str::from_utf8(bytes) else { return BTreeMap::new() };
    // To YAML these end a line; not to `str::lines`.
    if text.replace("\r\n", "\n").contains('\r') {
        return BTreeMap::new();
    }
    let (mut shown, mut hidden) = (BTreeSet::new(), BTreeSet::new());
    let faults = yaml::parse(bytes, &mut |document| {
        let span = document.span.clone();
        let entries = object::entries(document);
        let known = !entries.is_empty() && entries.iter().all(is_known);
        note(&span, if known { &mut shown } else { &mut hidden });
    });
    hidden.extend(faults.iter().map(|fault| fault.place.line));
    (1u32..)
        .zip(text.lines())
        .filter(|(number, line)| line.len() <= MAX_LENGTH && shown.contains(number) && !hidden.contains(number))
        .map(|(number, line)| (number as usize, line.to_owned()))
        .collect()
}

fn is_known(entry: &Entry) -> bool {
    entry.identity.as_ref().is_some_and(|(kind, _)| *kind != Kind::Secret)
}

/// Adds the lines on which `span` and what it holds begin.
fn note(span: &Span, lines: &mut BTreeSet<u32>) {
    lines.extend(span.key.map(|key| key.line));
    lines.insert(span.value.line);
    match &span.inner {
        Inner::Nothing => {}
        Inner::Fields(fields) => fields.iter().for_each(|(_, inner)| note(inner, lines)),
        Inner::Items(items) => items.iter().for_each(|inner| note(inner, lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<usize> {
        showable(text.as_bytes()).into_keys().collect()
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
        assert_eq!(shown(&format!("{INGRESS} # {}", "x".repeat(MAX_LENGTH))), [] as [usize; 0]);
    }
}
