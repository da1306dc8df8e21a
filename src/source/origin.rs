//! Where each object was written: file, document and line of each field.

use std::path::PathBuf;

use crate::status::Report;

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {}

impl Origins {
    /// The place that a report is about: its field, else the nearest field around it that was written,
    /// else the object. `None` where the object came from no file.
    pub fn locate(&self, _report: &Report) -> Option<Location> {
        None
    }
}
