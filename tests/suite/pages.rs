//! The pages of the repository (`*.md`): each is linked from the README or from `docs/README.md`, each link leads to a
//! file and a heading that exist, and each path that a page names in code exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The pages that link all others.
const INDEXES: [&str; 2] = ["README.md", "docs/README.md"];

/// Folders whose paths are checked where a page names them.
const FOLDERS: [&str; 8] = ["benches/", "charts/", "crds/", "docs/", "e2e/", "fuzz/", "src/", "tests/"];

#[test]
fn every_page_is_linked_from_an_index() {
    let pages = pages();
    let mut linked: BTreeSet<PathBuf> = INDEXES.iter().map(PathBuf::from).collect();
    for index in INDEXES {
        linked.extend(links(&pages[Path::new(index)]).into_iter().map(|link| target(Path::new(index), &link).0));
    }
    let missing: Vec<_> = pages.keys().filter(|page| !linked.contains(*page)).collect();
    assert!(missing.is_empty(), "linked neither from README.md nor from docs/README.md: {missing:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut wrong = Vec::new();
    for (page, text) in &pages {
        for link in links(text) {
            let (file, heading) = target(page, &link);
            let found = match pages.get(&file) {
                Some(text) => heading.is_none_or(|heading| anchors(text).contains(heading)),
                None => heading.is_none() && root().join(&file).exists(),
            };
            if !found {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn every_path_in_code_exists() {
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        for code in text.split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().any(|folder| code.starts_with(folder));
            // `tests/golden/FEATURE/CASE.yaml` and `tests/control/test_{lease,events}.py` stand for several files.
            let is_pattern = code.contains(|letter: char| letter.is_uppercase() || matches!(letter, ' ' | '{' | '*'));
            if is_path && !is_pattern && !root().join(code).exists() {
                wrong.push(format!("{}: `{code}`", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "files that do not exist:\n{}", wrong.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of each page without its blocks of code, by its path in the repository.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).expect("text");
                let text = text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
                pages.insert(path.strip_prefix(root()).expect("in the repository").to_owned(), text);
            }
        }
    }
    pages
}

/// The targets of a page's links, but for those to other sites.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|link| !link.contains("://")).map(str::to_owned).collect()
}

/// The file, as a path in the repository, and the heading that a link on `page` leads to.
fn target<'a>(page: &Path, link: &'a str) -> (PathBuf, Option<&'a str>) {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    if file.is_empty() {
        return (page.to_owned(), heading);
    }
    let mut path = PathBuf::new();
    for part in page.parent().expect("a folder").join(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    (path, heading)
}

/// What links to the headings of a page end with, as GitHub makes it: `time-limits`.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let letters = heading.to_lowercase().replace(' ', "-");
        letters.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}
