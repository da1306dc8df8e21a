//! The rooms of the code (docs/architecture.md): who may use whom, and what some may never see.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// For each room, the rooms that it may use. `app`, `cli` and `main` may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("admin", &["controller", "model", "pool", "proxy", "report", "source", "status", "websocket"]),
    ("api", &[]),
    ("controller", &["model", "pool", "proxy", "report", "source", "status", "table", "translate", "websocket"]),
    ("model", &[]),
    ("pool", &["model"]),
    ("proxy", &["model", "pool", "table", "websocket"]),
    ("report", &["model"]),
    ("source", &["api", "model", "report"]),
    ("status", &["api", "model", "report", "source"]),
    ("table", &["model", "pool"]),
    ("translate", &["api", "model", "report", "source", "status"]),
    ("websocket", &["model", "pool", "table"]),
];

/// Files that talk to the API server, keep time or read the environment, in rooms whose other files do not.
const IO: &[&str] = &["election.rs", "events.rs", "identity.rs", "lease.rs", "pace.rs", "task.rs", "writer.rs"];

/// Crates and what they are kept out of.
const KEPT_OUT: &[(&str, &[&str])] = &[
    ("kube", &["model", "pool", "proxy", "status", "table", "websocket"]),
    ("k8s_openapi", &["model", "pool", "proxy", "table", "websocket"]),
    ("tokio", &["api", "model", "report", "status", "translate"]),
    ("std::time::Instant", &["api", "model", "report", "status", "translate"]),
    ("std::time::SystemTime", &["api", "model", "report", "status", "translate"]),
    ("std::env", &["api", "model", "report", "status", "translate"]),
];

#[test]
fn data_flows_one_way() {
    let allowed: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, path, text) in sources() {
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            for used in line
                .split("crate::")
                .skip(1)
                .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
            {
                let free = matches!(room.as_str(), "app" | "cli" | "main" | "lib") || room == used;
                let may = allowed.get(room.as_str()).is_some_and(|rooms| rooms.contains(&used));
                if !free && !may {
                    wrong.push(format!("{}: {room} uses {used}: {line}", path.display()));
                }
            }
            for (name, rooms) in KEPT_OUT {
                let io = room == "status" && IO.iter().any(|name| path.ends_with(name));
                if rooms.contains(&room.as_str()) && !io && line.contains(&format!("{name}::")) {
                    wrong.push(format!("{}: {room} names {name}: {line}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_owns() {
    for (_, path, text) in sources() {
        assert!(text.starts_with("//! "), "{} does not begin with its purpose", path.display());
    }
}

/// Room, path and text, without tests, of each file of the library.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.ends_with("tests.rs") {
                continue;
            }
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let within = path.strip_prefix(&root).expect("under src");
            let first = within.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).expect("text");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            found.push((room, path, text));
        }
    }
    assert!(found.len() > 50, "the sources are found");
    found
}
