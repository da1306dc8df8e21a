//! Where each object was written: file, document and line of each field. Names and places, never values.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::object::{self, Object};
use super::span::{Packed, Place, Side, Span};
use crate::model::Kind;
use crate::model::{Key, ObjectRef};
use crate::report::{Reason, Report};

/// A place in a manifest.
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
    /// By file, in the order of paths: the first that holds an object is the one that is served.
    files: Vec<Arc<Written>>,
    /// Of what the source itself reports. Such a report may be about a version of a file that is not served.
    reports: Arc<BTreeMap<Report, Location>>,
}

/// The objects of one file.
#[derive(Default, PartialEq)]
pub(super) struct Written {
    /// The file, relative to the directory.
    pub(super) file: PathBuf,
    /// The objects, by kind and key.
    pub(super) items: BTreeMap<(Kind, Key), Item>,
}

/// An object and where it stands.
#[derive(Clone, PartialEq)]
pub(super) struct Item {
    pub(super) object: Object,
    /// Which document of the file, from 1.
    pub(super) document: u32,
    /// Where it begins.
    pub(super) line: u32,
    /// Where its fields stand.
    pub(super) span: Packed,
}

impl Item {
    /// Where a field of it stands.
    pub(super) fn locate(&self, file: &Path, reason: Reason, field: &str) -> Location {
        location(file, self.document as usize, place(&self.span.unpack(self.line), reason, field))
    }
}

/// The file and a count: the places of all fields would drown a log.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("file", &self.file).field("objects", &self.items.len()).finish()
    }
}

impl Origins {
    /// Origins of the objects of `files`, and of `reports`.
    pub(super) fn new(files: Vec<Arc<Written>>, reports: Arc<BTreeMap<Report, Location>>) -> Self {
        Self { files, reports }
    }

    /// By which the places of reports are found.
    pub fn locator(&self) -> Locator<'_> {
        Locator { origins: self, last: None }
    }

    /// The object, if it came from a file.
    fn find(&self, ObjectRef { kind, key }: &ObjectRef) -> Option<(&Written, &Item)> {
        let identity = (*kind, key.clone());
        self.files.iter().find_map(|written| Some((&**written, written.items.get(&identity)?)))
    }

    /// How many files were read.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The objects that were read, in no order that means anything; one that two files hold comes twice.
    pub fn objects(&self) -> impl Iterator<Item = ObjectRef> {
        self.files.iter().flat_map(|written| written.items.keys()).map(|(kind, key)| object::reference(*kind, key))
    }
}

/// Finds the places of reports. Those that are about one object are best asked for one after the other.
#[derive(Debug)]
pub struct Locator<'a> {
    origins: &'a Origins,
    last: Option<(ObjectRef, Option<Found<'a>>)>,
}

#[derive(Debug)]
struct Found<'a> {
    file: &'a Path,
    document: u32,
    span: Span,
}

impl Locator<'_> {
    /// The place that a report is about: its field, else the nearest field around it that was written,
    /// else the object. `None` where the object came from no file.
    pub fn locate(&mut self, report: &Report) -> Option<Location> {
        if let Some(location) = self.origins.reports.get(report) {
            return Some(location.clone());
        }
        if self.last.as_ref().is_none_or(|(object, _)| *object != report.object) {
            let found = self.origins.find(&report.object).map(|(written, item)| Found {
                file: &written.file,
                document: item.document,
                span: item.span.unpack(item.line),
            });
            self.last = Some((report.object.clone(), found));
        }
        let Found { file, document, span } = self.last.as_ref()?.1.as_ref()?;
        Some(location(file, *document as usize, place(span, report.reason, &report.field)))
    }
}

/// Where the field of a report stands: its name where the object is not of its form, else its value.
pub(super) fn place(span: &Span, reason: Reason, field: &str) -> Place {
    let side = if matches!(reason, Reason::InvalidObject | Reason::UnknownKind) { Side::Key } else { Side::Value };
    span.locate(field, side)
}

/// A place in a document of a file.
pub(super) fn location(file: &Path, document: usize, place: Place) -> Location {
    Location { file: file.to_owned(), document, line: place.line as usize, column: place.column as usize }
}
