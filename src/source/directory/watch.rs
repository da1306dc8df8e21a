//! The thread that watches a directory: events in, inputs out.
//!
//! It looks through everything now and then, in case an event was lost; and often, where the system has no
//! watches left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use tokio::sync::watch;

use super::Error;
use super::file;
use super::pending::{Batch, Happened, Pending};
use super::scan::{Scan, Stamp, is_hidden, is_manifest, scan};
use super::tree::{Change, Tree};
use super::watches::{Watches, happened};
use crate::source::{Input, Inputs};

/// How often everything is looked through, though nothing was heard.
const SECOND_LOOK: Duration = Duration::from_secs(30);
/// The same while the directory itself is away.
const LOST: Duration = Duration::from_millis(100);
/// The same without watches. A file is then read once it looks the same twice.
const POLL: Duration = Duration::from_millis(250);
/// How often everything is looked through in a row, where links are swapped meanwhile.
const LOOKS: usize = 3;
/// How long a file is left alone that was there before its directory was watched, in case it is being written.
const YOUNG: Duration = Duration::from_millis(40);
/// How long a file is left alone that is empty all of a sudden, and that nobody was heard to close.
const EMPTIED: Duration = Duration::from_secs(1);

/// A directory that is watched, until this is dropped.
#[derive(Debug)]
pub struct Watch {
    inputs: Inputs,
    stop: Sender<Message>,
}

impl Watch {
    /// The inputs: `None` until all has been read once.
    pub fn inputs(&self) -> Inputs {
        self.inputs.clone()
    }

    pub(super) fn start(dir: &Path) -> Result<Self, Error> {
        Self::with(dir, true)
    }

    fn with(dir: &Path, events: bool) -> Result<Self, Error> {
        let (stop, messages) = channel();
        let (sender, inputs) = watch::channel(None);
        let watching = Watching::new(dir, events.then(|| stop.clone()), messages, sender);
        thread::Builder::new()
            .name("manifests".to_owned())
            .spawn(move || watching.run())
            .map_err(|source| Error::Unwatched { path: dir.to_owned(), source })?;
        Ok(Self { inputs, stop })
    }
}

impl Drop for Watch {
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

struct Watching {
    dir: PathBuf,
    messages: Receiver<Message>,
    sender: watch::Sender<Option<Input>>,
    watches: Watches,
    /// What the last look through everything found.
    known: Scan,
    /// The names of each manifest, by its real path.
    names: BTreeMap<PathBuf, Vec<PathBuf>>,
    tree: Tree,
    pending: Pending,
    /// Stamps that have been seen once, where once is not enough.
    unsettled: BTreeMap<PathBuf, Stamp>,
    next_look: Instant,
    stopped: bool,
}

impl Watching {
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
            known: Scan::default(),
            names: BTreeMap::new(),
            tree: Tree::default(),
            pending: Pending::default(),
            unsettled: BTreeMap::new(),
            next_look: Instant::now(),
            stopped: false,
        }
    }

    fn run(mut self) {
        self.first();
        while !self.stopped && !self.sender.is_closed() {
            let now = Instant::now();
            let wake = self.pending.wake().map_or(self.next_look, |wake| wake.min(self.next_look));
            match self.messages.recv_timeout(wake.saturating_duration_since(now)) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.drain();
            let now = Instant::now();
            if now >= self.next_look {
                self.pending.look_again(now);
            }
            if let Some(batch) = self.pending.take(now) {
                self.update(batch);
            }
        }
    }

    /// Reads everything, as it is.
    fn first(&mut self) {
        self.look();
        let changes = self.tree.compare(&self.known);
        self.read(&changes);
        self.tree.settle(&self.known);
        let input = self.tree.take_input().unwrap_or_default();
        self.sender.send_replace(Some(input));
    }

    fn update(&mut self, batch: Batch) {
        let Batch { touched, look_again } = batch;
        let changes = if look_again || touched.iter().any(|path| !self.names.contains_key(path)) {
            self.changes_of_all(&touched)
        } else {
            touched.iter().flat_map(|path| self.changes_of(path)).collect()
        };
        self.read(&changes);
        if let Some(input) = self.tree.take_input() {
            self.sender.send_replace(Some(input));
        }
    }

    /// Looks through everything: what is gone, what has another stamp, and what was touched.
    fn changes_of_all(&mut self, touched: &BTreeSet<PathBuf>) -> Vec<Change> {
        let watched = self.watches.directories();
        for _ in 0..LOOKS {
            self.pending.looked();
            self.look();
            self.catch_up();
            // A link that was swapped meanwhile was seen half before and half after.
            if !self.pending.wants_look() {
                break;
            }
        }
        let mut changes = self.tree.compare(&self.known);
        let now = Instant::now();
        changes.retain(|change| self.is_settled(change, touched, &watched, now));
        self.tree.settle(&self.known);
        for (name, found) in &self.known.files {
            let Ok(stamp) = found.stamp else { continue };
            if touched.contains(&found.real) && changes.iter().all(|change| change.name != *name) {
                changes.push(Change { name: name.clone(), path: found.real.clone(), stamp });
            }
        }
        changes
    }

    /// Looks at one file that is known and was touched, under each of its names.
    fn changes_of(&mut self, path: &Path) -> Vec<Change> {
        let names = self.names.get(path).cloned().unwrap_or_default();
        match Stamp::of(path) {
            Ok(stamp) if !path.is_symlink() => {
                names.into_iter().map(|name| Change { name, path: path.to_owned(), stamp }).collect()
            }
            Err(_) if path.symlink_metadata().is_err() => {
                for name in &names {
                    self.tree.remove(name);
                }
                Vec::new()
            }
            // It has become something else: a link, a directory, what can't be looked at.
            Ok(_) | Err(_) => {
                self.pending.look_again(Instant::now());
                Vec::new()
            }
        }
    }

    /// Whether a change that was come across can be read now.
    fn is_settled(
        &mut self,
        change: &Change,
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
        let heard_of = change.path.parent().is_some_and(|parent| watched.contains(parent));
        if self.pending.is_held(&change.path) {
            return false;
        }
        let linked = self.known.files.get(&change.name).is_some_and(|found| found.linked);
        if heard_of || linked {
            return true;
        }
        self.pending.hold(&change.path, now + YOUNG);
        false
    }

    /// Reads what has changed, except what is being written. One whose writer has just begun may not be known
    /// as such yet, so what is read counts only once all events up to then have been heard.
    fn read(&mut self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        self.catch_up();
        let mut contents = Vec::new();
        for change in changes {
            if self.pending.is_held(&change.path) {
                continue;
            }
            if change.stamp.size == 0 && self.is_doubtful(change) {
                self.pending.hold(&change.path, Instant::now() + EMPTIED);
                continue;
            }
            let content =
                fs::File::open(&change.path).and_then(|mut file| Ok((file::load(&mut file)?, Stamp::of_open(&file)?)));
            contents.push((change, content));
        }
        self.catch_up();
        let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        if contents.iter().any(|(_, content)| content.as_ref().is_err_and(is_gone)) {
            // What was found is not there any more: nothing of it is taken, lest files that belong together be
            // served in different versions.
            let now = Instant::now();
            changes.iter().for_each(|change| self.pending.note(&change.path, Happened::Altered, now));
            return self.pending.look_again(now);
        }
        for (change, content) in contents {
            match content {
                _ if self.pending.is_held(&change.path) => {}
                Ok((_, stamp)) if stamp != change.stamp => {
                    self.pending.note(&change.path, Happened::Altered, Instant::now());
                }
                content => {
                    self.unsettled.remove(&change.name);
                    self.tree.replace(change, content.map(|(bytes, _)| bytes));
                }
            }
        }
    }

    /// Whether a file, which was not empty and is now, may have been emptied only to be written. If nobody was
    /// heard to close it, it has to be seen empty twice.
    fn is_doubtful(&mut self, change: &Change) -> bool {
        self.tree.is_filled(&change.name)
            && !self.pending.is_whole(&change.path)
            && self.unsettled.insert(change.name.clone(), change.stamp) != Some(change.stamp)
    }

    /// Takes every event that there has been up to now, also those that are on their way.
    fn catch_up(&mut self) {
        self.watches.catch_up();
        self.drain();
    }

    /// Looks through everything, and sets the watches that it takes.
    fn look(&mut self) {
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
            // What has changed there since the scan was not heard.
            self.pending.look_again(Instant::now());
        }
        self.watches.keep(&wanted);
        self.names.clear();
        for (name, file) in &found.files {
            self.names.entry(file.real.clone()).or_default().push(name.clone());
        }
        let pause = match (found.failed.contains_key(Path::new("")), self.watches.are_set()) {
            (true, _) => LOST,
            (false, true) => SECOND_LOOK,
            (false, false) => POLL,
        };
        self.next_look = Instant::now() + pause;
        self.known = found;
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
            Message::Event(_) => return self.pending.look_again(now),
        };
        let Some(happened) = happened(event.kind) else { return };
        for path in &event.paths {
            self.note(path, happened, now);
        }
    }

    /// Notes what happened to a path, if it has to do with what is served.
    fn note(&mut self, path: &Path, happened: Happened, now: Instant) {
        if self.known.links.contains(path) {
            return if happened != Happened::Opened {
                self.pending.look_again(now)
            };
        }
        if self.names.contains_key(path) {
            return self.pending.note(path, happened, now);
        }
        if matches!(happened, Happened::Removed) && self.watches.has(path) {
            self.watches.remove(path);
            return self.pending.look_again(now);
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        if !self.known.directories.contains(parent) || is_hidden(name) {
            return;
        }
        if is_manifest(name) {
            self.pending.note(path, happened, now);
        } else if matches!(happened, Happened::Created | Happened::Renamed) && path.is_dir() {
            self.pending.look_again(now);
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
        let watch = Watch::with(dir.path(), false).expect("started");
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
        let watch = Watch::start(dir.path()).expect("started");
        let mut inputs = watch.inputs();
        drop(watch);
        let ended = async { while inputs.changed().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends");
    }
}
