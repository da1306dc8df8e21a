//! Calls: functions that need the template or that do not look at every argument, and the way to all others.

use std::rc::Rc;

use super::{Evaluator, exhausted, shorten, unknown_of};
use crate::convert::expression::{Expression, Term, TermKind};
use crate::convert::functions::{self, Failure, boolean};
use crate::convert::template::deployment::Frame;
use crate::convert::value::{Cause, Unknown, Value};

/// Functions whose results are known in Azure alone.
const OF_AZURE: &[&str] = &[
    "deployer",
    "deployment",
    "environment",
    "getsecret",
    "guid",
    "managementgroup",
    "newguid",
    "pickzones",
    "providers",
    "reference",
    "references",
    "resourcegroup",
    "subscription",
    "tenant",
    "tologicalzone",
    "tologicalzones",
    "tophysicalzone",
    "tophysicalzones",
    "uniquestring",
    "utcnow",
];

/// Functions by which an expression shows that it is one, in a document that is no template.
const OF_TEMPLATES: &[&str] =
    &["concat", "copyindex", "format", "if", "json", "parameters", "variables", "resourceid", "reference", "tolower"];

/// Whether an expression is one of a template, wherever it stands.
pub(super) fn is_of_templates(root: &Term) -> bool {
    match &root.kind {
        TermKind::Call { name, .. } => OF_TEMPLATES.contains(&name.to_ascii_lowercase().as_str()),
        TermKind::Access { base, .. } => is_of_templates(base),
        TermKind::Text(_) | TermKind::Number(_) => false,
    }
}

impl Evaluator {
    /// The value of a call, which is the term `call`.
    pub(super) fn call(
        &self,
        name: &str,
        arguments: &[Term],
        call: &Term,
        expression: &Expression<'_>,
        frame: &Frame<'_>,
    ) -> Value {
        let source = &expression.source[call.span.clone()];
        let lower = name.to_ascii_lowercase();
        let argument = |index: usize| match arguments.get(index) {
            Some(term) => self.term(term, expression, frame),
            None => Unknown::fault(format!("{}: argument {} is missing", shorten(source), index + 1)).into(),
        };
        match lower.as_str() {
            "parameters" | "variables" | "lambdavariables" => match argument(0) {
                Value::Text(name) if lower == "parameters" => self.parameter(&name, frame),
                Value::Text(name) if lower == "variables" => self.variable(&name, frame),
                Value::Text(name) => local(&name, frame),
                other => unknown_of(source, [&other]),
            },
            "copyindex" => copy_index(&argument_list(arguments.len(), argument), source, frame),
            "if" => self.choose(argument, source),
            "and" => self.decide(arguments.len(), argument, false, source),
            "or" => self.decide(arguments.len(), argument, true, source),
            "coalesce" => {
                let mut values = (0..arguments.len()).map(argument);
                values.find(|value| *value != Value::Null).unwrap_or(Value::Null)
            }
            "map" | "filter" => self.each(&argument(0), arguments.get(1), lower == "filter", source, expression, frame),
            _ if OF_AZURE.contains(&lower.as_str()) || lower.starts_with("list") => {
                Unknown::new(source, Cause::Function(name.into())).into()
            }
            // A function that the template itself defines.
            _ if name.contains('.') => Unknown::new(source, Cause::Function(name.into())).into(),
            _ => self.plain(name, &argument_list(arguments.len(), argument), source),
        }
    }

    /// A function that gets the values of its arguments.
    fn plain(&self, name: &str, arguments: &[Value], source: &str) -> Value {
        let read: usize = if functions::is_shallow(name) {
            arguments.len() * 16
        } else {
            arguments.iter().map(Value::size).fold(0, usize::saturating_add)
        };
        if !self.spend(read) {
            return exhausted();
        }
        let value = match functions::call(name, arguments) {
            Ok(value) => value,
            Err(Failure::Open) => unknown_of(source, arguments),
            Err(Failure::NotEvaluated) => Unknown::fault(format!("{name}(), a function that is not known")).into(),
            Err(Failure::Fault(message)) => Unknown::fault(format!("{}: {message}", shorten(source))).into(),
        };
        if self.spend(value.size()) { value } else { exhausted() }
    }

    fn choose(&self, argument: impl Fn(usize) -> Value, source: &str) -> Value {
        let condition = argument(0);
        match boolean(&condition) {
            Ok(true) => argument(1),
            Ok(false) => argument(2),
            Err(Failure::Fault(message)) => Unknown::fault(format!("{}: {message}", shorten(source))).into(),
            Err(Failure::Open | Failure::NotEvaluated) => {
                let (then, otherwise) = (argument(1), argument(2));
                if !self.spend(then.size()) {
                    return exhausted();
                }
                if then == otherwise && !then.is_open() { then } else { unknown_of(source, [&condition]) }
            }
        }
    }

    /// `and` and `or`: one argument that is `decisive` decides, whatever is unknown beside it.
    fn decide(&self, count: usize, argument: impl Fn(usize) -> Value, decisive: bool, source: &str) -> Value {
        let mut open = Vec::new();
        for value in (0..count).map(argument) {
            match boolean(&value) {
                Ok(found) if found == decisive => return Value::Bool(decisive),
                Ok(_) => {}
                Err(Failure::Fault(message)) => {
                    return Unknown::fault(format!("{}: {message}", shorten(source))).into();
                }
                Err(Failure::Open | Failure::NotEvaluated) => open.push(value),
            }
        }
        if open.is_empty() { Value::Bool(!decisive) } else { unknown_of(source, &open) }
    }

    /// `map` and `filter`: a lambda over the items of a list.
    fn each(
        &self,
        list: &Value,
        lambda: Option<&Term>,
        filters: bool,
        source: &str,
        expression: &Expression<'_>,
        frame: &Frame<'_>,
    ) -> Value {
        let Value::List(list) = list else { return unknown_of(source, [list]) };
        let Some(Term { kind: TermKind::Call { name, arguments }, .. }) = lambda else {
            return Unknown::fault(format!("{}: a lambda is expected", shorten(source))).into();
        };
        let [names @ .., body] = &arguments[..] else {
            return Unknown::fault(format!("{}: {name} has no body", shorten(source))).into();
        };
        let mut results = Vec::new();
        for (index, item) in list.items.iter().enumerate() {
            let mut inner = frame.clone();
            let values = [item.clone(), Value::int(i64::try_from(index).unwrap_or(i64::MAX))];
            for (term, value) in names.iter().zip(values) {
                if let TermKind::Text(name) = &term.kind {
                    inner.locals.push((name.clone(), value));
                }
            }
            let result = self.term(body, expression, &inner);
            match (filters, boolean(&result)) {
                (false, _) => results.push(result),
                (true, Ok(true)) => results.push(item.clone()),
                (true, Ok(false)) => {}
                (true, Err(_)) => return unknown_of(source, [&result]),
            }
        }
        Value::list(results)
    }
}

fn argument_list(count: usize, argument: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(argument).collect()
}

fn local(name: &str, frame: &Frame<'_>) -> Value {
    let found = frame.locals.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or_else(
        || Unknown::fault(format!("lambdaVariables('{name}') outside its lambda")).into(),
        |(_, value)| value.clone(),
    )
}

/// `copyIndex()`, `copyIndex(offset)`, `copyIndex('loop')`, `copyIndex('loop', offset)`.
fn copy_index(arguments: &[Value], source: &str, frame: &Frame<'_>) -> Value {
    let (name, offset) = match arguments {
        [Value::Text(name), rest @ ..] => (Some(Rc::clone(name)), rest.first()),
        rest => (None, rest.first()),
    };
    let mut loops = frame.loops.iter().rev();
    let found = match name {
        Some(name) => loops.find(|turn| turn.name.eq_ignore_ascii_case(&name)),
        None => frame.loops.iter().rev().find(|turn| turn.is_of_resource).or_else(|| loops.next()),
    };
    let offset = match offset {
        None => Some(0),
        Some(Value::Number(number)) => number.as_i64(),
        Some(_) => None,
    };
    match (found, offset) {
        (Some(turn), Some(offset)) => Value::int(turn.index.saturating_add(offset)),
        _ => Unknown::fault(format!("{} outside its loop", shorten(source))).into(),
    }
}
