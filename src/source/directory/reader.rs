//! Reading of files in such a way that none of them stops the thread that watches the directory: what was looked at by name may be
//! something else when it is opened, and even a regular file may never answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::scan::FileStamp;
use crate::source::yaml;

/// How long a file may take to be read. Others wait for it.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How many files may hold a thread each, since they never answer.
const MAX_STUCK_FILES: usize = 16;

/// The text of a file, and its stamp as it was read.
pub(super) type Content = io::Result<(Vec<u8>, FileStamp)>;

/// Reads files on a thread of its own. A file that does not answer keeps that thread, and the others get a new one.
#[derive(Default)]
pub(super) struct FileReader {
    helper: Option<Helper>,
    /// The helpers that are kept by a file.
    stuck: BTreeMap<PathBuf, Helper>,
}

/// A thread that reads one file after the other.
struct Helper {
    paths: Sender<PathBuf>,
    contents: Receiver<Content>,
}

impl FileReader {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, is no regular file, or does not answer in time.
    pub(super) fn read(&mut self, path: &Path) -> Content {
        // A file that did not answer before is left alone until it has.
        if let Some(helper) = self.stuck.get(path) {
            match helper.contents.try_recv() {
                Ok(_outdated) => drop(self.stuck.remove(path)),
                Err(_) => return Err(no_answer()),
            }
        }
        if self.stuck.len() >= MAX_STUCK_FILES {
            return Err(io::Error::other("too many other files don't answer"));
        }
        let helper = match self.helper.take() {
            Some(helper) => helper,
            None => Helper::start()?,
        };
        let ended = |_| io::Error::other("the thread that reads files has ended");
        helper.paths.send(path.to_owned()).map_err(ended)?;
        match helper.contents.recv_timeout(READ_TIMEOUT) {
            Ok(content) => {
                self.helper = Some(helper);
                content
            }
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.insert(path.to_owned(), helper);
                Err(no_answer())
            }
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the thread that reads files has ended")),
        }
    }
}

impl Helper {
    fn start() -> io::Result<Self> {
        let (paths, wanted) = channel::<PathBuf>();
        let (sender, contents) = channel();
        thread::Builder::new().name("manifests-read".to_owned()).spawn(move || {
            while let Ok(path) = wanted.recv() {
                if sender.send(load(&path)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { paths, contents })
    }
}

fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("it has not answered for {READ_TIMEOUT:?}"))
}

/// Reads a file: as much as is parsed at most, and one byte more, which tells that the file is too large.
///
/// It is opened without waiting, for a FIFO waits for its writer, and so that a terminal does not become the process's own; and what
/// was opened is looked at, not what has its name.
pub(super) fn load(path: &Path) -> Content {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(yaml::MAX_BYTES).unwrap_or(u64::MAX) + 1;
    file.by_ref().take(limit).read_to_end(&mut bytes)?;
    Ok((bytes, FileStamp::of_open(&file)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(path("fifo")).status();
        assert!(made.expect("mkfifo runs").success());
        let _socket = UnixListener::bind(path("socket")).expect("bound");
        std::os::unix::fs::symlink("/dev/zero", path("device")).expect("linked");
        std::os::unix::fs::symlink("nothing", path("dangling")).expect("linked");
        std::fs::write(path("file"), "text").expect("written");
        let mut reader = FileReader::default();
        for name in ["fifo", "socket", "device", "dangling", "."] {
            assert!(reader.read(&path(name)).is_err(), "{name}");
        }
        assert_eq!(reader.read(&path("file")).expect("read").0, b"text");
        assert!(reader.stuck.is_empty());
    }

    #[test]
    fn a_file_that_never_answers_keeps_its_helper_and_is_not_asked_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (stuck, other) = (dir.path().join("stuck"), dir.path().join("other"));
        for path in [&stuck, &other] {
            std::fs::write(path, "text").expect("written");
        }
        let mut reader = FileReader::default();
        // A helper whose file is still being read.
        let (paths, _wanted) = channel();
        let (answer, contents) = channel();
        reader.stuck.insert(stuck.clone(), Helper { paths, contents });
        assert_eq!(reader.read(&stuck).expect_err("refused").kind(), io::ErrorKind::TimedOut);
        assert_eq!(reader.read(&other).expect("read").0, b"text");
        // Now it has answered.
        answer.send(load(&other)).expect("taken");
        assert_eq!(reader.read(&stuck).expect("read").0, b"text");
        assert!(reader.stuck.is_empty());
    }
}
