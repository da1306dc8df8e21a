//! Which files have changed and are ready to be read: a file that is being written is not, until it is
//! closed. Plain state, moved by events and by the time that is handed in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So long a change that comes whole is waited with, a rename or the end of writing: if nothing follows it, it is alone, and is
/// read. And so long after others have been read.
const ALONE: Duration = Duration::from_millis(3);
const APART: Duration = Duration::from_millis(5);
/// So long nothing more must have happened, before other changes are read.
const QUIET: Duration = Duration::from_millis(10);
/// The same, where something was removed: editors and version control put a new file in place of an old one
/// in two steps.
const QUIET_AFTER_REMOVAL: Duration = Duration::from_millis(25);
/// So long changes wait at most.
const HOLD: Duration = Duration::from_millis(40);
/// So long after it was last written to, a file that nobody closes is read all the same.
const UNCLOSED: Duration = Duration::from_secs(1);

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happened {
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
    /// Its metadata changed, or something that is not said.
    Altered,
    /// It is gone, or was renamed to something else.
    Removed,
}

/// Changes that have not been read.
#[derive(Debug, Default)]
pub(super) struct Pending {
    writing: BTreeMap<PathBuf, Instant>,
    created: BTreeSet<PathBuf>,
    touched: BTreeSet<PathBuf>,
    /// Files that nobody has opened since they were last closed by a writer, or put there whole.
    whole: BTreeSet<PathBuf>,
    look_again: bool,
    removal: bool,
    /// Whether something has happened that others may follow.
    partial: bool,
    since: Option<(Instant, Instant)>,
    /// When changes were last read.
    taken: Option<Instant>,
}

/// Changes that are to be read now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Files whose content may have changed, whatever their stamp says.
    pub(super) touched: BTreeSet<PathBuf>,
    /// Whether the whole directory has to be looked through.
    pub(super) look_again: bool,
}

impl Pending {
    /// Notes what happened to a file.
    pub(super) fn note(&mut self, path: &Path, happened: Happened, now: Instant) {
        match happened {
            Happened::Closed | Happened::Renamed => drop(self.whole.insert(path.to_owned())),
            Happened::Altered => {}
            _ => drop(self.whole.remove(path)),
        }
        match happened {
            Happened::Opened if !self.created.contains(path) => return,
            Happened::Opened | Happened::Written => return self.hold(path, now + UNCLOSED),
            // A link is there at once with all that it holds; a new file is opened right after.
            Happened::Created => drop(self.created.insert(path.to_owned())),
            Happened::Removed => self.removal = true,
            Happened::Closed | Happened::Renamed | Happened::Altered => {}
        }
        self.partial |= !matches!(happened, Happened::Closed | Happened::Renamed);
        if happened != Happened::Altered || !self.writing.contains_key(path) {
            self.writing.remove(path);
            self.touched.insert(path.to_owned());
        }
        self.stir(now);
    }

    /// Keeps a file from being read until it is closed, or until `due`.
    pub(super) fn hold(&mut self, path: &Path, due: Instant) {
        self.created.remove(path);
        self.touched.remove(path);
        self.writing.insert(path.to_owned(), due);
    }

    /// Notes that the directory has to be looked through.
    pub(super) fn look_again(&mut self, now: Instant) {
        self.look_again = true;
        self.partial = true;
        self.stir(now);
    }

    /// Whether the directory has to be looked through.
    pub(super) fn wants_look(&self) -> bool {
        self.look_again
    }

    /// Notes that the directory is about to be looked through.
    pub(super) fn looked(&mut self) {
        self.look_again = false;
    }

    /// Whether a file is being written.
    pub(super) fn is_held(&self, path: &Path) -> bool {
        self.writing.contains_key(path)
    }

    /// Whether a file is as the last to write to it left it. One that is opened to be written anew is emptied
    /// after the event of its opening, but before any other event tells.
    pub(super) fn is_whole(&self, path: &Path) -> bool {
        self.whole.contains(path)
    }

    /// When [`Self::take`] will next have something, if nothing more happens.
    pub(super) fn wake(&self) -> Option<Instant> {
        let due = self.writing.values().min().copied();
        let ready = self.since.map(|(first, last)| {
            let quiet = if self.removal { QUIET_AFTER_REMOVAL } else { QUIET };
            if self.partial || first != last {
                return (last + quiet).min(first + HOLD);
            }
            self.taken.map_or(first + ALONE, |taken| (first + ALONE).max(taken + APART))
        });
        due.into_iter().chain(ready).min()
    }

    /// What is to be read, if it is time.
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
        self.since = None;
        self.taken = Some(now);
        (self.removal, self.partial) = (false, false);
        let look_again = std::mem::take(&mut self.look_again);
        Some(Batch { touched: std::mem::take(&mut self.touched), look_again })
    }

    fn stir(&mut self, now: Instant) {
        let first = self.since.map_or(now, |(first, _)| first);
        self.since = Some((first, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/d/a.yaml";

    fn play(events: &[(u64, Happened)]) -> Vec<u64> {
        let start = Instant::now();
        let mut pending = Pending::default();
        let mut read = Vec::new();
        let mut events = events.iter().peekable();
        for ms in 0..5_000 {
            let now = start + Duration::from_millis(ms);
            while let Some((_, happened)) = events.next_if(|(at, _)| *at == ms) {
                pending.note(Path::new(FILE), *happened, now);
            }
            if pending.take(now).is_some_and(|batch| batch.touched.contains(Path::new(FILE))) {
                read.push(ms);
            }
        }
        read
    }

    #[test]
    fn a_file_is_read_when_it_is_whole() {
        use Happened::{Altered, Closed, Created, Opened, Removed, Renamed, Written};
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
