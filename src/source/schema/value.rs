//! The checks of single values: bounds, enumerations, formats, and forms of which one must fit.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::{Walk, is_base64};
use crate::source::problem::{FieldProblems, nearest};

impl Walk<'_> {
    /// A field that takes a whole number or text; a quantity is stored as text.
    pub(super) fn int_or_string(&mut self, written: &Value, value: &mut Value, path: &str) {
        let quantity = written.get("$ref").and_then(Value::as_str).is_some_and(|r| r.ends_with(".Quantity"));
        match value {
            Value::Number(number) if quantity => *value = Value::String(number.to_string()),
            Value::String(_) => {}
            Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {}
            other => {
                let message = format!("a whole number or text is expected, and this is {}", self.shown(other));
                self.problems.malformed(path, message, "write a number, or a name");
            }
        }
    }

    pub(super) fn text(&mut self, schema: &Value, text: &mut String, path: &str) {
        if schema.get("format").is_some_and(|format| format == "byte") {
            text.retain(|c| !matches!(c, '\n' | '\r'));
            if !is_base64(text) {
                let remedy = "encode it (base64 -w0), or write it as it is under stringData of a Secret";
                self.problems.malformed(path, "must be base64 text", remedy);
            }
        }
        self.bounds(schema, text.chars().count(), ["minLength", "maxLength"], "characters", path);
        let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
        let names: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
        if names.contains(&text.as_str()) {
            return;
        }
        let remedy = match nearest(text, names.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("write one of {}", names.join(", ")),
        };
        let shown = self.shown(&Value::String(text.clone()));
        self.problems.refuse(path, format!("{shown} is none of {}", names.join(", ")), remedy);
    }

    pub(super) fn number(&mut self, schema: &Value, number: &Number, path: &str) {
        let value = number.as_f64().unwrap_or(f64::INFINITY);
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let is_int32 = schema.get("format").is_some_and(|format| format == "int32");
        let least = bound("minimum").or(is_int32.then_some(f64::from(i32::MIN)));
        let most = bound("maximum").or(is_int32.then_some(f64::from(i32::MAX)));
        let below = least.is_some_and(|least| value < least);
        let above = most.is_some_and(|most| value > most);
        if !below && !above {
            return;
        }
        let range = match (least, most) {
            (Some(least), Some(most)) => format!("between {least} and {most}"),
            (Some(least), None) => format!("of {least} or more"),
            (None, most) => format!("of {} or less", most.unwrap_or_default()),
        };
        let shown = self.shown(&Value::Number(number.clone()));
        self.problems.refuse(path, format!("{shown} is out of range"), format!("write a number {range}"));
    }

    pub(super) fn bounds(&mut self, schema: &Value, count: usize, names: [&str; 2], what: &str, path: &str) {
        let [least, most] = names.map(|name| schema.get(name).and_then(Value::as_u64));
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if let Some(least) = least.filter(|least| count < *least) {
            let message = format!("{count} {what} are too few");
            self.problems.refuse(path, message, format!("write at least {least}"));
        }
        if let Some(most) = most.filter(|most| count > *most) {
            let message = format!("{count} {what} are too many");
            self.problems.refuse(path, message, format!("write at most {most}"));
        }
    }

    /// In a list that is a map by some of its fields, no two items have the same of those.
    pub(super) fn unique(&mut self, schema: &Value, items: &[Value], path: &str) {
        let keys: Vec<_> = schema
            .get("x-kubernetes-list-map-keys")
            .and_then(Value::as_array)
            .map(|keys| keys.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut first = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            let identity: Vec<_> = keys.iter().map(|key| item.get(key).map(Value::to_string)).collect();
            if identity.iter().all(Option::is_none) {
                continue;
            }
            if let Some(earlier) = first.insert(identity, index) {
                let keys = keys.join(" and ");
                let message = format!("{path}[{earlier}] has the same {keys}");
                self.problems.refuse(format!("{path}[{index}]"), message, format!("give it its own {keys}"));
            }
        }
    }

    /// Of the forms that `anyOf` and `oneOf` list, one must fit; all of `allOf` must.
    pub(super) fn one_of(&mut self, schema: &Value, value: &mut Value, path: &str) {
        for form in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.value(form, value, path);
        }
        for name in ["anyOf", "oneOf"] {
            let Some(forms) = schema.get(name).and_then(Value::as_array) else { continue };
            let fits = forms.iter().any(|form| {
                let mut problems = FieldProblems::default();
                Walk { schema: self.schema, problems: &mut problems }.value(form, &mut value.clone(), path);
                !problems.refused()
            });
            if !fits {
                let fields: Vec<_> = forms
                    .iter()
                    .filter_map(|form| form.get("required")?.as_array())
                    .map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" and "))
                    .collect();
                let remedy = if fields.is_empty() {
                    "correct the value".to_owned()
                } else {
                    format!("write {}", fields.join(", or "))
                };
                self.problems.refuse(path, "none of the forms that are allowed here fits", remedy);
            }
        }
    }

    /// A value as a message shows it: by its type alone where values are secret.
    pub(super) fn shown(&self, value: &Value) -> String {
        let kind = match value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "a mapping",
        };
        match value {
            Value::Bool(_) | Value::Number(_) | Value::String(_) if self.schema.shows_values => {
                let text = value.to_string();
                match text.char_indices().nth(80) {
                    Some((end, _)) => format!("{}…", &text[..end]),
                    None => text,
                }
            }
            _ => kind.to_owned(),
        }
    }
}
