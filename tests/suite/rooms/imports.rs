//! Reads the files under `src`, and which file uses which. Tests and comments are left out.
//!
//! A path that starts with `crate::`, `super::` or `self::` is followed to the file that owns what it names: through
//! modules, and through what they import or re-export from others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library and of `main.rs`.
pub(super) struct Crate {
    pub(super) modules: Vec<Module>,
    by_path: BTreeMap<Vec<String>, usize>,
}

/// A file.
pub(super) struct Module {
    /// `["proxy", "tls"]`; empty for `lib.rs`.
    pub(super) path: Vec<String>,
    pub(super) file: PathBuf,
    /// The text, without comments and tests.
    pub(super) code: String,
    /// Whether the file begins with a comment about itself.
    pub(super) has_purpose: bool,
    pub(super) imports: Vec<Import>,
    /// What the module can name without a path, by name: where it comes from.
    names: BTreeMap<String, Vec<String>>,
}

/// A path in one file that leads to another.
pub(super) struct Import {
    /// Index of the module that it leads to.
    pub(super) to: usize,
    /// The path as written.
    pub(super) text: String,
}

impl Crate {
    /// Reads `src`.
    pub(super) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        collect(&root, &mut files);
        let files = files.into_iter().map(|file| {
            let text = fs::read_to_string(root.join(&file)).expect("text");
            (file, text)
        });
        let sources = Self::of(files);
        assert!(sources.modules.len() > 50, "the sources are found");
        sources
    }

    /// Of files under `src` and their texts.
    pub(super) fn of(files: impl IntoIterator<Item = (PathBuf, String)>) -> Self {
        let mut modules: Vec<_> = files.into_iter().map(|(file, text)| Module::new(file, &text)).collect();
        modules.sort_by(|a, b| a.path.cmp(&b.path));
        let by_path = modules.iter().enumerate().map(|(index, module)| (module.path.clone(), index)).collect();
        let mut sources = Self { modules, by_path };
        // First what each module names, since the paths of others lead through it.
        for index in 0..sources.modules.len() {
            let names = uses(&sources.modules[index].code).into_iter().filter_map(|used| {
                let name = used.name.or_else(|| used.path.last().cloned())?;
                Some((name, sources.absolute(index, &used.path)?))
            });
            let names = names.collect();
            sources.modules[index].names = names;
        }
        for index in 0..sources.modules.len() {
            let paths = paths(&sources.modules[index].code);
            let imports = paths.iter().filter_map(|path| {
                let to = sources.owner(&sources.absolute(index, path)?, 0)?;
                (to != index).then(|| Import { to, text: path.join("::") })
            });
            let imports = imports.collect();
            sources.modules[index].imports = imports;
        }
        sources
    }

    /// A path from the root of the crate; `None` if it is of another crate.
    fn absolute(&self, module: usize, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.modules[module].path.clone();
        let (first, mut rest) = path.split_first()?;
        match first.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
                while let Some(("super", further)) =
                    rest.split_first().map(|(first, further)| (first.as_str(), further))
                {
                    base.pop();
                    rest = further;
                }
            }
            _ => {
                base.push(first.clone());
                self.by_path.get(&base)?;
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The module that owns what a path from the root names.
    fn owner(&self, path: &[String], depth: usize) -> Option<usize> {
        let (length, module) =
            (0..=path.len()).rev().find_map(|length| Some((length, *self.by_path.get(&path[..length])?)))?;
        let imported = path.get(length).and_then(|name| self.modules[module].names.get(name));
        match imported {
            Some(from) if depth < 8 => {
                let further: Vec<_> = from.iter().chain(&path[length + 1..]).cloned().collect();
                self.owner(&further, depth + 1)
            }
            _ => Some(module),
        }
    }
}

impl Module {
    fn new(file: PathBuf, text: &str) -> Self {
        let mut path: Vec<_> = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if path == ["lib"] {
            path.clear();
        }
        let has_purpose = text.starts_with("//! ");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        Self { path, file: Path::new("src").join(file), code, has_purpose, imports: Vec::new(), names: BTreeMap::new() }
    }
}

/// Files below `root`, as paths within it, without tests.
fn collect(root: &Path, files: &mut Vec<PathBuf>) {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_stem().is_some_and(|name| name != "tests") {
                files.push(path.strip_prefix(root).expect("below it").to_owned());
            }
        }
    }
}

/// One path of a `use`, and the name that it gets by `as`.
struct Used {
    path: Vec<String>,
    name: Option<String>,
}

/// The paths of all `use` declarations.
fn uses(code: &str) -> Vec<Used> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        if line.is_empty() || (line.starts_with("pub") && line.len() == line.trim_end().len() + 1) {
            tree(&code[at + "use ".len()..], &[], &mut found);
        }
    }
    found
}

/// All paths that start within the crate, in `use` declarations and elsewhere.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = &code[..at];
            let is_start = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '$'));
            if is_start && !before.ends_with("pub(in ") {
                tree(&code[at..], &[], &mut found);
            }
        }
    }
    found.into_iter().map(|used| used.path).collect()
}

/// Reads `a::{b, c::d as e}` as `a::b` and `a::c::d`; gives the text after it.
fn tree<'a>(text: &'a str, prefix: &[String], found: &mut Vec<Used>) -> &'a str {
    let mut path = prefix.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut group) = rest.strip_prefix('{') {
            loop {
                group = group.trim_start();
                if group.is_empty() {
                    return group;
                } else if let Some(rest) = group.strip_prefix('}') {
                    return rest;
                }
                let after = tree(group, &path, found).trim_start();
                // Text that is no tree of paths ends the group.
                let Some(next) = after.strip_prefix(',').or_else(|| after.starts_with('}').then_some(after)) else {
                    return after;
                };
                group = next;
            }
        }
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        match word {
            "" => break,
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
        match after.strip_prefix("::") {
            Some(next) => rest = next,
            None => {
                rest = after;
                break;
            }
        }
    }
    rest = rest.strip_prefix('*').unwrap_or(rest);
    let mut name = None;
    if let Some(after) = rest.trim_start().strip_prefix("as ") {
        let length = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        name = Some(after[..length].to_owned());
        rest = &after[length..];
    }
    found.push(Used { path, name });
    rest
}
