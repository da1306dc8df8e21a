//! Steps into values: members of objects, items of lists.

use std::rc::Rc;

use super::{shorten, unknown_of};
use crate::convert::value::{Unknown, Value};

/// What lies at a key of a value. `source` is the expression that asks for it.
pub(super) fn step(value: &Value, key: &Value, may_miss: bool, source: &str) -> Value {
    let found = match (value, key) {
        (Value::Unknown(unknown), _) => {
            return Unknown { expression: source.into(), causes: Rc::clone(&unknown.causes) }.into();
        }
        (_, Value::Unknown(_) | Value::Partial(_)) => return unknown_of(source, [key]),
        (Value::Partial(_), _) => return unknown_of(source, [value]),
        (Value::Object(object), Value::Text(name)) => {
            object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        }
        (Value::List(list), Value::Number(index)) => {
            index.as_u64().and_then(|index| usize::try_from(index).ok()).and_then(|index| list.items.get(index))
        }
        _ => None,
    };
    match found {
        Some(found) => found.clone(),
        None if may_miss => Value::Null,
        None => {
            let key = key.as_text().map_or_else(
                || if let Value::Number(number) = key { number.to_string() } else { "that".to_owned() },
                |name| format!("{name:?}"),
            );
            Unknown::fault(format!("{}: there is no {key}", shorten(source))).into()
        }
    }
}
