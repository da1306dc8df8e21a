//! One file: the objects of a version of it, and which version is served.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::model::Kind;
use crate::model::ObjectRef;
use crate::report::{Reason, Report, Severity};
use crate::source::Key;
use crate::source::object::{self, Entry};
use crate::source::origin::{self, Item, Location, Written};
use crate::source::problem::Problem;
use crate::source::span::{Packed, Place};
use crate::source::yaml;

/// The objects of a file, by kind and key.
pub(super) type Items = BTreeMap<(Kind, Key), Item>;

/// What an update of a file has changed.
#[derive(Default)]
pub(super) struct Updated {
    /// Whether anything is different at all.
    pub(super) changed: bool,
    /// The objects that came, went or changed, each with whether it was there before.
    pub(super) objects: Vec<((Kind, Key), bool)>,
}

/// One version of a file.
#[derive(Default)]
pub(super) struct Version {
    items: Items,
    /// Those of the items, each once.
    spans: HashSet<Packed>,
    reports: Vec<(Report, Location)>,
    /// The objects that are refused.
    refused: BTreeSet<(Kind, Key)>,
    /// The documents that can't be read.
    unread: BTreeSet<usize>,
    /// Whether nothing in it is refused.
    good: bool,
}

/// A file, as it is served.
#[derive(Default)]
pub(super) struct File {
    /// What identifies the text that was read last.
    content: Option<u64>,
    /// The objects that are served.
    pub(super) written: Arc<Written>,
    /// What is wrong with the version that was read last.
    pub(super) reports: Vec<(Report, Location)>,
    /// The objects that are refused in that version.
    pub(super) refused: BTreeSet<(Kind, Key)>,
    /// Whether the objects are those of a version of which nothing was refused.
    good: bool,
}

impl File {
    /// Takes what was read.
    pub(super) fn update(&mut self, path: &Path, content: io::Result<Vec<u8>>) -> Updated {
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(error) => return Updated { changed: self.fail(path, &error.to_string()), ..Updated::default() },
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let content = Some(hasher.finish());
        if self.content == content {
            return Updated::default();
        }
        self.content = content;
        Updated { changed: true, objects: self.take(path, version(path, &bytes)) }
    }

    /// Notes that the file can't be read; what was read of it before stays.
    pub(super) fn fail(&mut self, path: &Path, reason: &str) -> bool {
        let fault = whole(path, format!("the file can't be read: {reason}"), "make it readable, or remove it");
        self.content = None;
        let changed = self.reports.len() != 1 || self.reports[0] != fault;
        self.reports = vec![fault];
        changed
    }

    /// A good version replaces what is served. One in which something is refused does not; only where there
    /// never was a good one, what is good in it is served, and of what was served before that which is refused now.
    fn take(&mut self, path: &Path, version: Version) -> Vec<((Kind, Key), bool)> {
        self.reports = version.reports;
        self.refused = version.refused;
        if !version.good && self.good {
            return Vec::new();
        }
        let before = Arc::clone(&self.written);
        let (mut items, mut changed) = (version.items, Vec::new());
        for (identity, old) in &before.items {
            match items.remove(identity) {
                // What has not changed stays the same object, under the same key, so that those who hold it can tell.
                Some(new) if new.object == old.object => {
                    items.insert(identity.clone(), Item { object: old.object.clone(), ..new });
                }
                Some(new) => {
                    items.insert(identity.clone(), new);
                    changed.push((identity.clone(), true));
                }
                // What stood in a document that can't be read may be there still.
                None if self.refused.contains(identity) || version.unread.contains(&(old.document as usize)) => {
                    items.insert(identity.clone(), old.clone());
                }
                None => changed.push((identity.clone(), true)),
            }
        }
        let new = items.keys().filter(|identity| !before.items.contains_key(*identity));
        changed.extend(new.map(|identity| (identity.clone(), false)));
        self.good = version.good;
        // Made whole of what is sorted, a map has no room to spare.
        let items = items.into_iter().collect();
        self.written = Arc::new(Written { file: path.to_owned(), items });
        changed
    }

    /// Where an object of this file is called by its name.
    pub(super) fn locate(&self, path: &Path, identity: &(Kind, Key), field: &str) -> Option<Location> {
        Some(self.written.items.get(identity)?.locate(path, Reason::DuplicateObject, field))
    }
}

/// Reads a file: no more of it than is parsed, and a byte, which tells that there is more.
pub(super) fn load(file: &mut fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(yaml::MAX_BYTES).unwrap_or(u64::MAX) + 1;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A report about a file as a whole.
pub(super) fn whole(path: &Path, message: String, remedy: &str) -> (Report, Location) {
    let report = Report {
        object: file_reference(path),
        field: String::new(),
        reason: Reason::Unreadable,
        severity: Severity::Error,
        message,
        remedy: remedy.to_owned(),
    };
    (report, origin::location(path, 1, Place { line: 1, column: 1 }))
}

fn file_reference(path: &Path) -> ObjectRef {
    ObjectRef::new(Kind::File, "", path.to_string_lossy())
}

fn version(path: &Path, bytes: &[u8]) -> Version {
    let mut version = Version { good: true, ..Version::default() };
    let faults = yaml::parse(bytes, &mut |document| {
        object::entries(document).into_iter().for_each(|entry| version.add(path, entry));
    });
    for fault in faults {
        version.unread.insert(fault.document);
        version.report(
            path,
            None,
            fault.document,
            fault.place,
            Problem {
                field: String::new(),
                reason: Reason::Unreadable,
                severity: Severity::Error,
                message: fault.message,
                remedy: fault.remedy,
            },
        );
    }
    version
}

impl Version {
    fn add(&mut self, path: &Path, entry: Entry) {
        let reference = entry.identity.as_ref().map(|(kind, key)| object::reference(*kind, key));
        for problem in entry.problems {
            let place = origin::place(&entry.span, problem.reason, &problem.field);
            self.report(path, reference.as_ref(), entry.document, place, problem);
        }
        let Some(identity) = entry.identity else { return };
        let Some(object) = entry.object else {
            self.refused.insert(identity);
            return;
        };
        if let Some(first) = self.items.get(&identity) {
            let field = "metadata.name";
            let place = origin::place(&entry.span, Reason::DuplicateObject, field);
            let problem = Problem {
                field: field.to_owned(),
                reason: Reason::DuplicateObject,
                severity: Severity::Error,
                message: format!(
                    "document {} of this file holds the same object; this one is not served",
                    first.document
                ),
                remedy: "remove one of the two, or give it another name".to_owned(),
            };
            return self.report(path, reference.as_ref(), entry.document, place, problem);
        }
        let document = u32::try_from(entry.document).unwrap_or(u32::MAX);
        let span = entry.span.pack();
        let span = self.spans.get(&span).cloned().unwrap_or(span);
        self.spans.insert(span.clone());
        self.items.insert(identity, Item { object, document, line: entry.span.value.line, span });
    }

    /// Adds a report: on the object where it is known, else on the file, with the place in it.
    fn report(&mut self, path: &Path, reference: Option<&ObjectRef>, document: usize, place: Place, problem: Problem) {
        let Problem { field, reason, severity, message, remedy } = problem;
        self.good &= severity != Severity::Error;
        let (object, field, message) = match reference {
            Some(reference) => (reference.clone(), field, message),
            None => {
                let written = format!("document {document}, line {}, column {}", place.line, place.column);
                let message = if field.is_empty() { message } else { format!("{field}: {message}") };
                (file_reference(path), written, message)
            }
        };
        let report = Report { object, field, reason, severity, message, remedy };
        self.reports.push((report, origin::location(path, document, place)));
    }
}
