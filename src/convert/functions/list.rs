//! Arrays.

use super::{Arguments, Failure, Outcome, fault};
use crate::convert::value::Value;

/// Most items of arrays that are compared with each other, one by one.
const MAX_COMPARED: usize = 1_000;

/// `None`: no function of this family, or not for these arguments.
pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    let list = matches!(arguments.all().first(), Some(Value::List(_)));
    Some(match name {
        "createarray" => Ok(Value::list(arguments.all().to_vec())),
        "array" => array(arguments),
        "concat" if list => lists(arguments).map(|lists| Value::list(lists.concat())),
        "union" if list => distinct(arguments, |_, _| true),
        "intersection" if list => distinct(arguments, |item, others| others.iter().all(|other| other.contains(item))),
        "length" if list => arguments.list(0).map(|items| count(items.len())),
        "empty" if list => arguments.list(0).map(|items| Value::Bool(items.is_empty())),
        "first" if list => arguments.list(0).map(|items| items.first().cloned().unwrap_or(Value::Null)),
        "last" if list => arguments.list(0).map(|items| items.last().cloned().unwrap_or(Value::Null)),
        "take" if list => part(arguments, |items, at| &items[..at]),
        "skip" if list => part(arguments, |items, at| &items[at..]),
        "contains" if list => contains(arguments),
        "indexof" if list => index(arguments),
        "flatten" if list => flatten(arguments),
        _ => return None,
    })
}

fn count(number: usize) -> Value {
    Value::int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn array(arguments: Arguments<'_>) -> Outcome {
    match arguments.get(0)? {
        Value::Unknown(_) => Err(Failure::Open),
        list @ Value::List(_) => Ok(list.clone()),
        other => Ok(Value::list(vec![other.clone()])),
    }
}

fn lists<'a>(arguments: Arguments<'a>) -> Result<Vec<&'a [Value]>, Failure> {
    (0..arguments.all().len()).map(|index| arguments.list(index)).collect()
}

/// The items of all lists that are chosen, each once.
fn distinct(arguments: Arguments<'_>, choose: fn(&Value, &[&[Value]]) -> bool) -> Outcome {
    let lists = lists(arguments)?;
    let total: usize = lists.iter().map(|items| items.len()).sum();
    if total > MAX_COMPARED {
        return fault(format!("arrays of more than {MAX_COMPARED} items are not compared"));
    }
    let mut items: Vec<Value> = Vec::new();
    for item in lists.iter().flat_map(|items| items.iter()) {
        if choose(item, &lists) && !items.contains(item) {
            items.push(item.clone());
        }
    }
    Ok(Value::list(items))
}

fn part(arguments: Arguments<'_>, choose: fn(&[Value], usize) -> &[Value]) -> Outcome {
    let items = arguments.list(0)?;
    let at = usize::try_from(arguments.int(1)?).unwrap_or(0).min(items.len());
    Ok(Value::list(choose(items, at).to_vec()))
}

fn contains(arguments: Arguments<'_>) -> Outcome {
    let (items, wanted) = (arguments.list(0)?, arguments.closed(1)?);
    match items.contains(wanted) {
        false if items.iter().any(Value::is_open) => Err(Failure::Open),
        found => Ok(Value::Bool(found)),
    }
}

fn index(arguments: Arguments<'_>) -> Outcome {
    arguments.closed(0)?;
    let (items, wanted) = (arguments.list(0)?, arguments.closed(1)?);
    Ok(items.iter().position(|item| item == wanted).map_or(Value::int(-1), count))
}

fn flatten(arguments: Arguments<'_>) -> Outcome {
    let mut items = Vec::new();
    for item in arguments.list(0)? {
        match item {
            Value::List(list) => items.extend_from_slice(&list.items),
            Value::Unknown(_) => return Err(Failure::Open),
            other => items.push(other.clone()),
        }
    }
    Ok(Value::list(items))
}
