//! Functions of ARM's expressions, over values: a file a family, as ARM's reference has them.
//!
//! They know nothing of templates. Those that need one (`parameters`, `copyIndex`), or do not look at each argument (`if`), are the evaluator's.

mod list;
mod logic;
mod number;
mod object;
mod resource;
mod text;

pub(super) use logic::boolean;

use super::value::{Part, Value};

/// Why a function gives no value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// It depends on an argument that is unknown.
    Open,
    /// There is no function of this name among those that are evaluated.
    NotEvaluated,
    /// The arguments are not what it takes, in words.
    Fault(String),
}

/// What a function gives.
type Outcome = Result<Value, Failure>;

/// The arguments of a call.
#[derive(Clone, Copy)]
struct Arguments<'a>(&'a [Value]);

/// Calls a function by its name, without case.
///
/// # Errors
/// Its result is unknown, or it has none.
pub(super) fn call(name: &str, arguments: &[Value]) -> Outcome {
    let name = name.to_ascii_lowercase();
    let arguments = Arguments(arguments);
    let families = [logic::call, number::call, text::call, list::call, object::call, resource::call];
    families.iter().find_map(|family| family(&name, arguments)).unwrap_or(Err(Failure::NotEvaluated))
}

/// Whether a function looks no deeper into its arguments than their first level.
pub(super) fn is_shallow(name: &str) -> bool {
    const SHALLOW: &[&str] =
        &["array", "createarray", "createobject", "empty", "first", "items", "last", "length", "tryget"];
    SHALLOW.contains(&name.to_ascii_lowercase().as_str())
}

fn fault<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Fault(message.into()))
}

impl<'a> Arguments<'a> {
    fn all(self) -> &'a [Value] {
        self.0
    }

    fn get(self, index: usize) -> Result<&'a Value, Failure> {
        self.0.get(index).ok_or_else(|| Failure::Fault(format!("argument {} is missing", index + 1)))
    }

    /// An argument of which at least the outside is known.
    fn known(self, index: usize) -> Result<&'a Value, Failure> {
        match self.get(index)? {
            Value::Unknown(_) | Value::Partial(_) => Err(Failure::Open),
            value => Ok(value),
        }
    }

    /// An argument of which nothing is unknown.
    fn closed(self, index: usize) -> Result<&'a Value, Failure> {
        let value = self.known(index)?;
        if value.is_open() { Err(Failure::Open) } else { Ok(value) }
    }

    fn text(self, index: usize) -> Result<&'a str, Failure> {
        match self.known(index)? {
            Value::Text(text) => Ok(text),
            _ => fault(format!("argument {} is no text", index + 1)),
        }
    }

    fn int(self, index: usize) -> Result<i64, Failure> {
        let number = match self.known(index)? {
            Value::Number(number) => number.as_i64(),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| Failure::Fault(format!("argument {} is no whole number", index + 1)))
    }

    fn list(self, index: usize) -> Result<&'a [Value], Failure> {
        self.known(index)?.as_list().ok_or_else(|| Failure::Fault(format!("argument {} is no array", index + 1)))
    }
}

/// A text as it is put together, within the bounds of a value.
#[derive(Default)]
struct TextBuilder {
    parts: Vec<Part>,
    size: usize,
}

impl TextBuilder {
    const MAX_BYTES: usize = 4 << 20;

    fn push(&mut self, part: Part) -> Result<(), Failure> {
        self.size += if let Part::Known(text) = &part { text.len() } else { 16 };
        if self.size > Self::MAX_BYTES {
            return fault(format!("its text would be longer than {} MiB", Self::MAX_BYTES >> 20));
        }
        self.parts.push(part);
        Ok(())
    }

    /// A value as a text has it. What is a list or an object is written as JSON.
    fn push_value(&mut self, value: &Value) -> Result<(), Failure> {
        match value {
            Value::Null => Ok(()),
            Value::Bool(value) => self.push(Part::Known(if *value { "True" } else { "False" }.to_owned())),
            Value::Number(number) => self.push(Part::Known(number.to_string())),
            Value::Text(text) => self.push(Part::Known(text.to_string())),
            Value::Partial(partial) => partial.parts().iter().try_for_each(|part| self.push(part.clone())),
            Value::Unknown(unknown) => self.push(Part::Unknown(unknown.clone())),
            Value::List(_) | Value::Object(_) if value.is_open() => Err(Failure::Open),
            Value::List(_) | Value::Object(_) => self.push(Part::Known(object::json(value).to_string())),
        }
    }

    fn finish(self) -> Value {
        Value::join(self.parts)
    }
}
