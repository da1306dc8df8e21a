//! Finds files that import each other in a loop.
//!
//! A module and everything below it are one thing: imports between them make no loop. So modules are compared with their
//! siblings: `a/x.rs` that uses `b/y.rs` ties `a` to `b`, and a `b` that uses something of `a` closes a loop.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::imports::Crate;

/// Modules that can each be reached from all others of them.
pub(super) struct Loop {
    /// The module that they are in, and their names: `proxy/session: extended, upgrade`.
    pub(super) name: String,
    /// The imports that make it.
    imports: Vec<String>,
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.imports.iter().try_for_each(|import| write!(f, "\n  {import}"))
    }
}

/// Which siblings a module uses, and by which imports.
type Edges = BTreeMap<(String, String), BTreeSet<String>>;

/// The loops of a crate.
pub(super) fn of(sources: &Crate) -> Vec<Loop> {
    let mut levels: BTreeMap<&[String], Edges> = BTreeMap::new();
    for module in &sources.modules {
        for import in &module.imports {
            let (from, to) = (&module.path, &sources.modules[import.to].path);
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            // One that contains the other is one thing with it.
            if let (Some(user), Some(used)) = (from.get(shared), to.get(shared)) {
                let edges = levels.entry(&from[..shared]).or_default();
                let text = format!("{}: {}", module.file.display(), import.text);
                edges.entry((user.clone(), used.clone())).or_default().insert(text);
            }
        }
    }
    levels.into_iter().flat_map(|(parent, edges)| loops(parent, &edges)).collect()
}

fn loops(parent: &[String], edges: &Edges) -> Vec<Loop> {
    let reach: BTreeMap<_, _> = edges.keys().map(|(from, _)| (from, reachable(from, edges))).collect();
    let reaches = |a: &String, b: &String| reach.get(a).is_some_and(|reached| reached.contains(b));
    let mut rest: BTreeSet<_> = reach.keys().copied().filter(|name| reaches(name, name)).collect();
    let mut found = Vec::new();
    while let Some(first) = rest.first().copied() {
        let members: BTreeSet<_> =
            rest.iter().copied().filter(|name| reaches(first, name) && reaches(name, first)).collect();
        rest.retain(|name| !members.contains(name));
        let inside = edges.iter().filter(|((from, to), _)| members.contains(from) && members.contains(to));
        let names: Vec<_> = members.iter().map(|name| name.as_str()).collect();
        let parent = if parent.is_empty() { "src".to_owned() } else { parent.join("/") };
        found.push(Loop {
            name: format!("{parent}: {}", names.join(", ")),
            imports: inside.flat_map(|(_, imports)| imports).cloned().collect(),
        });
    }
    found
}

/// What can be reached from a module; itself, if it is in a loop.
fn reachable<'a>(from: &'a String, edges: &'a Edges) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        for ((_, to), _) in edges.iter().filter(|((user, _), _)| user == at) {
            if reached.insert(to) {
                next.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(file, text)| ((*file).into(), (*text).to_owned()));
        of(&Crate::of(files)).into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn two_files_that_use_each_other_are_a_loop() {
        let files = [("a.rs", ""), ("a/x.rs", "use super::y::Y;"), ("a/y.rs", "fn f() { super::x::f() }")];
        assert_eq!(names(&files), ["a: x, y"]);
        assert_eq!(names(&files[..2]), [""; 0]);
    }

    #[test]
    fn a_module_and_its_children_are_one_thing() {
        let child = ("a/x.rs", "use super::A;\nuse crate::a::B;");
        assert_eq!(names(&[("a.rs", "pub use x::X;\nstruct A;"), child]), [""; 0]);
        let files = [("a/x/z.rs", "use crate::a::y::Y;"), ("a/x.rs", ""), ("a/y.rs", "use super::x::X;"), ("a.rs", "")];
        assert_eq!(names(&files), ["a: x, y"]);
    }

    #[test]
    fn what_is_imported_from_a_parent_is_followed_to_its_owner() {
        let parent = ("a.rs", "pub use x::{X as Z, other};\nuse self::y::Y;");
        let files = [parent, ("a/x.rs", "use super::Y;"), ("a/y.rs", "use crate::{a::{Z}};")];
        assert_eq!(names(&files), ["a: x, y"]);
    }

    #[test]
    fn comments_tests_and_visibilities_are_no_imports() {
        let text =
            "// use super::y::Y;\npub(in crate::a::y) fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::a::y::Y;\n}";
        assert_eq!(names(&[("a.rs", ""), ("a/x.rs", text), ("a/y.rs", "use super::x::f;")]), [""; 0]);
    }
}
