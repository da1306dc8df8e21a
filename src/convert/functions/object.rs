//! Objects, and JSON in texts.

use std::rc::Rc;

use super::{Arguments, Failure, Outcome, fault};
use crate::convert::json;
use crate::convert::value::{Object, Value};

/// `None`: no function of this family, or not for these arguments.
pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    let object = matches!(arguments.all().first(), Some(Value::Object(_)));
    Some(match name {
        "createobject" => create(arguments),
        "json" => parse(arguments),
        "union" => merge_all(arguments, merge),
        "shallowmerge" => shallow_merge(arguments),
        "intersection" if object => intersection(arguments),
        "length" if object => {
            of(arguments, 0).map(|object| Value::int(i64::try_from(object.len()).unwrap_or(i64::MAX)))
        }
        "empty" if object => of(arguments, 0).map(|object| Value::Bool(object.is_empty())),
        "contains" if object => contains(arguments),
        "items" => items(arguments),
        "objectkeys" => of(arguments, 0)
            .map(|object| Value::list(object.iter().map(|(name, _)| Value::Text(Rc::clone(name))).collect())),
        "tryget" => try_get(arguments),
        _ => return None,
    })
}

fn of(arguments: Arguments<'_>, index: usize) -> Result<&Object, Failure> {
    let object = arguments.known(index)?.as_object();
    object.ok_or_else(|| Failure::Fault(format!("argument {} is no object", index + 1)))
}

fn create(arguments: Arguments<'_>) -> Outcome {
    if !arguments.all().len().is_multiple_of(2) {
        return fault("a name has no value");
    }
    let names = (0..arguments.all().len()).step_by(2);
    let members: Result<Vec<_>, _> =
        names.map(|at| Ok((Rc::from(arguments.text(at)?), arguments.get(at + 1)?.clone()))).collect();
    members.map(Value::object)
}

fn parse(arguments: Arguments<'_>) -> Outcome {
    let text = match arguments.get(0)? {
        // A reference in which only the resource is unknown: `json(concat('{"id": "', …, '"}'))`.
        Value::Partial(partial) => return object_of_one_text(partial),
        _ => arguments.text(0)?,
    };
    if text.trim() == "null" {
        return Ok(Value::Null);
    }
    match json::read(text) {
        Ok(document) => Ok(Value::literal(&document.root)),
        Err(error) => fault(format!("its text is not JSON: {error}")),
    }
}

/// An object in JSON with one member, a text of which parts are unknown.
fn object_of_one_text(partial: &crate::convert::value::Partial) -> Outcome {
    use crate::convert::value::Part;
    let [Part::Known(first), inner @ .., Part::Known(last)] = partial.parts() else { return Err(Failure::Open) };
    let name = first.trim_start().strip_prefix('{').and_then(|rest| rest.trim_start().strip_prefix('"'));
    let Some((name, value)) = name.and_then(|rest| rest.split_once('"')) else { return Err(Failure::Open) };
    let value = value.trim_start().strip_prefix(':').and_then(|rest| rest.trim_start().strip_prefix('"'));
    let (Some(value), Some((end, rest))) = (value, last.split_once('"')) else { return Err(Failure::Open) };
    let plain = |text: &str| !text.contains(['"', '\\']);
    let inner_is_plain = inner.iter().all(|part| if let Part::Known(text) = part { plain(text) } else { true });
    if rest.trim() != "}" || !plain(value) || !plain(end) || !inner_is_plain {
        return Err(Failure::Open);
    }
    let parts =
        [Part::Known(value.to_owned())].into_iter().chain(inner.iter().cloned()).chain([Part::Known(end.to_owned())]);
    Ok(Value::object([(name.into(), Value::join(parts))]))
}

fn merge_all(arguments: Arguments<'_>, merge: fn(&Object, &Object) -> Value) -> Outcome {
    let mut merged = Value::object([]);
    for index in 0..arguments.all().len() {
        if arguments.known(index)? == &Value::Null {
            continue;
        }
        let object = of(arguments, index)?;
        merged = match &merged {
            Value::Object(before) => merge(before, object),
            _ => return Ok(merged),
        };
    }
    Ok(merged)
}

/// Both objects; where both have a name, the second's value, and for objects both of theirs.
fn merge(first: &Object, second: &Object) -> Value {
    let members = second.iter().map(|(name, value)| {
        let merged = match (first.member(name), value) {
            (Some(Value::Object(before)), Value::Object(after)) => merge(before, after),
            _ => value.clone(),
        };
        (Rc::clone(name), merged)
    });
    let before = first.iter().map(|(name, value)| (Rc::clone(name), value.clone()));
    Value::object(before.chain(members).collect::<Vec<_>>())
}

fn shallow_merge(arguments: Arguments<'_>) -> Outcome {
    let objects = arguments.list(0)?;
    merge_all(Arguments(objects), |first, second| {
        let members = first.iter().chain(second.iter());
        Value::object(members.map(|(name, value)| (Rc::clone(name), value.clone())))
    })
}

fn intersection(arguments: Arguments<'_>) -> Outcome {
    let others: Result<Vec<_>, _> = (1..arguments.all().len()).map(|index| of(arguments, index)).collect();
    let others = others?;
    let in_all = |name: &str, value: &Value| others.iter().all(|other| other.member(name) == Some(value));
    let members = of(arguments, 0)?.iter().filter(|(name, value)| in_all(name, value));
    Ok(Value::object(members.map(|(name, value)| (Rc::clone(name), value.clone()))))
}

fn contains(arguments: Arguments<'_>) -> Outcome {
    let name = arguments.text(1)?;
    Ok(Value::Bool(of(arguments, 0)?.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))))
}

fn items(arguments: Arguments<'_>) -> Outcome {
    let item = |(name, value): (&Rc<str>, &Value)| {
        Value::object([("key".into(), Value::Text(Rc::clone(name))), ("value".into(), value.clone())])
    };
    of(arguments, 0).map(|object| Value::list(object.iter().map(item).collect()))
}

fn try_get(arguments: Arguments<'_>) -> Outcome {
    let mut value = arguments.known(0)?;
    for index in 1..arguments.all().len() {
        let next = match value {
            Value::Object(object) => object.member(arguments.text(index)?),
            Value::List(list) => usize::try_from(arguments.int(index)?).ok().and_then(|at| list.items.get(at)),
            Value::Unknown(_) | Value::Partial(_) => return Err(Failure::Open),
            _ => None,
        };
        let Some(next) = next else { return Ok(Value::Null) };
        value = next;
    }
    Ok(value.clone())
}

/// A value that is known, as JSON.
pub(super) fn json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Null | Value::Partial(_) | Value::Unknown(_) => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(number.clone()),
        Value::Text(text) => Json::String(text.to_string()),
        Value::List(list) => Json::Array(list.items.iter().map(json).collect()),
        Value::Object(object) => {
            Json::Object(object.iter().map(|(name, value)| (name.to_string(), json(value))).collect())
        }
    }
}
