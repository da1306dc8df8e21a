//! The thread that watches a directory: events in, inputs out.
//!
//! It scans the directory now and then, in case an event was lost; and often, where the system has no watches left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use tokio::sync::watch;

use super::DirectoryError;
use super::pending::{Batch, FileEvent, PendingChanges};
use super::reader::FileReader;
use super::scan::{FileStamp, Scan, is_hidden, is_manifest, scan};
use super::tree::{FileChange, Tree};
use super::watches::{Watches, file_event};
use crate::source::{Input, Inputs};

/// How often the directory is scanned though there was no event.
const RESCAN_INTERVAL: Duration = Duration::from_secs(30);
/// How often the directory is scanned while it does not exist.
const MISSING_DIRECTORY_INTERVAL: Duration = Duration::from_millis(100);
/// How often the directory is scanned without watches. A file is then read once two scans have found the same stamp.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How many scans follow each other at most, where links are swapped meanwhile.
const MAX_SCANS_IN_A_ROW: usize = 3;
/// How long a file waits that was there before its directory was watched, in case it is being written.
const UNWATCHED_FILE_DELAY: Duration = Duration::from_millis(40);
/// How long a file waits that is empty all of a sudden, where there was no event that a writer closed it.
const EMPTIED_FILE_DELAY: Duration = Duration::from_secs(1);

/// A directory that is watched, until this is dropped.
#[derive(Debug)]
pub struct DirectoryWatch {
    inputs: Inputs,
    stop: Sender<Message>,
}

impl DirectoryWatch {
    /// The inputs: `None` until all has been read once.
    pub fn inputs(&self) -> Inputs {
        self.inputs.clone()
    }

    pub(super) fn start(dir: &Path) -> Result<Self, DirectoryError> {
        Self::with(dir, true)
    }

    fn with(dir: &Path, events: bool) -> Result<Self, DirectoryError> {
        let (stop, messages) = channel();
        let (sender, inputs) = watch::channel(None);
        let watcher = DirectoryWatcher::new(dir, events.then(|| stop.clone()), messages, sender);
        thread::Builder::new()
            .name("manifests".to_owned())
            .spawn(move || watcher.run())
            .map_err(|source| DirectoryError::Unwatched { path: dir.to_owned(), source })?;
        Ok(Self { inputs, stop })
    }
}

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        // Where the thread has ended there is nothing to stop.
        drop(self.stop.send(Message::Stop));
    }
}

#[derive(Debug)]
enum Message {
    Event(notify::Result<notify::Event>),
    Stop,
}

/// The state of the thread.
struct DirectoryWatcher {
    dir: PathBuf,
    messages: Receiver<Message>,
    sender: watch::Sender<Option<Input>>,
    watches: Watches,
    /// The last scan.
    last_scan: Scan,
    /// The names of each manifest, by its real path.
    names: BTreeMap<PathBuf, Vec<PathBuf>>,
    tree: Tree,
    reader: FileReader,
    pending: PendingChanges,
    /// Stamps that were found once, where a file is read only when its stamp is found twice.
    unsettled: BTreeMap<PathBuf, FileStamp>,
    next_scan: Instant,
    stopped: bool,
}

impl DirectoryWatcher {
    fn new(
        dir: &Path,
        events: Option<Sender<Message>>,
        messages: Receiver<Message>,
        sender: watch::Sender<Option<Input>>,
    ) -> Self {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let watches = match events {
            Some(events) => Watches::new(&dir, move |event| drop(events.send(Message::Event(event)))),
            None => Watches::default(),
        };
        Self {
            dir,
            messages,
            sender,
            watches,
            last_scan: Scan::default(),
            names: BTreeMap::new(),
            tree: Tree::default(),
            reader: FileReader::default(),
            pending: PendingChanges::default(),
            unsettled: BTreeMap::new(),
            next_scan: Instant::now(),
            stopped: false,
        }
    }

    fn run(mut self) {
        self.read_all();
        while !self.stopped && !self.sender.is_closed() {
            let now = Instant::now();
            let wake = self.pending.wake().map_or(self.next_scan, |wake| wake.min(self.next_scan));
            match self.messages.recv_timeout(wake.saturating_duration_since(now)) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.drain();
            let now = Instant::now();
            if now >= self.next_scan {
                self.pending.request_scan(now);
            }
            if let Some(batch) = self.pending.take(now) {
                self.update(batch);
            }
        }
    }

    /// Reads all files as they are, and sends the first input.
    fn read_all(&mut self) {
        self.rescan();
        let changes = self.tree.compare(&self.last_scan);
        self.read(&changes);
        self.tree.apply_scan(&self.last_scan);
        let input = self.tree.take_input().unwrap_or_default();
        self.sender.send_replace(Some(input));
    }

    fn update(&mut self, batch: Batch) {
        let Batch { touched, needs_scan } = batch;
        let changes = if needs_scan || touched.iter().any(|path| !self.names.contains_key(path)) {
            self.changes_of_all(&touched)
        } else {
            touched.iter().flat_map(|path| self.changes_of(path)).collect()
        };
        self.read(&changes);
        if let Some(input) = self.tree.take_input() {
            self.sender.send_replace(Some(input));
        }
    }

    /// Scans the directory: which files are gone, have another stamp, or were touched.
    fn changes_of_all(&mut self, touched: &BTreeSet<PathBuf>) -> Vec<FileChange> {
        let watched = self.watches.directories();
        for _ in 0..MAX_SCANS_IN_A_ROW {
            self.pending.begin_scan();
            self.rescan();
            self.catch_up();
            // A link that was swapped during the scan was seen half before and half after.
            if !self.pending.is_scan_requested() {
                break;
            }
        }
        let mut changes = self.tree.compare(&self.last_scan);
        let now = Instant::now();
        changes.retain(|change| self.is_settled(change, touched, &watched, now));
        self.tree.apply_scan(&self.last_scan);
        for (name, found) in &self.last_scan.files {
            let Ok(stamp) = found.stamp else { continue };
            if touched.contains(&found.real) && changes.iter().all(|change| change.name != *name) {
                changes.push(FileChange { name: name.clone(), path: found.real.clone(), stamp });
            }
        }
        changes
    }

    /// The changes of one file that is known and was touched, under each of its names.
    fn changes_of(&mut self, path: &Path) -> Vec<FileChange> {
        let names = self.names.get(path).cloned().unwrap_or_default();
        match FileStamp::of(path) {
            Ok(stamp) if !path.is_symlink() => {
                names.into_iter().map(|name| FileChange { name, path: path.to_owned(), stamp }).collect()
            }
            Err(_) if path.symlink_metadata().is_err() => {
                for name in &names {
                    self.tree.remove(name);
                }
                Vec::new()
            }
            // It has become something else: a link, a directory, or a path that can't be looked at.
            Ok(_) | Err(_) => {
                self.pending.request_scan(Instant::now());
                Vec::new()
            }
        }
    }

    /// Whether a change that a scan found can be read now.
    fn is_settled(
        &mut self,
        change: &FileChange,
        touched: &BTreeSet<PathBuf>,
        watched: &BTreeSet<PathBuf>,
        now: Instant,
    ) -> bool {
        if touched.contains(&change.path) {
            return true;
        }
        if !self.watches.are_set() {
            return self.unsettled.insert(change.name.clone(), change.stamp) == Some(change.stamp);
        }
        let is_watched = change.path.parent().is_some_and(|parent| watched.contains(parent));
        if self.pending.is_held(&change.path) {
            return false;
        }
        let linked = self.last_scan.files.get(&change.name).is_some_and(|found| found.linked);
        if is_watched || linked {
            return true;
        }
        self.pending.hold(&change.path, now + UNWATCHED_FILE_DELAY);
        false
    }

    /// Reads what has changed, except what is being written. The event that a writer has begun may not have come yet, so the text
    /// of a file is used only once all events up to the reading have been taken.
    fn read(&mut self, changes: &[FileChange]) {
        if changes.is_empty() {
            return;
        }
        self.catch_up();
        let mut contents = Vec::new();
        for change in changes {
            if self.pending.is_held(&change.path) {
                continue;
            }
            if change.stamp.size == 0 && self.may_be_half_written(change) {
                self.pending.hold(&change.path, Instant::now() + EMPTIED_FILE_DELAY);
                continue;
            }
            contents.push((change, self.reader.read(&change.path)));
        }
        self.catch_up();
        let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        if contents.iter().any(|(_, content)| content.as_ref().is_err_and(is_gone)) {
            // A file that was found is gone: no text is used, lest files that belong together be served in different
            // versions.
            let now = Instant::now();
            changes.iter().for_each(|change| self.pending.record(&change.path, FileEvent::Altered, now));
            return self.pending.request_scan(now);
        }
        for (change, content) in contents {
            match content {
                _ if self.pending.is_held(&change.path) => {}
                Ok((_, stamp)) if stamp != change.stamp => {
                    self.pending.record(&change.path, FileEvent::Altered, Instant::now());
                }
                content => {
                    self.unsettled.remove(&change.name);
                    self.tree.replace(change, content.map(|(bytes, _)| bytes));
                }
            }
        }
    }

    /// Whether a file that was not empty and is now may have been emptied only to be written. Where there was no event that a
    /// writer closed it, it has to be found empty twice.
    fn may_be_half_written(&mut self, change: &FileChange) -> bool {
        self.tree.is_filled(&change.name)
            && !self.pending.is_complete(&change.path)
            && self.unsettled.insert(change.name.clone(), change.stamp) != Some(change.stamp)
    }

    /// Takes every event up to now, also those that are on their way.
    fn catch_up(&mut self) {
        self.watches.catch_up();
        self.drain();
    }

    /// Scans the directory, and sets the watches that it takes.
    fn rescan(&mut self) {
        let mut wanted = BTreeSet::new();
        let found = scan(&self.dir, &mut |real| {
            wanted.insert(real.to_owned());
            self.watches.add(real);
        });
        let before = self.watches.count();
        let targets = found.files.values().filter(|file| file.linked).map(|file| &file.real);
        for directory in found.links.iter().chain(targets).filter_map(|path| path.parent()) {
            wanted.insert(directory.to_owned());
            self.watches.add(directory);
        }
        if self.watches.count() > before {
            // There was no event for what has changed there since the scan.
            self.pending.request_scan(Instant::now());
        }
        self.watches.keep(&wanted);
        self.names.clear();
        for (name, file) in &found.files {
            self.names.entry(file.real.clone()).or_default().push(name.clone());
        }
        let pause = match (found.failed.contains_key(Path::new("")), self.watches.are_set()) {
            (true, _) => MISSING_DIRECTORY_INTERVAL,
            (false, true) => RESCAN_INTERVAL,
            (false, false) => POLL_INTERVAL,
        };
        self.next_scan = Instant::now() + pause;
        self.last_scan = found;
    }

    fn drain(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        let now = Instant::now();
        let event = match message {
            Message::Stop => {
                self.stopped = true;
                return;
            }
            Message::Event(Ok(event)) if !event.need_rescan() => event,
            Message::Event(_) => return self.pending.request_scan(now),
        };
        let Some(happened) = file_event(event.kind) else { return };
        for path in &event.paths {
            self.record(path, happened, now);
        }
    }

    /// Notes what happened to a path, if that may change what is served.
    fn record(&mut self, path: &Path, event: FileEvent, now: Instant) {
        if self.last_scan.links.contains(path) {
            return if event != FileEvent::Opened {
                self.pending.request_scan(now)
            };
        }
        if self.names.contains_key(path) {
            return self.pending.record(path, event, now);
        }
        if matches!(event, FileEvent::Removed) && self.watches.has(path) {
            self.watches.remove(path);
            return self.pending.request_scan(now);
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        if !self.last_scan.directories.contains(parent) || is_hidden(name) {
            return;
        }
        if is_manifest(name) {
            self.pending.record(path, event, now);
        } else if matches!(event, FileEvent::Created | FileEvent::Renamed) && path.is_dir() {
            self.pending.request_scan(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_watches_everything_is_looked_through_often() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str| {
            let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
            std::fs::write(dir.path().join("a.yaml"), text).expect("written");
        };
        write("first");
        let watch = DirectoryWatch::with(dir.path(), false).expect("started");
        let mut inputs = watch.inputs();
        for name in ["first", "second", "third"] {
            write(name);
            let holds = |input: &Option<Input>| {
                input.as_ref().is_some_and(|input| input.snapshot.namespaces.keys().any(|key| key.name() == name))
            };
            let waited = tokio::time::timeout(Duration::from_secs(20), inputs.wait_for(holds)).await;
            waited.expect("in time").expect("the source lives");
        }
    }

    #[tokio::test]
    async fn the_thread_ends_with_the_handle() {
        let dir = tempfile::tempdir().expect("a directory");
        let watch = DirectoryWatch::start(dir.path()).expect("started");
        let mut inputs = watch.inputs();
        drop(watch);
        let ended = async { while inputs.changed().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends");
    }
}
