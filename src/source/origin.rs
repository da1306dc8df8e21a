//! Where each object was written: file, document, and line and column of each field. Holds names and positions, never values.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compact::PackedSpan;
use super::object::Object;
use super::span::{FieldSide, Position, Span};
use crate::model::ObjectRef;
use crate::report::{Reason, Report};

/// A position in a file of manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, relative to the directory that is served.
    pub file: PathBuf,
    /// Which document of the file, from 1.
    pub document: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

/// Where the objects of an input were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origins {
    /// The files in the order of their paths: the first that holds an object is the one that is served.
    files: Vec<Arc<FileObjects>>,
    /// The locations of the reports of the source itself. Such a report may be about a version of a file that is not served.
    reports: Arc<BTreeMap<Report, Location>>,
}

/// The objects of one file.
#[derive(Default, PartialEq)]
pub(super) struct FileObjects {
    /// The file, relative to the directory.
    pub(super) file: PathBuf,
    /// The objects, by kind and name.
    pub(super) objects: BTreeMap<ObjectRef, WrittenObject>,
}

/// An object, and where it stands in its file.
#[derive(Clone, PartialEq)]
pub(super) struct WrittenObject {
    pub(super) object: Object,
    /// Which document of the file, from 1.
    pub(super) document: u32,
    /// Where it begins.
    pub(super) line: u32,
    /// Where its fields stand.
    pub(super) span: PackedSpan,
}

impl WrittenObject {
    /// Where a field of it stands.
    pub(super) fn locate(&self, file: &Path, reason: Reason, field: &str) -> Location {
        location(file, self.document as usize, position(&self.span.unpack(self.line), reason, field))
    }
}

/// The file and a count: the positions of all fields would drown a log.
impl fmt::Debug for FileObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileObjects").field("file", &self.file).field("objects", &self.objects.len()).finish()
    }
}

impl Origins {
    /// Origins of the objects of `files`, and of `reports`.
    pub(super) fn new(files: Vec<Arc<FileObjects>>, reports: Arc<BTreeMap<Report, Location>>) -> Self {
        Self { files, reports }
    }

    /// Finds the locations of reports.
    pub fn locator(&self) -> Locator<'_> {
        Locator { origins: self, last: None }
    }

    /// The object, if it came from a file.
    fn find(&self, object: &ObjectRef) -> Option<(&FileObjects, &WrittenObject)> {
        self.files.iter().find_map(|file| Some((&**file, file.objects.get(object)?)))
    }

    /// How many files were read.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The objects that were read, in no particular order; one that two files hold comes twice.
    pub fn objects(&self) -> impl Iterator<Item = ObjectRef> {
        self.files.iter().flat_map(|file| file.objects.keys()).cloned()
    }
}

/// Finds the locations of reports. It keeps what it has found out about one object, so that the reports of an object are best
/// asked for one after the other.
#[derive(Debug)]
pub struct Locator<'a> {
    origins: &'a Origins,
    last: Option<(ObjectRef, Option<UnpackedOrigin<'a>>)>,
}

/// Where one object stands, in full.
#[derive(Debug)]
struct UnpackedOrigin<'a> {
    file: &'a Path,
    document: u32,
    span: Span,
}

impl Locator<'_> {
    /// The location that a report is about: its field, else the nearest field around it that was written, else the object. `None` where the object came from no file.
    pub fn locate(&mut self, report: &Report) -> Option<Location> {
        if let Some(location) = self.origins.reports.get(report) {
            return Some(location.clone());
        }
        if self.last.as_ref().is_none_or(|(object, _)| *object != report.object) {
            let found = self.origins.find(&report.object).map(|(file, object)| UnpackedOrigin {
                file: &file.file,
                document: object.document,
                span: object.span.unpack(object.line),
            });
            self.last = Some((report.object.clone(), found));
        }
        let UnpackedOrigin { file, document, span } = self.last.as_ref()?.1.as_ref()?;
        Some(location(file, *document as usize, position(span, report.reason, &report.field)))
    }
}

/// Where the field of a report stands: its name where the field itself is wrong, else its value.
pub(super) fn position(span: &Span, reason: Reason, field: &str) -> Position {
    let side =
        if matches!(reason, Reason::InvalidObject | Reason::UnknownKind) { FieldSide::Key } else { FieldSide::Value };
    span.locate(field, side)
}

/// The location of a position in a document of a file.
pub(super) fn location(file: &Path, document: usize, position: Position) -> Location {
    Location { file: file.to_owned(), document, line: position.line as usize, column: position.column as usize }
}
