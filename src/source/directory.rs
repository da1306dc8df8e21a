//! A directory of manifests as a source: read once, or watched.
//!
//! A file that can't be read, or that holds an object that is refused, is reported; the last good version of
//! that file goes on being served. Nothing here knows what objects mean.

mod file;
mod links;
mod pending;
mod scan;
mod tree;
mod watch;
mod watches;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::Input;
use tree::Tree;

pub use watch::Watch;

/// Why a directory can't be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing of that name, or it can't be opened.
    #[error("directory {path:?} can't be read")]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The thread that watches it can't be started.
    #[error("directory {path:?} can't be watched")]
    Unwatched {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Reads the manifests of `dir` once: `*.yaml`, `*.yml` and `*.json`, in subdirectories too, except what is
/// hidden. Symbolic links are followed.
pub fn read(dir: &Path) -> Result<Input, Error> {
    let mut tree = Tree::default();
    read_into(&mut tree, dir)
}

/// Reads `before`, and `after` as one reads it who has served `before`: of a file that is broken there, the version of
/// `before` goes on being served.
///
/// # Errors
/// One of them can't be read.
pub fn read_both(before: &Path, after: &Path) -> Result<(Input, Input), Error> {
    let mut tree = Tree::default();
    Ok((read_into(&mut tree, before)?, read_into(&mut tree, after)?))
}

fn read_into(tree: &mut Tree, dir: &Path) -> Result<Input, Error> {
    open(dir)?;
    let found = scan::scan(dir, &mut |_| {});
    for change in tree.compare(&found) {
        let content = File::open(&change.path).and_then(|mut file| file::load(&mut file));
        tree.replace(&change, content);
    }
    tree.settle(&found);
    Ok(tree.input())
}

/// Starts to watch `dir`: its manifests are sent as soon as they have been read, and again after each change.
pub fn watch(dir: &Path) -> Result<Watch, Error> {
    open(dir)?;
    Watch::start(dir)
}

fn open(dir: &Path) -> Result<(), Error> {
    match fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Unreadable { path: dir.to_owned(), source }),
    }
}
