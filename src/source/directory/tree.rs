//! All files of the directory as they are served, and the input that they make.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, File};
use super::scan::{MAX, Scan, Stamp};
use crate::source::kind::Kind;
use crate::source::object;
use crate::source::{Input, Key, Location, Origins, Snapshot};
use crate::status::{Reason, Report, Severity};

/// The files, by their path relative to the directory.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<PathBuf, (Option<Stamp>, File)>,
    failed: BTreeMap<PathBuf, String>,
    crowded: bool,
    sprawling: bool,
    changed: bool,
}

/// A file whose stamp is not that of the version that was read last.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Relative to the directory.
    pub(super) name: PathBuf,
    /// The real path.
    pub(super) path: PathBuf,
    /// The new stamp.
    pub(super) stamp: Stamp,
}

impl Tree {
    /// The files that have to be read again.
    pub(super) fn compare(&self, scan: &Scan) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, found) in &scan.files {
            let Ok(stamp) = found.stamp else { continue };
            let before = self.files.get(name).and_then(|(stamp, _)| *stamp);
            if before != Some(stamp) {
                let (name, path) = (name.clone(), found.real.clone());
                changes.push(Change { name, path, stamp });
            }
        }
        changes
    }

    /// Takes what was read of a changed file.
    pub(super) fn replace(&mut self, change: &Change, content: io::Result<Vec<u8>>) {
        let (stamp, file) = self.files.entry(change.name.clone()).or_default();
        *stamp = content.is_ok().then_some(change.stamp);
        self.changed |= file.update(&change.name, content);
    }

    /// Takes what a scan found that is not the content of files: which are gone, and what can't be looked at.
    pub(super) fn settle(&mut self, scan: &Scan) {
        for (name, found) in &scan.files {
            if let Err(reason) = &found.stamp {
                let (stamp, file) = self.files.entry(name.clone()).or_default();
                *stamp = None;
                self.changed |= file.fail(name, reason);
            }
        }
        // What is in a directory that can't be looked at may well be there still.
        let before = self.files.len();
        self.files.retain(|name, _| {
            scan.files.contains_key(name) || scan.failed.keys().any(|failed| name.starts_with(failed))
        });
        self.changed |= self.files.len() != before || self.failed != scan.failed;
        self.changed |= (self.crowded, self.sprawling) != (scan.crowded, scan.sprawling);
        self.failed.clone_from(&scan.failed);
        (self.crowded, self.sprawling) = (scan.crowded, scan.sprawling);
    }

    /// Notes that one file is gone.
    pub(super) fn remove(&mut self, name: &Path) {
        self.changed |= self.files.remove(name).is_some();
    }

    /// Whether a file has been read that was not empty.
    pub(super) fn is_filled(&self, name: &Path) -> bool {
        self.files.get(name).is_some_and(|(stamp, _)| stamp.is_some_and(|stamp| stamp.size > 0))
    }

    /// The input, if it is not the one that was taken last.
    pub(super) fn take_input(&mut self) -> Option<Input> {
        std::mem::take(&mut self.changed).then(|| self.input())
    }

    /// Everything that is served. Of two files with the same object the first keeps it.
    pub(super) fn input(&self) -> Input {
        let mut snapshot = Snapshot::default();
        let mut located: BTreeMap<Report, Location> = BTreeMap::new();
        let mut holders: BTreeMap<&(Kind, Key), &Path> = BTreeMap::new();
        for (name, reason) in &self.failed {
            let name = if name.as_os_str().is_empty() { Path::new(".") } else { name };
            let message = format!("the directory can't be read: {reason}; what was read before is served");
            let (report, location) = file::whole(name, message, "make it readable again, or remove it");
            located.insert(report, location);
        }
        for (is_over, what, remedy) in [
            (self.crowded, "manifests", "put several objects into one file"),
            (self.sprawling, "directories", "put the manifests into fewer directories"),
        ] {
            if is_over {
                let message = format!("there are more than {MAX} {what}, and the others are not read");
                let (report, location) = file::whole(Path::new("."), message, remedy);
                located.insert(report, location);
            }
        }
        for (name, (_, file)) in &self.files {
            located.extend(file.reports.iter().cloned());
            let classes = file.refused.iter().filter(|(kind, _)| *kind == Kind::IngressClass);
            snapshot.refused_classes.extend(classes.map(|(_, key)| key.name.clone()));
            for (identity, item) in &file.items {
                if let Some(holder) = holders.get(identity) {
                    let report = duplicate(identity, holder, name);
                    if let Some(location) = file.locate(name, identity, &report.field) {
                        located.insert(report, location);
                    }
                    continue;
                }
                holders.insert(identity, name);
                item.object.insert(identity.1.clone(), &mut snapshot);
            }
        }
        let written = self.files.values().map(|(_, file)| file.written.clone()).collect();
        Input {
            snapshot: Arc::new(snapshot),
            reports: located.keys().cloned().collect(),
            origins: Arc::new(Origins::new(written, located)),
        }
    }
}

fn duplicate((kind, key): &(Kind, Key), holder: &Path, name: &Path) -> Report {
    Report {
        object: object::reference(*kind, key),
        field: "metadata.name".to_owned(),
        reason: Reason::DuplicateObject,
        severity: Severity::Error,
        message: format!("{} holds the same object; that of {} is not served", holder.display(), name.display()),
        remedy: "remove one of the two, or give it another name".to_owned(),
    }
}
