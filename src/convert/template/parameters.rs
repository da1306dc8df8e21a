//! Files of parameters: what the owner of a template has beside it.

use std::collections::BTreeMap;

use crate::convert::json::Node;
use crate::convert::value::{Cause, Unknown, Value};

/// The values of a file of parameters, by their names in lower case. `null` is a value as others are.
pub(crate) fn given(document: &Node) -> BTreeMap<String, Value> {
    let parameters = document.member("parameters").unwrap_or(document);
    parameters
        .members()
        .iter()
        .map(|member| (member.name.to_ascii_lowercase(), value(&member.name, &member.value)))
        .collect()
}

fn value(name: &str, entry: &Node) -> Value {
    if let Some(value) = entry.member("value") {
        return Value::literal(value);
    }
    if entry.member("reference").is_some() {
        return Unknown::new(format!("parameters('{name}')"), Cause::KeyVaultParameter(name.into())).into();
    }
    Value::literal(entry)
}
