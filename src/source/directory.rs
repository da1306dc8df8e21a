//! A directory of manifests as a source: read once, or watched.
//!
//! A file that can't be read, or that holds an object that is refused, is reported; the last good version of the file goes on
//! being served. This module must not know the meaning of objects.

mod file;
mod links;
mod pending;
mod reader;
mod scan;
mod tree;
mod watch;
mod watches;

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::Input;
use tree::Tree;

pub use watch::DirectoryWatch;

/// Why a directory can't be served.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is nothing of that name, or it can't be opened.
    #[error("directory {path:?} can't be read")]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The thread that watches it can't be started.
    #[error("directory {path:?} can't be watched")]
    Unwatched {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// Reads the manifests of `dir` once: `*.yaml`, `*.yml` and `*.json`, in subdirectories too, except what is
/// hidden. Symbolic links are followed.
pub fn read(dir: &Path) -> Result<Input, DirectoryError> {
    let mut tree = Tree::default();
    read_into(&mut tree, dir)
}

/// Reads two versions of a directory: `before`, and `after` as if it replaced `before`. Of a file that is broken in `after`, the
/// version of `before` goes on being served.
///
/// # Errors
/// One of them can't be read.
pub fn read_both(before: &Path, after: &Path) -> Result<(Input, Input), DirectoryError> {
    let mut tree = Tree::default();
    Ok((read_into(&mut tree, before)?, read_into(&mut tree, after)?))
}

fn read_into(tree: &mut Tree, dir: &Path) -> Result<Input, DirectoryError> {
    open(dir)?;
    let found = scan::scan(dir, &mut |_| {});
    for change in tree.compare(&found) {
        tree.replace(&change, reader::load(&change.path).map(|(bytes, _)| bytes));
    }
    tree.apply_scan(&found);
    Ok(tree.input())
}

/// Reads one file of a directory: as much as is parsed at most.
///
/// # Errors
/// It can't be read, or is no regular file.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    reader::load(path).map(|(bytes, _)| bytes)
}

/// Starts to watch `dir`: its manifests are sent as soon as they have been read, and again after each change.
pub fn watch(dir: &Path) -> Result<DirectoryWatch, DirectoryError> {
    open(dir)?;
    DirectoryWatch::start(dir)
}

fn open(dir: &Path) -> Result<(), DirectoryError> {
    match fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(source) => Err(DirectoryError::Unreadable { path: dir.to_owned(), source }),
    }
}
