//! The reference pages that are made from the code: `docs/annotations.md` and `docs/reasons.md`. `BLESS=1` rewrites them.

use std::fmt::Write;
use std::path::Path;

use steadygate::api::annotations::FAMILIES;
use steadygate::report::Reason;

#[test]
fn the_page_of_annotations_is_that_of_the_code() {
    let mut page = "# Annotations\n\nGenerated from the tables in `src/api/annotations`. Where two families give the same setting, \
        the later table stands. On an IngressClass they are the defaults of its Ingresses. A value that can't be read is \
        reported and its default stays; so is a key that is not in these tables. A WebSocket session keeps the settings \
        that it was opened with.\n"
        .to_owned();
    for family in FAMILIES {
        let _infallible = write!(page, "\n## `{}`\n", family.prefix);
        for (title, supported) in [("Supported", true), ("Known, not supported by this version", false)] {
            let entries: Vec<_> = family.entries.iter().filter(|entry| entry.supported() == supported).collect();
            if entries.is_empty() {
                continue;
            }
            let _infallible = write!(page, "\n{title}:\n\n| key | value | meaning |\n| --- | --- | --- |\n");
            for entry in entries {
                let cell = |text: &str| text.replace('|', "\\|");
                let _infallible =
                    writeln!(page, "| `{}` | {} | {} |", entry.key, cell(entry.value), cell(entry.meaning));
            }
        }
    }
    hold("docs/annotations.md", &page);
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
