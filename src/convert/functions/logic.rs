//! Comparison and logic. `if`, `and` and `or` are the evaluator's: they decide by what is known.

use std::cmp::Ordering;

use super::{Arguments, Failure, Outcome, fault};
use crate::convert::value::Value;

/// `None`: no function of this family.
pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    Some(match name {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        "null" => Ok(Value::Null),
        "not" => arguments.known(0).and_then(boolean).map(|value| Value::Bool(!value)),
        "bool" => arguments.known(0).and_then(boolean).map(Value::Bool),
        "equals" => equals(arguments),
        "less" => compare(arguments, Ordering::is_lt),
        "lessorequals" => compare(arguments, Ordering::is_le),
        "greater" => compare(arguments, Ordering::is_gt),
        "greaterorequals" => compare(arguments, Ordering::is_ge),
        _ => return None,
    })
}

/// A value as a truth.
pub(crate) fn boolean(value: &Value) -> Result<bool, Failure> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Number(number) => Ok(number.as_f64() != Some(0.0)),
        Value::Text(text) if text.eq_ignore_ascii_case("true") || &**text == "1" => Ok(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") || &**text == "0" => Ok(false),
        Value::Unknown(_) | Value::Partial(_) => Err(Failure::Open),
        _ => fault("true or false is expected"),
    }
}

fn equals(arguments: Arguments<'_>) -> Outcome {
    let (a, b) = (arguments.get(0)?, arguments.get(1)?);
    match (a, b) {
        // A text of which a part is known is not empty.
        (Value::Partial(_), Value::Text(text)) | (Value::Text(text), Value::Partial(_)) if text.is_empty() => {
            Ok(Value::Bool(false))
        }
        _ => Ok(Value::Bool(arguments.closed(0)? == arguments.closed(1)?)),
    }
}

fn compare(arguments: Arguments<'_>, decide: fn(Ordering) -> bool) -> Outcome {
    let order = match (arguments.known(0)?, arguments.known(1)?) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64().partial_cmp(&b.as_f64()),
        },
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => None,
    };
    order.map_or_else(|| fault("two numbers, or two texts, are expected"), |order| Ok(Value::Bool(decide(order))))
}
