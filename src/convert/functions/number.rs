//! Numbers.

use super::{Arguments, Failure, Outcome, fault};
use crate::convert::value::Value;

/// Most items that `range` makes, as in ARM.
const MAX_RANGE: i64 = 10_000;

/// `None`: no function of this family.
pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    Some(match name {
        "int" => arguments.int(0).map(Value::int),
        "float" => float(arguments),
        "add" => combine(arguments, i64::checked_add),
        "sub" => combine(arguments, i64::checked_sub),
        "mul" => combine(arguments, i64::checked_mul),
        "div" => combine(arguments, i64::checked_div),
        "mod" => combine(arguments, i64::checked_rem),
        "min" => numbers(arguments).and_then(|all| extreme(all.into_iter().min())),
        "max" => numbers(arguments).and_then(|all| extreme(all.into_iter().max())),
        "range" => range(arguments),
        _ => return None,
    })
}

fn combine(arguments: Arguments<'_>, operation: fn(i64, i64) -> Option<i64>) -> Outcome {
    match operation(arguments.int(0)?, arguments.int(1)?) {
        Some(number) => Ok(Value::int(number)),
        None => fault("the result is no whole number of 64 bits"),
    }
}

fn float(arguments: Arguments<'_>) -> Outcome {
    let number = match arguments.known(0)? {
        Value::Number(number) => number.as_f64(),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.and_then(serde_json::Number::from_f64);
    number.map_or_else(|| fault("a number is expected"), |number| Ok(Value::Number(number)))
}

/// The numbers of a list, or of all arguments.
fn numbers(arguments: Arguments<'_>) -> Result<Vec<i64>, Failure> {
    let items = match arguments.known(0)? {
        Value::List(list) => &list.items,
        _ => arguments.all(),
    };
    (0..items.len()).map(|index| Arguments(items).int(index)).collect()
}

fn extreme(number: Option<i64>) -> Outcome {
    number.map_or_else(|| fault("there is no number"), |number| Ok(Value::int(number)))
}

fn range(arguments: Arguments<'_>) -> Outcome {
    let (first, count) = (arguments.int(0)?, arguments.int(1)?);
    match first.checked_add(count) {
        Some(end) if (0..=MAX_RANGE).contains(&count) => Ok(Value::list((first..end).map(Value::int).collect())),
        _ => fault(format!("a range has up to {MAX_RANGE} numbers")),
    }
}
