//! The reference pages that are generated from the code: `docs/annotations.md` and `docs/reasons.md`. `BLESS=1` rewrites them.

use std::fmt::Write;
use std::path::Path;

use steadygate::api::annotations::FAMILIES;
use steadygate::report::Reason;

#[test]
fn the_page_of_annotations_is_that_of_the_code() {
    let mut page = "# Annotations\n\nGenerated from the tables in `src/api/annotations` and the list in `src/api/session.rs`. Where two \
        families have one setting, the later table on this page is used. On an IngressClass, annotations are the defaults of its \
        Ingresses. A value that can't be read is reported, and the default stays; a key that is not on this page is reported \
        too. A WebSocket session keeps the settings that it was opened with.\n"
        .to_owned();
    for family in FAMILIES {
        let _infallible = write!(page, "\n## `{}`\n", family.prefix);
        page += "\nSupported:\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n";
        for entry in family.entries.iter().filter(|entry| entry.supported()) {
            row(&mut page, entry.key, &[&entry.values.to_string(), entry.default, entry.meaning]);
        }
        for setting in family.session_settings {
            let (values, default) = (setting.values.to_string(), setting.default.to_string());
            row(&mut page, setting.annotation, &[&values, &default, setting.meaning]);
        }
        let unsupported: Vec<_> = family.entries.iter().filter(|entry| !entry.supported()).collect();
        if !unsupported.is_empty() {
            page += "\nKnown, but not supported by this version:\n\n| key | instead |\n| --- | --- |\n";
            for entry in unsupported {
                row(&mut page, entry.key, &[entry.meaning]);
            }
        }
    }
    hold("docs/annotations.md", &page);
}

/// Adds a row to a table: its key as code, and further cells.
fn row(page: &mut String, key: &str, cells: &[&str]) {
    let _infallible = write!(page, "| `{key}` |");
    for cell in cells {
        let _infallible = write!(page, " {} |", cell.replace('|', "\\|"));
    }
    page.push('\n');
}

#[test]
fn the_page_of_reasons_is_that_of_the_code() {
    let mut page =
        "# Reasons\n\nGenerated from `src/status.rs`. Reports, logs and `steadygate check` carry one of these.\n\n\
        | reason | meaning |\n| --- | --- |\n"
            .to_owned();
    for reason in Reason::ALL {
        let _infallible = writeln!(page, "| `{}` | {} |", reason.name(), reason.meaning());
    }
    hold("docs/reasons.md", &page);
}

fn hold(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).expect("writable");
    }
    assert!(std::fs::read_to_string(&path).unwrap_or_default() == text, "{page} is out of date: run `make bless`");
}
