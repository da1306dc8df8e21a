//! All files of the directory as they are served, and the input that is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, FileUpdate, ObjectChange, ServedFile};
use super::scan::{FileStamp, MAX_ENTRIES, Scan};
use crate::model::{Kind, ObjectRef, alternating};
use crate::report::{Reason, Report, Severity};
use crate::source::{Input, Location, Origins, Snapshot};

/// The files, by their path relative to the directory.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<PathBuf, TreeFile>,
    /// Paths that can't be looked at, and why.
    failed: BTreeMap<PathBuf, String>,
    /// Whether there are more manifests than are read.
    has_too_many_files: bool,
    /// Whether there are more directories than are looked through.
    has_too_many_directories: bool,
    /// The objects of all files. Where two files hold the same object, that of the first is served.
    served: Snapshot,
    /// The objects that more than one file holds, and those files.
    duplicates: BTreeMap<ObjectRef, BTreeSet<PathBuf>>,
    /// The reports and their locations; `None`: something of them has changed.
    located: Option<Arc<BTreeMap<Report, Location>>>,
    /// Whether the input is not the one that was taken last.
    changed: bool,
}

/// One file, and the stamp of the version that was read last; none: it can't be read.
#[derive(Default)]
struct TreeFile {
    stamp: Option<FileStamp>,
    file: ServedFile,
}

/// A file whose stamp is not that of the version that was read last.
#[derive(Debug, Clone)]
pub(super) struct FileChange {
    /// Relative to the directory.
    pub(super) name: PathBuf,
    /// The real path.
    pub(super) path: PathBuf,
    /// The new stamp.
    pub(super) stamp: FileStamp,
}

impl Tree {
    /// The files that have to be read again.
    pub(super) fn compare(&self, scan: &Scan) -> Vec<FileChange> {
        let mut changes = Vec::new();
        for (name, found) in &scan.files {
            let Ok(stamp) = found.stamp else { continue };
            let before = self.files.get(name).and_then(|known| known.stamp);
            if before != Some(stamp) {
                let (name, path) = (name.clone(), found.real.clone());
                changes.push(FileChange { name, path, stamp });
            }
        }
        changes
    }

    /// Takes the text of a changed file, or why it can't be read.
    pub(super) fn replace(&mut self, change: &FileChange, content: io::Result<Vec<u8>>) {
        let TreeFile { stamp, file } = self.files.entry(change.name.clone()).or_default();
        *stamp = content.is_ok().then_some(change.stamp);
        let had_reports = !file.reports.is_empty();
        let FileUpdate { changed, objects } = file.update(&change.name, content);
        // An object may stand elsewhere now, though it has not changed.
        if changed && (had_reports || !file.reports.is_empty() || !self.duplicates.is_empty()) {
            self.located = None;
        }
        self.changed |= changed;
        for ObjectChange { object, existed } in alternating(objects) {
            self.update_served(&change.name, object, existed);
        }
    }

    /// Serves an object of a file that came, went or changed there.
    fn update_served(&mut self, name: &Path, object: ObjectRef, existed: bool) {
        let written = self.files.get(name).and_then(|known| known.file.served.objects.get(&object));
        if !self.duplicates.contains_key(&object) {
            match written {
                None => return self.served.remove(&object),
                Some(written) if existed || !self.served.contains(&object) => {
                    return written.object.insert(object.key, &mut self.served);
                }
                Some(_) => {}
            }
        }
        self.located = None;
        // Another file holds the object too, or did: the first of them serves it.
        let holds = |known: &TreeFile| known.file.served.objects.contains_key(&object);
        let holders = self.duplicates.entry(object.clone()).or_insert_with(|| {
            self.files.iter().filter(|(_, known)| holds(known)).map(|(name, _)| name.clone()).collect()
        });
        if written.is_some() {
            holders.insert(name.to_owned());
        } else {
            holders.remove(name);
        }
        let first = holders.first().and_then(|first| self.files.get(first));
        if let Some(written) = first.and_then(|known| known.file.served.objects.get(&object)) {
            written.object.insert(object.key.clone(), &mut self.served);
        }
        if holders.len() < 2 {
            self.duplicates.remove(&object);
        }
    }

    /// Takes the result of a scan, but for the content of files: which files are gone, and which paths can't be looked at.
    pub(super) fn apply_scan(&mut self, scan: &Scan) {
        for (name, found) in &scan.files {
            if let Err(reason) = &found.stamp {
                let TreeFile { stamp, file } = self.files.entry(name.clone()).or_default();
                *stamp = None;
                if file.fail(name, reason) {
                    (self.changed, self.located) = (true, None);
                }
            }
        }
        // A file in a directory that can't be looked at may well be there still.
        let is_gone = |name: &&PathBuf| {
            !scan.files.contains_key(*name) && !scan.failed.keys().any(|failed| name.starts_with(failed))
        };
        let gone: Vec<PathBuf> = self.files.keys().filter(is_gone).cloned().collect();
        gone.iter().for_each(|name| self.remove(name));
        let before = (self.has_too_many_files, self.has_too_many_directories);
        let now = (scan.has_too_many_files, scan.has_too_many_directories);
        if self.failed != scan.failed || before != now {
            (self.changed, self.located) = (true, None);
        }
        self.failed.clone_from(&scan.failed);
        (self.has_too_many_files, self.has_too_many_directories) = now;
    }

    /// Notes that one file is gone.
    pub(super) fn remove(&mut self, name: &Path) {
        let Some(TreeFile { file, .. }) = self.files.remove(name) else { return };
        self.changed = true;
        if !file.reports.is_empty() {
            self.located = None;
        }
        for object in file.served.objects.keys() {
            self.update_served(name, object.clone(), true);
        }
    }

    /// Whether a file has been read that was not empty.
    pub(super) fn is_filled(&self, name: &Path) -> bool {
        self.files.get(name).is_some_and(|known| known.stamp.is_some_and(|stamp| stamp.size > 0))
    }

    /// The input, if it is not the one that was taken last.
    pub(super) fn take_input(&mut self) -> Option<Input> {
        std::mem::take(&mut self.changed).then(|| self.input())
    }

    /// Everything that is served.
    pub(super) fn input(&mut self) -> Input {
        let located = match self.located.take() {
            Some(located) => located,
            None => Arc::new(self.locate()),
        };
        self.located = Some(Arc::clone(&located));
        let written = self.files.values().map(|known| Arc::clone(&known.file.served)).collect();
        Input {
            snapshot: Arc::new(self.served.clone()),
            reports: located.keys().cloned().collect(),
            origins: Arc::new(Origins::new(written, located)),
        }
    }

    /// The reports on all files, and their locations. Brings the classes that are refused up to date too.
    fn locate(&mut self) -> BTreeMap<Report, Location> {
        let mut located: BTreeMap<Report, Location> = BTreeMap::new();
        for (name, reason) in &self.failed {
            let name = if name.as_os_str().is_empty() { Path::new(".") } else { name };
            let message = format!("the directory can't be read: {reason}; what was read before is served");
            let (report, location) = file::file_report(name, message, "make it readable again, or remove it");
            located.insert(report, location);
        }
        for (is_over, what, remedy) in [
            (self.has_too_many_files, "manifests", "put several objects into one file"),
            (self.has_too_many_directories, "directories", "put the manifests into fewer directories"),
        ] {
            if is_over {
                let message = format!("there are more than {MAX_ENTRIES} {what}, and the others are not read");
                let (report, location) = file::file_report(Path::new("."), message, remedy);
                located.insert(report, location);
            }
        }
        self.served.refused_classes.clear();
        for TreeFile { file, .. } in self.files.values() {
            located.extend(file.reports.iter().cloned());
            let classes = file.refused.iter().filter(|object| object.kind == Kind::IngressClass);
            self.served.refused_classes.extend(classes.map(|class| class.name().to_owned()));
        }
        for (object, holders) in &self.duplicates {
            let mut holders = holders.iter();
            let Some(first) = holders.next() else { continue };
            for name in holders {
                let report = duplicate(object, first, name);
                let known = self.files.get(name);
                if let Some(location) = known.and_then(|known| known.file.locate(name, object, &report.field)) {
                    located.insert(report, location);
                }
            }
        }
        located
    }
}

fn duplicate(object: &ObjectRef, holder: &Path, name: &Path) -> Report {
    Report {
        object: object.clone(),
        field: "metadata.name".to_owned(),
        reason: Reason::DuplicateObject,
        severity: Severity::Error,
        message: format!("{} holds the same object; that of {} is not served", holder.display(), name.display()),
        remedy: "remove one of the two, or give it another name".to_owned(),
    }
}
