//! Holds the code to the tables of rooms in `docs/architecture.md`: who may use whom, among rooms and inside them. Holds it
//! also to what these rooms never see, and to imports without loops.

mod imports;
mod loops;
mod page;

use imports::{Crate, Module};
use page::Table;

/// Files that talk to the API server, keep time or read the environment, in rooms whose other files do not.
const IO: &[&str] =
    &["context.rs", "election.rs", "events.rs", "identity.rs", "lease.rs", "pace.rs", "thread.rs", "writer.rs"];

/// Crates, and the rooms that never name them.
const KEPT_OUT: &[(&str, &[&str])] = &[
    ("kube", &["model", "pool", "status", "table", "websocket"]),
    ("k8s_openapi", &["model", "pool", "table", "websocket"]),
    ("tokio", &["api", "model", "report", "status", "translate"]),
    ("std::time::Instant", &["api", "model", "report", "status", "translate"]),
    ("std::time::SystemTime", &["api", "model", "report", "status", "translate"]),
    ("std::env", &["api", "model", "report", "status", "translate"]),
];

#[test]
fn rooms_use_only_what_the_page_allows() {
    let table = page::table("Rooms", ["room", "owns", "may use"]);
    let wrong = violations(&Crate::read(), &[], &table);
    assert!(wrong.is_empty(), "docs/architecture.md, \"Rooms\", does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn folders_inside_rooms_use_only_what_the_page_allows() {
    let sources = Crate::read();
    for room in page::rooms_with_folders() {
        let heading = format!("Inside `{room}`");
        let table = page::table(&heading, ["folder", "owns", "may use"]);
        let wrong = violations(&sources, &[&room], &table);
        assert!(wrong.is_empty(), "docs/architecture.md, {heading:?}, does not allow:\n{}", wrong.join("\n"));
    }
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    let loops = loops::of(&Crate::read());
    let texts: Vec<_> = loops.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "these import each other:\n{}", texts.join("\n"));
}

#[test]
fn rooms_name_no_crate_that_is_kept_out() {
    let mut wrong = Vec::new();
    for Module { path, file, code, .. } in &Crate::read().modules {
        for (name, rooms) in KEPT_OUT {
            let kept_out = path.first().is_some_and(|room| rooms.contains(&room.as_str()));
            let io = path.first().is_some_and(|room| room == "status") && IO.iter().any(|name| file.ends_with(name));
            if kept_out && !io && code.contains(&format!("{name}::")) {
                wrong.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_owns() {
    for Module { file, has_purpose, .. } in &Crate::read().modules {
        assert!(has_purpose, "{} does not begin with its purpose", file.display());
    }
}

/// Imports between the parts of `within` that the table does not allow, and files that it does not name.
fn violations(sources: &Crate, within: &[&str], table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    let inside = |path: &[String]| path.len() > within.len() && path.iter().zip(within).all(|(a, b)| a == b);
    let part = |path: &[String]| table.part_of(&path[within.len()..].join("/"));
    for module in sources.modules.iter().filter(|module| inside(&module.path)) {
        let Some(user) = part(&module.path) else {
            wrong.push(format!("{}: no row is about it", module.file.display()));
            continue;
        };
        for import in &module.imports {
            let target = &sources.modules[import.to];
            if !inside(&target.path) {
                continue;
            }
            // A file without a row is reported where it is itself the user.
            let allowed = part(&target.path).is_none_or(|used| table.allows(&user, &used));
            if !allowed {
                wrong.push(format!("{}: {}", module.file.display(), import.text));
            }
        }
    }
    wrong
}
