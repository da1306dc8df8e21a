//! Resolves a path to its real path, and names the symbolic links on the way: if one of them changes, the path leads elsewhere,
//! although nothing in the directory that it led to has changed.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// How many links one path may lead through, as Linux has it.
const MAX_LINKS: usize = 40;

/// A path, resolved.
pub(super) struct Resolved {
    /// The real path, or why there is none.
    pub(super) real: io::Result<PathBuf>,
    /// The links on the way, each by the real path of its directory and its own name. Where the path leads nowhere, the last
    /// of them is the path that is missing.
    pub(super) links: Vec<PathBuf>,
}

/// Resolves an absolute path.
pub(super) fn resolve(path: &Path) -> Resolved {
    let mut links = Vec::new();
    let real = follow(path, &mut links);
    Resolved { real, links }
}

fn follow(path: &Path, links: &mut Vec<PathBuf>) -> io::Result<PathBuf> {
    let mut real = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = names(path);
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        match next.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => {}
            Ok(_) => {
                real = next;
                continue;
            }
            Err(error) => {
                links.push(next);
                return Err(error);
            }
        }
        if links.len() >= MAX_LINKS {
            return Err(io::Error::other("too many symbolic links on the way"));
        }
        let target = next.read_link()?;
        links.push(next);
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            rest.push_front(name);
        }
    }
    Ok(real)
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("exists");
        std::fs::create_dir(root.join("v1")).expect("created");
        std::fs::write(root.join("v1/a.yaml"), "").expect("written");
        symlink("v1", root.join("current")).expect("linked");
        symlink("current/a.yaml", root.join("a.yaml")).expect("linked");
        let resolved = resolve(&root.join("a.yaml"));
        assert_eq!(resolved.real.expect("leads somewhere"), root.join("v1/a.yaml"));
        assert_eq!(resolved.links, [root.join("a.yaml"), root.join("current")]);
        symlink("nothing", root.join("b.yaml")).expect("linked");
        assert_eq!(resolve(&root.join("b.yaml")).links, [root.join("b.yaml"), root.join("nothing")]);
        symlink("loop", root.join("loop")).expect("linked");
        assert!(resolve(&root.join("loop")).real.is_err());
    }
}
