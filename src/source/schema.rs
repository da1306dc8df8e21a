//! Holds an object to the OpenAPI schema of its kind, as `kubectl apply --validate=strict` does: every wrong
//! type, unknown field, missing field and value out of range is found, each with its path.
//!
//! It also writes the object in the form that an API server would store: no nulls, quantities as text,
//! base64 without line breaks. It does not read `pattern` or CEL rules: `translate` checks those again.

mod arm;
mod value;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::problem::{FieldProblems, nearest};
use super::span::join;
use crate::report::{Reason, Severity};

/// The schema of one kind.
pub(crate) struct Schema {
    root: Value,
    /// Whether values may be shown in messages.
    shows_values: bool,
    /// Whether fields of ARM that this version does not carry are left out, and do not refuse the object.
    leaves_out_arm: bool,
}

/// Where a walk stands.
struct Walk<'a> {
    schema: &'a Schema,
    problems: &'a mut FieldProblems,
}

impl Schema {
    /// The schema that `schemars` has of a type.
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self::new(schemars::schema_for!(T).to_value())
    }

    /// The schema of a CustomResourceDefinition with one version.
    pub(super) fn of_crd(crd: &CustomResourceDefinition) -> Self {
        let schema = crd.spec.versions.first().and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
        Self::new(serde_json::to_value(schema).expect("a schema holds text, numbers and lists alone"))
    }

    /// A schema in the form of `schemars` or of a CustomResourceDefinition.
    pub(super) fn new(root: Value) -> Self {
        Self { root, shows_values: true, leaves_out_arm: false }
    }

    /// Keeps values of the object out of messages.
    pub(super) fn confidential(self) -> Self {
        Self { shows_values: false, ..self }
    }

    /// Takes fields of ARM that this version does not carry: they are reported, and the object is read without them.
    pub(super) fn arm(self) -> Self {
        Self { leaves_out_arm: true, ..self }
    }

    /// Checks `object`, and puts it in stored form.
    pub(super) fn check(&self, object: &mut Value, problems: &mut FieldProblems) {
        self.check_at(object, "", problems);
    }

    /// Checks a part of an object, which stands at `path`.
    pub(super) fn check_at(&self, part: &mut Value, path: &str, problems: &mut FieldProblems) {
        Walk { schema: self, problems }.value(&self.root, part, path);
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.root.get("$defs")?.get(reference.strip_prefix("#/$defs/")?))
            .unwrap_or(schema)
    }
}

impl Walk<'_> {
    fn value(&mut self, written: &Value, value: &mut Value, path: &str) {
        let schema = self.schema.resolve(written);
        if schema.get("x-kubernetes-int-or-string").is_some_and(|flag| flag == true) {
            return self.int_or_string(written, value, path);
        }
        if let Some(why) = placeholder(schema, value) {
            let message = format!("the value is still to be filled in: {why}");
            return self.problems.malformed(path, message, "write the value in place of {unknown: …}");
        }
        let expected = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        let fits = match expected {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => true,
        };
        if !fits {
            let message = format!("{} is expected, and this is {}", noun(expected), self.shown(value));
            return self.problems.malformed(path, message, retype(expected, value));
        }
        match value {
            Value::Object(fields) => self.fields(schema, fields, path),
            Value::Array(items) => self.items(schema, items, path),
            Value::String(text) => self.text(schema, text, path),
            Value::Number(number) => self.number(schema, number, path),
            Value::Bool(_) | Value::Null => {}
        }
        self.one_of(schema, value, path);
    }

    fn fields(&mut self, schema: &Value, fields: &mut Map<String, Value>, path: &str) {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for name in required.iter().filter_map(Value::as_str) {
            let known = properties.and_then(|p| p.get(name));
            let is_list = known.is_some_and(|p| self.schema.resolve(p).get("type").is_some_and(|t| t == "array"));
            match fields.get_mut(name) {
                // What `kubectl get -o yaml` prints for a list that has no items.
                Some(nothing @ Value::Null) if is_list => *nothing = Value::Array(Vec::new()),
                None | Some(Value::Null) => {
                    fields.remove(name);
                    let field = join(path, name);
                    self.problems.malformed(field, format!("the field {name} is required"), format!("write {name}"));
                }
                Some(_) => {}
            }
        }
        if properties.is_some() {
            fields.retain(|name, value| !value.is_null() || properties.is_none_or(|p| !p.contains_key(name)));
        }
        let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
        let open = properties.is_none()
            || schema.get("additionalProperties").is_some_and(|rest| rest == true)
            || schema.get("x-kubernetes-preserve-unknown-fields").is_some_and(|flag| flag == true);
        let properties = properties.unwrap_or(&empty);
        for (name, value) in fields.iter_mut() {
            let field = join(path, name);
            match properties.get(name).or(rest) {
                Some(inner) => self.value(inner, value, &field),
                None if self.schema.leaves_out_arm && arm::is_left_out(name) => self.left_out(&field, name, value),
                None if open || (path.is_empty() && is_envelope(name)) => {}
                None => self.unknown(&field, name, properties),
            }
        }
        self.bounds(schema, fields.len(), ["minProperties", "maxProperties"], "fields", path);
    }

    fn left_out(&mut self, field: &str, name: &str, value: &Value) {
        if !arm::asks_for_nothing(name, value) {
            let message = format!("{name} is not supported by this version and has no effect");
            let remedy = "remove it where nothing depends on it";
            self.problems.push(Reason::Unsupported, Severity::Warning, field, message, remedy);
        }
    }

    fn unknown(&mut self, field: &str, name: &str, properties: &Map<String, Value>) {
        let remedy = match nearest(name, properties.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean {meant}?"),
            None if properties.len() > 8 || properties.is_empty() => "remove it".to_owned(),
            None => {
                let names: Vec<_> = properties.keys().map(String::as_str).collect();
                format!("remove it; what can stand there: {}", names.join(", "))
            }
        };
        let name: String = name.chars().take(64).collect();
        self.problems.malformed(field, format!("the field {name:?} is not known"), remedy);
    }

    fn items(&mut self, schema: &Value, items: &mut [Value], path: &str) {
        self.bounds(schema, items.len(), ["minItems", "maxItems"], "items", path);
        if let Some(inner) = schema.get("items") {
            for (index, item) in items.iter_mut().enumerate() {
                self.value(inner, item, &format!("{path}[{index}]"));
            }
        }
        if schema.get("x-kubernetes-list-type").is_some_and(|kind| kind == "map") {
            self.unique(schema, items, path);
        }
    }
}

/// Why a value is open, where it is what `steadygate convert` writes in place of one that it does not know: `{unknown: why}`. A mapping of
/// names that users choose may hold the same.
fn placeholder<'a>(schema: &Value, value: &'a Value) -> Option<&'a str> {
    let why = value.as_object().filter(|fields| fields.len() == 1)?.get("unknown")?.as_str()?;
    let expected = schema.get("type").and_then(Value::as_str)?;
    let is_open =
        expected == "object" && schema.get("properties").is_none_or(|properties| properties.get("unknown").is_some());
    (!is_open).then_some(why)
}

/// Whether a field is one that every object has. The schema of a CustomResourceDefinition leaves them out.
fn is_envelope(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata" | "status")
}

fn noun(expected: &str) -> &str {
    match expected {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        other => other,
    }
}

fn retype(expected: &str, value: &Value) -> String {
    let remedy = match (expected, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => "put the value in quotes",
        ("string", Value::Null) => "write the text, or \"\" for an empty one",
        ("integer" | "number", Value::String(text)) if text.trim().parse::<f64>().is_ok() => "remove the quotes",
        ("boolean", Value::String(text)) if nearest(text, ["true", "false", "yes", "no", "on", "off"]).is_some() => {
            "write true or false, without quotes"
        }
        ("array", _) => "write a list: each item on its own line, after '- '",
        ("object", Value::Array(_)) => "remove the '-' before the fields",
        ("object", _) => "write its fields below it, indented",
        _ => "",
    };
    if remedy.is_empty() { format!("write {}", noun(expected)) } else { remedy.to_owned() }
}

fn is_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok()
}

#[cfg(test)]
mod tests;
