//! A comparison for people.

use serde_json::Value;

use super::compare::{Change, Kind};
use super::{Found, Told};

/// What is shown of a value, in characters.
const SHOWN: usize = 80;

/// All of it.
pub(super) fn text(found: &Found) -> String {
    let mut out = String::new();
    let changes = &found.changes;
    for (what, changes) in [
        ("listeners", &changes.listeners),
        ("routes", &changes.routes),
        ("pools", &changes.pools),
        ("certificates", &changes.certificates),
    ] {
        if !changes.is_empty() {
            line(&mut out, what);
            changes.iter().for_each(|change| one(&mut out, change));
        }
    }
    for unknown in &changes.unknown {
        line(&mut out, &format!("can't tell {unknown}"));
    }
    if changes.is_empty() {
        line(&mut out, "no difference");
    }
    for report in &found.errors {
        line(&mut out, &report.to_string());
    }
    told(&mut out, &found.sessions.told, found.sessions.doubts.is_empty());
    for doubt in &found.sessions.doubts {
        line(&mut out, &format!("           can't tell for certain: {doubt}"));
    }
    out
}

fn line(out: &mut String, text: &str) {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    out.extend(text.chars().map(plain));
    out.push('\n');
}

fn one(out: &mut String, Change { name, change, fields }: &Change) {
    let mark = match change {
        Kind::Added => '+',
        Kind::Removed => '-',
        Kind::Changed => '~',
    };
    line(out, &format!("  {mark} {name}"));
    for field in fields {
        line(out, &format!("      {}: {} -> {}", field.field, value(&field.before), value(&field.after)));
    }
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN { text } else { text.chars().take(SHOWN - 1).chain(['…']).collect() }
}

fn told(out: &mut String, told: &Told, certain: bool) {
    let would = if certain { "would" } else { "might" };
    match told {
        Told::Counted(closes) => {
            line(out, &format!("sessions   {} of {} open {would} be closed", closes.closed, closes.open));
            for group in &closes.by {
                let count = group.sessions.len();
                line(out, &format!("  {count:>7}  {} at {}: {}", group.object, group.member, group.cause));
            }
            if closes.already_closing > 0 {
                line(out, &format!("  {:>7}  others are closing already", closes.already_closing));
            }
        }
        Told::Places { places } if places.is_empty() => line(out, &format!("sessions   none {would} be closed")),
        Told::Places { places } => {
            line(out, &format!("sessions   those at these places {would} be closed (--admin counts them)"));
            for place in places {
                let pod = place.pod.as_ref().map(|pod| format!(" ({pod})")).unwrap_or_default();
                line(
                    out,
                    &format!("           {} {} at {}{pod}: {}", place.port, place.route_id, place.member, place.cause),
                );
            }
        }
    }
}
