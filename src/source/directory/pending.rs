//! Changes that wait to be read: a file that is being written is not ready until it is closed. Plain state, which moves by
//! events and by the time that is passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a change that is complete in itself (a rename, the end of writing) waits for another. If none follows, it is read
/// alone.
const LONE_CHANGE_DELAY: Duration = Duration::from_millis(3);
/// A change is not read alone sooner after the changes before it were read.
const MIN_READ_INTERVAL: Duration = Duration::from_millis(5);
/// How long nothing more must have happened before other changes are read.
const QUIET_PERIOD: Duration = Duration::from_millis(10);
/// How long nothing more must have happened after a removal: editors and version control put a new file in place of an old
/// one in two steps.
const QUIET_PERIOD_AFTER_REMOVAL: Duration = Duration::from_millis(25);
/// How long changes wait at most.
const MAX_DELAY: Duration = Duration::from_millis(40);
/// How long after it was last written to a file is read that nobody closes.
const UNCLOSED_TIMEOUT: Duration = Duration::from_secs(1);

/// Something that happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// It came to be there: created, or linked.
    Created,
    /// It was opened.
    Opened,
    /// Something was written to it.
    Written,
    /// One who could write to it closed it.
    Closed,
    /// Something was renamed to this.
    Renamed,
    /// Its metadata changed, or the system does not say what happened.
    Altered,
    /// It is gone, or was renamed to something else.
    Removed,
}

/// Changes that have not been read.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    /// Files that are being written, and when each is read at the latest.
    writing: BTreeMap<PathBuf, Instant>,
    /// Files that were created, and have not been opened since.
    created: BTreeSet<PathBuf>,
    /// Files that are ready to be read.
    touched: BTreeSet<PathBuf>,
    /// Files that nobody has opened since a writer closed them, or since they were put there complete.
    complete: BTreeSet<PathBuf>,
    /// Whether the directory has to be scanned.
    scan_requested: bool,
    /// Whether something was removed.
    has_removal: bool,
    /// Whether something has happened that other events may complete.
    is_partial: bool,
    /// The first and the last event since changes were last read.
    burst: Option<Burst>,
    /// When changes were last read.
    taken: Option<Instant>,
}

/// A run of events.
#[derive(Debug, Clone, Copy)]
struct Burst {
    first: Instant,
    last: Instant,
}

/// Changes that are to be read now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Files whose content may have changed, whatever their stamp says.
    pub(super) touched: BTreeSet<PathBuf>,
    /// Whether the directory has to be scanned.
    pub(super) needs_scan: bool,
}

impl PendingChanges {
    /// Notes what happened to a file.
    pub(super) fn record(&mut self, path: &Path, event: FileEvent, now: Instant) {
        match event {
            FileEvent::Closed | FileEvent::Renamed => {
                self.complete.insert(path.to_owned());
            }
            FileEvent::Altered => {}
            FileEvent::Created | FileEvent::Opened | FileEvent::Written | FileEvent::Removed => {
                self.complete.remove(path);
            }
        }
        match event {
            FileEvent::Opened if !self.created.contains(path) => return,
            FileEvent::Opened | FileEvent::Written => return self.hold(path, now + UNCLOSED_TIMEOUT),
            // A link is there at once with all that it holds; a new file is opened right after.
            FileEvent::Created => {
                self.created.insert(path.to_owned());
            }
            FileEvent::Removed => self.has_removal = true,
            FileEvent::Closed | FileEvent::Renamed | FileEvent::Altered => {}
        }
        self.is_partial |= !matches!(event, FileEvent::Closed | FileEvent::Renamed);
        if event != FileEvent::Altered || !self.writing.contains_key(path) {
            self.writing.remove(path);
            self.touched.insert(path.to_owned());
        }
        self.extend_burst(now);
    }

    /// Keeps a file from being read until it is closed, or until `due`.
    pub(super) fn hold(&mut self, path: &Path, due: Instant) {
        self.created.remove(path);
        self.touched.remove(path);
        self.writing.insert(path.to_owned(), due);
    }

    /// Notes that the directory has to be scanned.
    pub(super) fn request_scan(&mut self, now: Instant) {
        self.scan_requested = true;
        self.is_partial = true;
        self.extend_burst(now);
    }

    /// Whether the directory has to be scanned.
    pub(super) fn is_scan_requested(&self) -> bool {
        self.scan_requested
    }

    /// Notes that a scan begins.
    pub(super) fn begin_scan(&mut self) {
        self.scan_requested = false;
    }

    /// Whether a file is being written.
    pub(super) fn is_held(&self, path: &Path) -> bool {
        self.writing.contains_key(path)
    }

    /// Whether a file is as its last writer left it. A file that is opened to be written anew is emptied after the event of its
    /// opening, but before any other event.
    pub(super) fn is_complete(&self, path: &Path) -> bool {
        self.complete.contains(path)
    }

    /// When [`Self::take`] has something next, if nothing more happens.
    pub(super) fn wake(&self) -> Option<Instant> {
        let due = self.writing.values().min().copied();
        let ready = self.burst.map(|Burst { first, last }| {
            let quiet = if self.has_removal { QUIET_PERIOD_AFTER_REMOVAL } else { QUIET_PERIOD };
            if self.is_partial || first != last {
                return (last + quiet).min(first + MAX_DELAY);
            }
            self.taken
                .map_or(first + LONE_CHANGE_DELAY, |taken| (first + LONE_CHANGE_DELAY).max(taken + MIN_READ_INTERVAL))
        });
        due.into_iter().chain(ready).min()
    }

    /// The changes that are to be read, if it is time.
    pub(super) fn take(&mut self, now: Instant) -> Option<Batch> {
        if self.wake().is_none_or(|wake| now < wake) {
            return None;
        }
        let due: Vec<_> = self.writing.iter().filter(|(_, due)| **due <= now).map(|(path, _)| path.clone()).collect();
        for path in due {
            self.writing.remove(&path);
            self.touched.insert(path);
        }
        self.created.clear();
        self.burst = None;
        self.taken = Some(now);
        (self.has_removal, self.is_partial) = (false, false);
        let needs_scan = std::mem::take(&mut self.scan_requested);
        Some(Batch { touched: std::mem::take(&mut self.touched), needs_scan })
    }

    fn extend_burst(&mut self, now: Instant) {
        let first = self.burst.map_or(now, |burst| burst.first);
        self.burst = Some(Burst { first, last: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/d/a.yaml";

    fn play(events: &[(u64, FileEvent)]) -> Vec<u64> {
        let start = Instant::now();
        let mut pending = PendingChanges::default();
        let mut read = Vec::new();
        let mut events = events.iter().peekable();
        for ms in 0..5_000 {
            let now = start + Duration::from_millis(ms);
            while let Some((_, event)) = events.next_if(|(at, _)| *at == ms) {
                pending.record(Path::new(FILE), *event, now);
            }
            if pending.take(now).is_some_and(|batch| batch.touched.contains(Path::new(FILE))) {
                read.push(ms);
            }
        }
        read
    }

    #[test]
    fn a_file_is_read_when_it_is_whole() {
        use FileEvent::{Altered, Closed, Created, Opened, Removed, Renamed, Written};
        for (events, expected, what) in [
            (&[(0, Renamed)][..], &[3][..], "renamed into place"),
            (&[(0, Renamed), (2, Renamed), (8, Renamed), (30, Renamed)], &[18, 33], "with others"),
            (&[(0, Renamed), (4, Renamed), (12, Renamed)], &[3, 8, 15], "soon after another"),
            (&[(0, Created)], &[10], "linked into place"),
            (&[(0, Created), (0, Opened), (5, Written), (30, Closed)], &[33], "created"),
            (&[(0, Written), (300, Written), (900, Written), (1500, Closed)], &[1503], "written slowly"),
            (&[(0, Written)], &[1000], "never closed"),
            (&[(0, Written), (20, Renamed)], &[23], "written, and replaced by rename"),
            (&[(0, Opened)], &[], "opened by a reader"),
            (&[(0, Removed)], &[25], "removed"),
            (&[(0, Removed), (20, Created), (20, Opened), (21, Written), (22, Closed)], &[40], "replaced in two steps"),
            (
                &[(0, Closed), (2, Closed), (12, Closed), (20, Closed), (28, Closed), (36, Closed), (42, Closed)],
                &[40, 45],
                "held at most",
            ),
            (&[(0, Written), (5, Altered), (90, Closed)], &[93], "metadata changed meanwhile"),
        ] {
            assert_eq!(play(events), expected, "{what}");
        }
    }
}
