//! Values of fields, read leniently: numbers and truths as text, names of enumerations without case.

use super::schema::FieldKind;
use crate::convert::value::Value;
use crate::convert::yaml::Yaml;

/// Longest value that a message shows, in characters.
const MAX_SHOWN: usize = 120;

/// The value as its field takes it.
///
/// # Errors
/// It is none that the field takes; the error is what is expected.
pub(super) fn read(value: &Value, kind: FieldKind<'_>) -> Result<Yaml, &'static str> {
    match kind {
        FieldKind::Bool => match value {
            Value::Bool(value) => Ok(Yaml::Bool(*value)),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Yaml::Bool(true)),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Yaml::Bool(false)),
            _ => Err("true or false"),
        },
        FieldKind::Number => number(value).map(|number| Yaml::Number(number.into())).ok_or("a whole number"),
        FieldKind::Text(names) => match value {
            Value::Text(text) => Ok(Yaml::text(named(text, names))),
            Value::Number(number) => Ok(Yaml::text(number.to_string())),
            Value::Bool(value) => Ok(Yaml::text(value.to_string())),
            _ => Err("a text"),
        },
        FieldKind::NumberOrText => match value {
            Value::Number(number) => Ok(Yaml::Number(number.clone())),
            Value::Text(text) => Ok(Yaml::text(&**text)),
            _ => Err("a number or a text"),
        },
        FieldKind::Reference | FieldKind::Object | FieldKind::List(_) | FieldKind::Unsupported => Err("a single value"),
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15)?;
            format!("{float:.0}").parse().ok()
        }),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A text in the spelling of the name that it is without case.
fn named<'a>(text: &'a str, names: &'a [serde_json::Value]) -> &'a str {
    names.iter().filter_map(|name| name.as_str()).find(|name| name.eq_ignore_ascii_case(text.trim())).unwrap_or(text)
}

/// A value as a message shows it: in one line, cut where it is long. What is unknown stands in braces.
pub(super) fn shown(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn write(value: &Value, out: &mut String) {
    // What is cut off anyway is not written.
    if out.len() > MAX_SHOWN * 4 {
        return;
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Text(text) => out.push_str(short_id(text)),
        Value::Partial(partial) => out.push_str(short_id(&partial.to_string())),
        Value::Unknown(unknown) => out.push_str(&format!("{{{}}}", unknown.expression)),
        Value::List(list) => {
            for (index, item) in list.items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(item, out);
            }
        }
        Value::Object(object) => {
            for (index, (name, value)) in object.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                if !["id", "properties"].iter().any(|level| name.eq_ignore_ascii_case(level)) {
                    out.push_str(name);
                    out.push(' ');
                }
                write(value, out);
            }
        }
    }
}

/// The id of a resource without the subscription and group.
fn short_id(text: &str) -> &str {
    text.rfind("/providers/").map_or(text, |at| &text[at + "/providers/".len()..])
}
