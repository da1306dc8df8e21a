//! Translation, by example: each file under `tests/golden` holds manifests, and the model and the reports that they make.
//! `BLESS=1` rewrites the output.

mod case;
mod determinism;
mod hostile;
pub(crate) mod manifests;
mod precedence;
mod print;
mod schema;

use steadygate::source::Snapshot;
use steadygate::translate::{Translation, translate};

use case::{Case, cases};

#[test]
fn every_case_translates_as_written() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let actual = print::print(&translated(&case), case.full);
        if bless {
            case.bless(&actual);
        } else if actual != case.expected {
            wrong.push(format!("{}\n{}", case.file.display(), difference(&case.expected, &actual)));
        }
    }
    assert!(wrong.is_empty(), "run with BLESS=1 if this is meant:\n{}", wrong.join("\n"));
}

fn translated(case: &Case) -> Translation {
    let mut snapshot = Snapshot::default();
    for document in case.documents() {
        manifests::add(&mut snapshot, document);
    }
    translate(&snapshot, &case.options)
}

/// The first line that differs, with the lines around it.
fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    let equal = expected.iter().zip(&actual).take_while(|(a, b)| a == b).count();
    let part =
        |lines: &[&str]| lines.iter().skip(equal.saturating_sub(3)).take(10).copied().collect::<Vec<_>>().join("\n  ");
    format!("expected, from line {equal}:\n  {}\nactual:\n  {}", part(&expected), part(&actual))
}
