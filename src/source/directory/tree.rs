//! All files of the directory as they are served, and the input that they make.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, File, Updated};
use super::scan::{MAX, Scan, Stamp};
use crate::model::Kind;
use crate::model::alternating;
use crate::report::{Reason, Report, Severity};
use crate::source::object;
use crate::source::{Input, Key, Location, Origins, Snapshot};

/// The files, by their path relative to the directory.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<PathBuf, (Option<Stamp>, File)>,
    failed: BTreeMap<PathBuf, String>,
    crowded: bool,
    sprawling: bool,
    /// What is served of all files. Of two with the same object the first keeps it.
    served: Snapshot,
    /// The files that hold each object that more than one holds.
    several: BTreeMap<Identity, BTreeSet<PathBuf>>,
    /// What is reported, and where; `None`: something of that has changed.
    located: Option<Arc<BTreeMap<Report, Location>>>,
    changed: bool,
}

/// Kind and key of an object.
type Identity = (Kind, Key);

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
        let reported = !file.reports.is_empty();
        let Updated { changed, objects } = file.update(&change.name, content);
        // Where an object stands may have changed, though it has not.
        if changed && (reported || !file.reports.is_empty() || !self.several.is_empty()) {
            self.located = None;
        }
        self.changed |= changed;
        for (identity, was_there) in alternating(objects) {
            self.place(&change.name, identity, was_there);
        }
    }

    /// Serves an object of a file that came, went or changed there.
    fn place(&mut self, name: &Path, identity: Identity, was_there: bool) {
        let item = self.files.get(name).and_then(|(_, file)| file.written.items.get(&identity));
        if !self.several.contains_key(&identity) {
            match item {
                None => return object::remove(&identity, &mut self.served),
                Some(item) if was_there || !object::is_in(&identity, &self.served) => {
                    return item.object.insert(identity.1, &mut self.served);
                }
                Some(_) => {}
            }
        }
        self.located = None;
        let holds = |(_, file): &(_, File)| file.written.items.contains_key(&identity);
        let holders = self.several.entry(identity.clone()).or_insert_with(|| {
            self.files.iter().filter(|(_, file)| holds(file)).map(|(name, _)| name.clone()).collect()
        });
        if item.is_some() {
            holders.insert(name.to_owned())
        } else {
            holders.remove(name)
        };
        let first = holders.first().and_then(|first| self.files.get(first));
        if let Some(item) = first.and_then(|(_, file)| file.written.items.get(&identity)) {
            item.object.insert(identity.1.clone(), &mut self.served);
        }
        if holders.len() < 2 {
            self.several.remove(&identity);
        }
    }

    /// Takes what a scan found that is not the content of files: which are gone, and what can't be looked at.
    pub(super) fn settle(&mut self, scan: &Scan) {
        for (name, found) in &scan.files {
            if let Err(reason) = &found.stamp {
                let (stamp, file) = self.files.entry(name.clone()).or_default();
                *stamp = None;
                if file.fail(name, reason) {
                    (self.changed, self.located) = (true, None);
                }
            }
        }
        // What is in a directory that can't be looked at may well be there still.
        let is_gone = |name: &&PathBuf| {
            !scan.files.contains_key(*name) && !scan.failed.keys().any(|failed| name.starts_with(failed))
        };
        let gone: Vec<PathBuf> = self.files.keys().filter(is_gone).cloned().collect();
        gone.iter().for_each(|name| self.remove(name));
        if self.failed != scan.failed || (self.crowded, self.sprawling) != (scan.crowded, scan.sprawling) {
            (self.changed, self.located) = (true, None);
        }
        self.failed.clone_from(&scan.failed);
        (self.crowded, self.sprawling) = (scan.crowded, scan.sprawling);
    }

    /// Notes that one file is gone.
    pub(super) fn remove(&mut self, name: &Path) {
        let Some((_, file)) = self.files.remove(name) else { return };
        self.changed = true;
        if !file.reports.is_empty() {
            self.located = None;
        }
        for identity in file.written.items.keys() {
            self.place(name, identity.clone(), true);
        }
    }

    /// Whether a file has been read that was not empty.
    pub(super) fn is_filled(&self, name: &Path) -> bool {
        self.files.get(name).is_some_and(|(stamp, _)| stamp.is_some_and(|stamp| stamp.size > 0))
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
        let written = self.files.values().map(|(_, file)| file.written.clone()).collect();
        Input {
            snapshot: Arc::new(self.served.clone()),
            reports: located.keys().cloned().collect(),
            origins: Arc::new(Origins::new(written, located)),
        }
    }

    /// What is reported of all files, and where; and the classes that are refused.
    fn locate(&mut self) -> BTreeMap<Report, Location> {
        let mut located: BTreeMap<Report, Location> = BTreeMap::new();
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
        self.served.refused_classes.clear();
        for (_, file) in self.files.values() {
            located.extend(file.reports.iter().cloned());
            let classes = file.refused.iter().filter(|(kind, _)| *kind == Kind::IngressClass);
            self.served.refused_classes.extend(classes.map(|(_, key)| key.name().to_owned()));
        }
        for (identity, holders) in &self.several {
            let mut holders = holders.iter();
            let Some(first) = holders.next() else { continue };
            for name in holders {
                let report = duplicate(identity, first, name);
                let file = self.files.get(name).map(|(_, file)| file);
                if let Some(location) = file.and_then(|file| file.locate(name, identity, &report.field)) {
                    located.insert(report, location);
                }
            }
        }
        located
    }
}

fn duplicate((kind, key): &Identity, holder: &Path, name: &Path) -> Report {
    Report {
        object: object::reference(*kind, key),
        field: "metadata.name".to_owned(),
        reason: Reason::DuplicateObject,
        severity: Severity::Error,
        message: format!("{} holds the same object; that of {} is not served", holder.display(), name.display()),
        remedy: "remove one of the two, or give it another name".to_owned(),
    }
}
