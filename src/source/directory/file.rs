//! One file of manifests: the objects of each version of it, and which version is served.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::model::{Kind, ObjectRef};
use crate::report::{Reason, Report, Severity};
use crate::source::compact::PackedSpan;
use crate::source::object::{self, DocumentObject};
use crate::source::origin::{self, FileObjects, Location, WrittenObject};
use crate::source::problem::FieldProblem;
use crate::source::span::Position;
use crate::source::yaml;

/// The effect of an update of a file.
#[derive(Default)]
pub(super) struct FileUpdate {
    /// Whether anything is different at all, reports included.
    pub(super) changed: bool,
    /// The objects that came, went or changed.
    pub(super) objects: Vec<ObjectChange>,
}

/// An object that came, went or changed in a file.
pub(super) struct ObjectChange {
    pub(super) object: ObjectRef,
    /// Whether the file held the object before.
    pub(super) existed: bool,
}

/// One version of a file.
#[derive(Default)]
struct FileVersion {
    objects: BTreeMap<ObjectRef, WrittenObject>,
    /// The spans of the objects, each once.
    spans: HashSet<PackedSpan>,
    reports: Vec<(Report, Location)>,
    /// The objects that are refused.
    refused: BTreeSet<ObjectRef>,
    /// The documents that can't be read.
    unreadable: BTreeSet<usize>,
    /// Whether nothing in it is refused.
    is_good: bool,
}

/// A file, as it is served.
#[derive(Default)]
pub(super) struct ServedFile {
    /// A hash of the text that was read last.
    content_hash: Option<u64>,
    /// The objects that are served.
    pub(super) served: Arc<FileObjects>,
    /// The reports on the version that was read last.
    pub(super) reports: Vec<(Report, Location)>,
    /// The objects that are refused in that version.
    pub(super) refused: BTreeSet<ObjectRef>,
    /// Whether the objects are those of a version of which nothing was refused.
    is_good: bool,
}

impl ServedFile {
    /// Takes the text of a new version, or why it can't be read.
    pub(super) fn update(&mut self, path: &Path, content: io::Result<Vec<u8>>) -> FileUpdate {
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(error) => return FileUpdate { changed: self.fail(path, &error.to_string()), ..FileUpdate::default() },
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let content_hash = Some(hasher.finish());
        if self.content_hash == content_hash {
            return FileUpdate::default();
        }
        self.content_hash = content_hash;
        FileUpdate { changed: true, objects: self.take(path, read(path, &bytes)) }
    }

    /// Notes that the file can't be read; its objects stay as they were read before. Whether that is new.
    pub(super) fn fail(&mut self, path: &Path, reason: &str) -> bool {
        let fault = file_report(path, format!("the file can't be read: {reason}"), "make it readable, or remove it");
        self.content_hash = None;
        let changed = self.reports.len() != 1 || self.reports[0] != fault;
        self.reports = vec![fault];
        changed
    }

    /// Serves a version, if it may be. Gives the objects that came, went or changed by that.
    ///
    /// A good version replaces the objects that are served. A version in which something is refused does not. Only where
    /// there never was a good one, its good objects are served; and an object that is refused now, but was served before,
    /// stays as it was.
    fn take(&mut self, path: &Path, version: FileVersion) -> Vec<ObjectChange> {
        self.reports = version.reports;
        self.refused = version.refused;
        if !version.is_good && self.is_good {
            return Vec::new();
        }
        let before = Arc::clone(&self.served);
        let (mut objects, mut changed) = (version.objects, Vec::new());
        for (reference, old) in &before.objects {
            match objects.remove(reference) {
                // An object that has not changed stays the same allocation, so that its users can tell.
                Some(new) if new.object == old.object => {
                    objects.insert(reference.clone(), WrittenObject { object: old.object.clone(), ..new });
                }
                Some(new) => {
                    objects.insert(reference.clone(), new);
                    changed.push(ObjectChange { object: reference.clone(), existed: true });
                }
                // It stood in a document that can't be read, and may be there still.
                None if self.refused.contains(reference) || version.unreadable.contains(&(old.document as usize)) => {
                    objects.insert(reference.clone(), old.clone());
                }
                None => changed.push(ObjectChange { object: reference.clone(), existed: true }),
            }
        }
        let new = objects.keys().filter(|reference| !before.objects.contains_key(*reference));
        changed.extend(new.map(|reference| ObjectChange { object: reference.clone(), existed: false }));
        self.is_good = version.is_good;
        // A map that is collected from sorted entries has no room to spare.
        let objects = objects.into_iter().collect();
        self.served = Arc::new(FileObjects { file: path.to_owned(), objects });
        changed
    }

    /// Where the name of an object of this file stands.
    pub(super) fn locate(&self, path: &Path, object: &ObjectRef, field: &str) -> Option<Location> {
        Some(self.served.objects.get(object)?.locate(path, Reason::DuplicateObject, field))
    }
}

/// A report about a file as a whole, and its location.
pub(super) fn file_report(path: &Path, message: String, remedy: &str) -> (Report, Location) {
    let report = Report {
        object: file_reference(path),
        field: String::new(),
        reason: Reason::Unreadable,
        severity: Severity::Error,
        message,
        remedy: remedy.to_owned(),
    };
    (report, origin::location(path, 1, Position { line: 1, column: 1 }))
}

fn file_reference(path: &Path) -> ObjectRef {
    ObjectRef::new(Kind::File, "", path.to_string_lossy())
}

/// The version of a file that has this text.
fn read(path: &Path, bytes: &[u8]) -> FileVersion {
    let mut version = FileVersion { is_good: true, ..FileVersion::default() };
    let faults = yaml::parse(bytes, &mut |document| {
        object::entries(document).into_iter().for_each(|entry| version.add(path, entry));
    });
    for fault in faults {
        version.unreadable.insert(fault.document);
        version.report(
            path,
            None,
            fault.document,
            fault.position,
            FieldProblem {
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

impl FileVersion {
    /// Adds an object, and the reports about it.
    fn add(&mut self, path: &Path, entry: DocumentObject) {
        for problem in entry.problems {
            let position = origin::position(&entry.span, problem.reason, &problem.field);
            self.report(path, entry.reference.as_ref(), entry.document, position, problem);
        }
        let Some(reference) = entry.reference else { return };
        let Some(object) = entry.object else {
            self.refused.insert(reference);
            return;
        };
        if let Some(first) = self.objects.get(&reference) {
            let field = "metadata.name";
            let position = origin::position(&entry.span, Reason::DuplicateObject, field);
            let problem = FieldProblem {
                field: field.to_owned(),
                reason: Reason::DuplicateObject,
                severity: Severity::Error,
                message: format!(
                    "document {} of this file holds the same object; this one is not served",
                    first.document
                ),
                remedy: "remove one of the two, or give it another name".to_owned(),
            };
            return self.report(path, Some(&reference), entry.document, position, problem);
        }
        let document = u32::try_from(entry.document).unwrap_or(u32::MAX);
        let span = PackedSpan::pack(&entry.span);
        let span = self.spans.get(&span).cloned().unwrap_or(span);
        self.spans.insert(span.clone());
        self.objects.insert(reference, WrittenObject { object, document, line: entry.span.value.line, span });
    }

    /// Adds a report: on the object where it is known, else on the file, with the position in it.
    fn report(
        &mut self,
        path: &Path,
        reference: Option<&ObjectRef>,
        document: usize,
        position: Position,
        problem: FieldProblem,
    ) {
        let FieldProblem { field, reason, severity, message, remedy } = problem;
        self.is_good &= severity != Severity::Error;
        let (object, field, message) = match reference {
            Some(reference) => (reference.clone(), field, message),
            None => {
                let written = format!("document {document}, line {}, column {}", position.line, position.column);
                let message = if field.is_empty() { message } else { format!("{field}: {message}") };
                (file_reference(path), written, message)
            }
        };
        let report = Report { object, field, reason, severity, message, remedy };
        self.reports.push((report, origin::location(path, document, position)));
    }
}
