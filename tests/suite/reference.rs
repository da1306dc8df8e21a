//! The reference pages that are generated from the code: `docs/annotations.md`, `docs/reasons.md`, and
//! sections of `docs/limits.md` and `docs/sessions.md`. `BLESS=1` rewrites them.

use std::fmt::Write;
use std::path::Path;

use steadygate::api::annotations::FAMILIES;
use steadygate::model::rewrite::ServerVariable;
use steadygate::proxy::{RefusalReason, SIZE_LIMITS, SizeLimit};
use steadygate::report::Reason;
use steadygate::websocket::HandshakeOutcome;

#[test]
fn the_page_of_annotations_is_that_of_the_code() {
    let mut page = "# Annotations\n\nGenerated from the tables in `src/api/annotations` and the list in `src/api/session.rs`. Where two \
        families have one setting, the later table on this page is used. On an IngressClass, annotations are the defaults of its \
        Ingresses. A value that can't be read is reported, and the default stays; a key of a family with supported ones that is \
        not on this page is reported too, except below `kubernetes.io/`. A WebSocket session keeps the settings that it was opened \
        with.\n\n\
        Access control that this version does not have is never left out: the paths of an Ingress that asks for it answer 503 \
        (`X-Steadygate-Reason: AccessControl`), on port 80 too, and `steadygate check` fails. Only paths below \
        `/.well-known/acme-challenge` are served, for a certificate authority. A value that asks for nothing is satisfied, and \
        is not reported.\n"
        .to_owned();
    for family in FAMILIES {
        let _infallible = write!(page, "\n## `{}`\n", family.prefix);
        if !family.entries.is_empty() {
            page += "\nSupported:\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n";
        }
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
        if !family.guards.is_empty() {
            page += "\nNot supported by this version, and what asks for it answers 503:\n\n\
                | key | asks for nothing | instead |\n| --- | --- | --- |\n";
            for guard in family.guards {
                row(&mut page, guard.key, &[guard.satisfied_by, guard.remedy]);
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
fn the_server_variables_on_the_page_are_those_of_the_code() {
    let mut table = "Generated from `src/model/policy/rewrite/variable.rs`. All of Azure's are there; what is not known is empty.\n\n\
        | variable | value |\n| --- | --- |\n"
        .to_owned();
    for variable in ServerVariable::ALL {
        row(&mut table, variable.name(), &[variable.meaning()]);
    }
    hold_section("docs/rewrites.md", "## Server variables", &table);
}

#[test]
fn the_page_of_reasons_is_that_of_the_code() {
    let mut page =
        "# Reasons\n\nGenerated from `src/report.rs` and `src/proxy/request/refusal/reason.rs`.\n\n## Reports\n\n\
        Reports, logs and `steadygate check` carry one of these.\n\n| reason | meaning |\n| --- | --- |\n"
            .to_owned();
    for reason in Reason::ALL {
        row(&mut page, reason.name(), &[reason.meaning()]);
    }
    page += "\n## Answers of the gateway itself\n\nThe header `X-Steadygate-Reason` and the field `reason` of the access log \
        carry one of these where the gateway, and not a backend, has answered a request; or, with 503, the reason of the report \
        on a route that can't serve.\n\n| reason | status | meaning |\n| --- | --- | --- |\n";
    for reason in RefusalReason::ALL {
        let statuses: Vec<_> = reason.statuses().iter().map(|status| status.as_str().to_owned()).collect();
        row(&mut page, reason.name(), &[&statuses.join(", "), reason.meaning()]);
    }
    hold("docs/reasons.md", &page);
}

#[test]
fn the_size_limits_on_the_page_are_those_of_the_code() {
    let mut table = "Generated from `src/proxy/limits.rs`. None of them can be set.\n\n\
        | what | limit | beyond it |\n| --- | --- | --- |\n"
        .to_owned();
    for SizeLimit { subject, limit, beyond } in SIZE_LIMITS {
        let _infallible = writeln!(table, "| {subject} | {limit} | {beyond} |");
    }
    hold_section("docs/limits.md", "## Size limits", &table);
}

#[test]
fn the_outcomes_of_handshakes_on_the_page_are_those_of_the_code() {
    let mut table =
        "The label `outcome` of `websocket_handshakes_total`, `upgrade_handshakes_total` and `stream_connections_total` (generated from \
        `src/websocket/handshake_outcome.rs`):\n\n\
        | outcome | meaning |\n| --- | --- |\n"
            .to_owned();
    for outcome in HandshakeOutcome::ALL {
        row(&mut table, outcome.name(), &[outcome.meaning()]);
    }
    hold_section("docs/sessions.md", "## Handshakes", &table);
}

/// Holds one section of a page, and leaves the rest of the page alone.
fn hold_section(page: &str, heading: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let whole = std::fs::read_to_string(path).expect("a page");
    let heading = format!("\n{heading}\n");
    let (before, rest) = whole.split_once(&heading).unwrap_or_else(|| panic!("{page} has no section {heading:?}"));
    let after = rest.find("\n## ").map_or("", |next| &rest[next..]);
    hold(page, &format!("{before}{heading}\n{text}{after}"));
}

fn hold(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).expect("writable");
    }
    assert!(std::fs::read_to_string(&path).unwrap_or_default() == text, "{page} is out of date: run `make bless`");
}
