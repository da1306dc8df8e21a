//! The result of a comparison as text.

use serde_json::Value;

use super::compare::{ChangeKind, Difference};
use super::{DiffReport, SessionEffects};

/// Longest text of a value, in characters; a longer one is cut.
const MAX_VALUE_CHARS: usize = 80;

/// The whole text.
pub(super) fn text(found: &DiffReport) -> String {
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
    sessions(&mut out, &found.sessions.effects, found.sessions.doubts.is_empty());
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

fn one(out: &mut String, Difference { name, change, fields }: &Difference) {
    let mark = match change {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed => '~',
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
    if text.chars().count() <= MAX_VALUE_CHARS {
        text
    } else {
        text.chars().take(MAX_VALUE_CHARS - 1).chain(['…']).collect()
    }
}

fn sessions(out: &mut String, effects: &SessionEffects, certain: bool) {
    let would = if certain { "would" } else { "might" };
    match effects {
        SessionEffects::Counted(closes) => {
            line(out, &format!("sessions   {} of {} open {would} be closed", closes.closed, closes.open));
            for group in &closes.by {
                let count = group.sessions.len();
                line(out, &format!("  {count:>7}  {} at {}: {}", group.object, group.member, group.cause));
            }
            if closes.already_closing > 0 {
                line(out, &format!("  {:>7}  others are closing already", closes.already_closing));
            }
        }
        SessionEffects::Routes { routes } if routes.is_empty() => {
            line(out, &format!("sessions   none {would} be closed"))
        }
        SessionEffects::Routes { routes } => {
            line(out, &format!("sessions   those at these places {would} be closed (--admin counts them)"));
            for route in routes {
                let pod = route.pod.as_ref().map(|pod| format!(" ({pod})")).unwrap_or_default();
                line(
                    out,
                    &format!("           {} {} at {}{pod}: {}", route.port, route.route_id, route.member, route.cause),
                );
            }
        }
    }
}
