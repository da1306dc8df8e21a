//! A scan of the directory: its manifests, the real directories to watch, and what could not be looked at. It looks at names
//! and stamps, and reads no file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::links::resolve;

/// How many manifests are read at most, and how many directories are looked through.
pub(super) const MAX_ENTRIES: usize = 10_000;
/// How deep directories may be nested.
const MAX_DEPTH: usize = 32;

/// Tells one version of a file from another without reading it: inode, size and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    device: u64,
    inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A file of manifests.
#[derive(Debug)]
pub(super) struct FoundManifest {
    /// Its real path.
    pub(super) real: PathBuf,
    /// Its stamp, or why there is none.
    pub(super) stamp: Result<FileStamp, String>,
    /// Whether it is a symbolic link.
    pub(super) linked: bool,
}

/// A directory that a link leads to.
#[derive(Debug)]
struct LinkedDirectory {
    real: PathBuf,
    /// The path of the link, relative to the directory that is scanned.
    path: PathBuf,
}

/// The result of a scan.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Manifests, by their path relative to the directory.
    pub(super) files: BTreeMap<PathBuf, FoundManifest>,
    /// Directories, by their real path. Each is scanned once, however many links lead to it.
    pub(super) directories: BTreeSet<PathBuf>,
    /// Symbolic links that lead to any of these.
    pub(super) links: BTreeSet<PathBuf>,
    /// Paths that could not be looked at, relative to the directory, and why. The empty path is the directory itself.
    pub(super) failed: BTreeMap<PathBuf, String>,
    /// Whether there are more manifests than are read.
    pub(super) has_too_many_files: bool,
    /// Whether there are more directories than are looked through.
    pub(super) has_too_many_directories: bool,
    /// Directories that links lead to. They are scanned after those that are there themselves.
    linked: VecDeque<LinkedDirectory>,
}

impl FileStamp {
    /// The stamp of the file at `path`, links followed.
    pub(super) fn of(path: &Path) -> Result<Self, String> {
        let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
        if !metadata.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        Ok(Self::from(&metadata))
    }

    /// The stamp of an open file.
    pub(super) fn of_open(file: &fs::File) -> io::Result<Self> {
        Ok(Self::from(&file.metadata()?))
    }
}

impl From<&fs::Metadata> for FileStamp {
    fn from(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Whether a file of this name is a manifest.
pub(super) fn is_manifest(name: &OsStr) -> bool {
    let path = Path::new(name);
    let known = path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
    known && !is_hidden(name)
}

/// Whether the name is one that listings leave out.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// Scans `dir`. `enter` is called with the real path of each directory before it is listed, so that
/// a watch can be set first and nothing is missed between the two.
pub(super) fn scan(dir: &Path, enter: &mut dyn FnMut(&Path)) -> Scan {
    let mut scan = Scan::default();
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let root = resolve(&absolute);
    scan.links.extend(root.links);
    match root.real {
        Ok(real) => scan.linked.push_back(LinkedDirectory { real, path: PathBuf::new() }),
        Err(error) => {
            scan.failed.insert(PathBuf::new(), error.to_string());
        }
    }
    while let Some(LinkedDirectory { real, path }) = scan.linked.pop_front() {
        scan.directory(&real, &path, enter);
    }
    scan
}

impl Scan {
    fn directory(&mut self, real: &Path, path: &Path, enter: &mut dyn FnMut(&Path)) {
        if self.directories.contains(real) {
            return;
        }
        if path.components().count() >= MAX_DEPTH {
            let reason = format!("directories are nested more than {MAX_DEPTH} deep");
            self.failed.insert(path.to_owned(), reason);
            return;
        }
        if self.directories.len() >= MAX_ENTRIES {
            self.has_too_many_directories = true;
            return;
        }
        self.directories.insert(real.to_owned());
        enter(real);
        let entries = fs::read_dir(real).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                self.failed.insert(path.to_owned(), error.to_string());
                return;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            self.entry(real, path, &entry, enter);
        }
    }

    fn entry(&mut self, real: &Path, path: &Path, entry: &fs::DirEntry, enter: &mut dyn FnMut(&Path)) {
        let name = entry.file_name();
        if is_hidden(&name) {
            return;
        }
        let path = path.join(&name);
        // Gone since it was listed: an event tells.
        let Ok(kind) = entry.file_type() else { return };
        let mut target = real.join(&name);
        let mut is_directory = kind.is_dir();
        if kind.is_symlink() {
            let resolved = resolve(&target);
            match resolved.real {
                Ok(led_to) => {
                    is_directory = led_to.is_dir();
                    if !is_directory && !is_manifest(&name) {
                        return;
                    }
                    target = led_to;
                }
                Err(error) if is_manifest(&name) => {
                    let stamp = Err(format!("the symbolic link leads nowhere: {error}"));
                    self.links.extend(resolved.links);
                    self.files.insert(path, FoundManifest { real: target, stamp, linked: true });
                    return;
                }
                Err(_) => return,
            }
            self.links.extend(resolved.links);
        }
        if is_directory && kind.is_symlink() {
            return self.linked.push_back(LinkedDirectory { real: target, path });
        }
        if is_directory {
            return self.directory(&target, &path, enter);
        }
        if !is_manifest(&name) {
            return;
        }
        if self.files.len() >= MAX_ENTRIES {
            self.has_too_many_files = true;
            return;
        }
        let stamp = FileStamp::of(&target);
        self.files.insert(path, FoundManifest { real: target, stamp, linked: kind.is_symlink() });
    }
}
