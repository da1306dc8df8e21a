//! Translation, by example: `tests/golden/<feature>/<case>.yaml` holds manifests, then a line `# Output`, then the
//! model and the reports that they make. `BLESS=1` rewrites the output.
//!
//! The first lines of a case can be comments; `# serve: NAME` among them has an IngressClass controller taken over.

mod determinism;
mod hostile;
pub(crate) mod manifests;
mod precedence;
mod schema;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use steadygate::model::Model;
use steadygate::translate::{Options, Translation, translate};

const MARK: &str = "# Output\n";

#[test]
fn every_case_translates_as_written() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for file in cases() {
        let text = fs::read_to_string(&file).expect("readable");
        let (input, expected) = text.split_once(MARK).unwrap_or((&text, ""));
        let actual = print(&translate(&manifests::read(input), &options(input)));
        if bless {
            let input = input.trim_end();
            fs::write(&file, format!("{input}\n{MARK}{actual}")).expect("writable");
        } else if actual != expected {
            wrong.push(format!("{}\n{}", file.display(), difference(expected, &actual)));
        }
    }
    assert!(wrong.is_empty(), "run with BLESS=1 if this is meant:\n{}", wrong.join("\n"));
}

/// Every file under `tests/golden`: a case that stands where it would not be read fails here.
fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let list = |folder: &Path| -> Vec<PathBuf> {
        let mut entries: Vec<_> =
            fs::read_dir(folder).expect("a folder").map(|e| e.expect("readable").path()).collect();
        entries.sort();
        entries
    };
    let mut cases = Vec::new();
    for feature in list(&root) {
        assert!(feature.is_dir(), "{} is in no feature's folder, so nobody reads it", feature.display());
        for case in list(&feature) {
            let is_case = case.is_file() && case.extension().is_some_and(|extension| extension == "yaml");
            assert!(is_case, "{} is no case, so nobody reads it", case.display());
            cases.push(case);
        }
    }
    assert!(cases.len() > 20, "the cases are not where they are expected");
    cases
}

/// As a directory of manifests is translated, and with the controllers that the case names.
fn options(input: &str) -> Options {
    let served =
        input.lines().take_while(|line| line.starts_with('#')).filter_map(|line| line.strip_prefix("# serve: "));
    Options {
        serve_controllers: served.map(str::to_owned).collect(),
        everything_without_class: true,
        ..Options::default()
    }
}

#[derive(Serialize)]
struct Output<'a> {
    model: &'a Model,
    reports: Vec<String>,
}

/// The model and reports as YAML, in fewer lines: durations as `30s`, owners on one line, nothing for what is not
/// there, and secrets without their length (which varies with each generated key).
fn print(Translation { model, reports, .. }: &Translation) -> String {
    let output = Output { model, reports: reports.iter().map(ToString::to_string).collect() };
    let text = serde_saphyr::to_string(&output).expect("plain data");
    let mut lines = text.lines().filter(|line| !line.ends_with(": null")).peekable();
    let mut out = String::new();
    while let Some(line) = lines.next() {
        let mut value = |key: &str| lines.next().and_then(|line| line.trim_start().strip_prefix(key)).expect(key);
        if line.trim_start() == "owner:" {
            let (kind, namespace, name) = (value("kind: "), value("namespace: "), value("name: "));
            out.push_str(&format!("{line} {kind} {namespace}/{name}\n"));
        } else if lines.peek().is_some_and(|next| next.trim_start().starts_with("secs: ")) {
            let seconds = lines.next().map(|line| line.trim_start().replace("secs: ", "")).unwrap_or_default();
            lines.next();
            out.push_str(&format!("{line} {seconds}s\n"));
        } else {
            let (shown, hidden) = line.split_once("redacted (").unwrap_or((line, ""));
            out.push_str(shown);
            out.push_str(if hidden.is_empty() { "\n" } else { "redacted\n" });
        }
    }
    out
}

/// The first line that differs, with what is around it.
fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    let same = expected.iter().zip(&actual).take_while(|(a, b)| a == b).count();
    let part =
        |lines: &[&str]| lines.iter().skip(same.saturating_sub(3)).take(10).copied().collect::<Vec<_>>().join("\n  ");
    format!("expected, from line {same}:\n  {}\nactual:\n  {}", part(&expected), part(&actual))
}
