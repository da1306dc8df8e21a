//! The inotify watches that are set: one on each real directory, so that hidden directories are left out, and changes beside a
//! linked file are not missed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::pending::FileEvent;

/// The watches that are set.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// `None`: the system gives none.
    watcher: Option<RecommendedWatcher>,
    /// Directories, and their inodes.
    directories: BTreeMap<PathBuf, u64>,
}

impl Watches {
    /// No watch yet. `events` is called, on a thread of its own, with each event that may matter.
    pub(super) fn new(dir: &Path, events: impl Fn(notify::Result<notify::Event>) + Send + 'static) -> Self {
        let matters = |event: &notify::Event| event.need_rescan() || file_event(event.kind).is_some();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, matters) {
                events(event);
            }
        });
        match watcher {
            Ok(watcher) => Self { watcher: Some(watcher), directories: BTreeMap::new() },
            Err(error) => {
                warn(dir, &error);
                Self::default()
            }
        }
    }

    /// Whether the system gives watches.
    pub(super) fn are_set(&self) -> bool {
        self.watcher.is_some()
    }

    /// Whether a directory is watched.
    pub(super) fn has(&self, directory: &Path) -> bool {
        self.directories.contains_key(directory)
    }

    /// How many directories are watched.
    pub(super) fn count(&self) -> usize {
        self.directories.len()
    }

    /// The directories that are watched.
    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        self.directories.keys().cloned().collect()
    }

    /// Watches a directory: anew, where another has taken its place.
    pub(super) fn add(&mut self, directory: &Path) {
        let Ok(metadata) = directory.metadata() else { return };
        match self.directories.get(directory) {
            Some(inode) if *inode == metadata.ino() => return,
            Some(_) => self.remove(directory),
            None => {}
        }
        let Some(watcher) = &mut self.watcher else { return };
        match watcher.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.directories.insert(directory.to_owned(), metadata.ino());
            }
            // Gone meanwhile, or not ours to look at: the scan says so.
            Err(error) if is_about_the_path(&error) => {}
            Err(error) => {
                warn(directory, &error);
                *self = Self::default();
            }
        }
    }

    /// Returns once every event that the system had by now has been handed on.
    pub(super) fn catch_up(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        // The thread of the watcher answers between two rounds of reading events. The first answer may come
        // before the events of its round are read; the second comes after.
        for _ in 0..2 {
            drop(watcher.configure(Config::default()));
        }
    }

    /// Ends the watch of a directory.
    pub(super) fn remove(&mut self, directory: &Path) {
        self.directories.remove(directory);
        if let Some(watcher) = &mut self.watcher {
            // The system ends the watch of a directory that is removed by itself.
            drop(watcher.unwatch(directory));
        }
    }

    /// Ends all watches but those of `wanted`.
    pub(super) fn keep(&mut self, wanted: &BTreeSet<PathBuf>) {
        for directory in self.directories() {
            if !wanted.contains(&directory) {
                self.remove(&directory);
            }
        }
    }
}

/// What happened to the paths of an event; `None` for what changes nothing.
pub(super) fn file_event(kind: EventKind) -> Option<FileEvent> {
    Some(match kind {
        EventKind::Create(_) => FileEvent::Created,
        EventKind::Access(AccessKind::Open(_)) => FileEvent::Opened,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => FileEvent::Closed,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return None,
        EventKind::Modify(ModifyKind::Data(_)) => FileEvent::Written,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => FileEvent::Removed,
        EventKind::Modify(ModifyKind::Name(_)) => FileEvent::Renamed,
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => FileEvent::Altered,
    })
}

fn is_about_the_path(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
        }
        _ => false,
    }
}

fn warn(dir: &Path, error: &notify::Error) {
    tracing::warn!(
        directory = %dir.display(),
        %error,
        "the directory can't be watched, and is looked through four times a second instead; \
         raise fs.inotify.max_user_watches or max_user_instances"
    );
}
