//! From JSON with expressions to values, within a bounded amount of work.

mod access;
mod call;
mod copy;

use std::cell::Cell;
use std::rc::Rc;

pub(super) use copy::name as loop_name;

use super::deployment::{Deployment, Frame, Name, Variable};
use crate::convert::expression::{self, Expression, ExpressionError, Step, TemplateText, Term, TermKind};
use crate::convert::json::{Member, Node, NodeKind, Position};
use crate::convert::value::{Cause, Unknown, Value};

/// How deep evaluation goes, through JSON, expressions and variables together.
const MAX_DEPTH: usize = 150;
/// How much is done for one template: an evaluation costs 16, and a function what it reads and makes, in bytes.
const MAX_WORK: usize = 256 << 20;
/// Longest expression that a message shows, in characters.
const MAX_SHOWN: usize = 200;

/// Evaluates, as long as there is work left.
pub(super) struct Evaluator {
    work: Cell<usize>,
    depth: Cell<usize>,
}

impl Evaluator {
    pub(super) fn new() -> Self {
        Self { work: Cell::new(MAX_WORK), depth: Cell::new(0) }
    }

    /// Takes work from what is left. Whether there was enough.
    pub(super) fn spend(&self, work: usize) -> bool {
        let left = self.work.get().checked_sub(work);
        self.work.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Evaluates one level deeper.
    fn nested(&self, evaluate: impl FnOnce() -> Value) -> Value {
        if !self.spend(16) {
            return exhausted();
        }
        if self.depth.get() >= MAX_DEPTH {
            return Unknown::fault(format!("values that lie more than {MAX_DEPTH} deep in each other")).into();
        }
        self.depth.set(self.depth.get() + 1);
        let value = evaluate();
        self.depth.set(self.depth.get() - 1);
        value
    }

    /// The value of a part of a template.
    pub(super) fn node(&self, node: &Node, frame: &Frame<'_>) -> Value {
        self.nested(|| match &node.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Number(number) => Value::Number(number.clone()),
            NodeKind::Text(text) => self.text(text, node.position, frame),
            NodeKind::List(items) => Value::list(items.iter().map(|item| self.node(item, frame)).collect()),
            NodeKind::Object(members) => Value::object(self.members(members, frame)),
        })
    }

    /// The names and values of an object, its loops unrolled.
    pub(super) fn members(&self, members: &[Member], frame: &Frame<'_>) -> Vec<(Rc<str>, Value)> {
        let mut values = Vec::new();
        for member in members {
            if frame.deployment.is_template && copy::is_list_of_loops(member) {
                let loops = member.value.items().iter();
                values.extend(loops.map(|item| (copy::name(item).into(), self.unroll(item, frame))));
                continue;
            }
            let name = match self.text(&member.name, member.position, frame) {
                Value::Text(name) => name,
                Value::Partial(partial) => partial.to_string().into(),
                _ => member.name.as_str().into(),
            };
            values.push((name, self.node(&member.value, frame)));
        }
        values
    }

    fn text(&self, text: &str, position: Position, frame: &Frame<'_>) -> Value {
        let inner = match expression::classify(text) {
            TemplateText::Expression(inner) => inner,
            TemplateText::Literal(literal) if frame.deployment.is_template => return Value::text(literal),
            TemplateText::Literal(_) => return Value::text(text),
        };
        if !self.spend(inner.len()) {
            return exhausted();
        }
        match expression::parse(inner) {
            Ok(expression) if frame.deployment.is_template || call::is_of_templates(&expression.root) => {
                self.term(&expression.root, &expression, frame)
            }
            Ok(_) => Value::text(text),
            Err(_) if !frame.deployment.is_template => Value::text(text),
            Err(ExpressionError { character, message }) => {
                let shown = shorten(text);
                let fault =
                    format!("{position}: the expression {shown} is not understood: character {character}: {message}");
                Unknown::fault(fault).into()
            }
        }
    }

    /// The value of a part of an expression.
    pub(super) fn term(&self, term: &Term, expression: &Expression<'_>, frame: &Frame<'_>) -> Value {
        self.nested(|| match &term.kind {
            TermKind::Text(text) => Value::text(text),
            TermKind::Number(number) => Value::Number(number.clone()),
            TermKind::Call { name, arguments } => self.call(name, arguments, term, expression, frame),
            TermKind::Access { base, steps } => {
                let mut value = self.term(base, expression, frame);
                for Step { key, may_miss } in steps {
                    let key = self.term(key, expression, frame);
                    value = access::step(&value, &key, *may_miss, &expression.source[term.span.clone()]);
                }
                value
            }
        })
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str, frame: &Frame<'_>) -> Value {
        let key = name.to_ascii_lowercase();
        let deployment = &frame.deployment;
        if let Some(value) = deployment.given.get(&key) {
            return match value {
                // The one who refers to it says how it is called.
                Value::Unknown(unknown)
                    if unknown.causes.iter().any(|cause| matches!(cause, Cause::KeyVaultParameter(_))) =>
                {
                    Unknown::new(format!("parameters('{name}')"), Cause::KeyVaultParameter(name.into())).into()
                }
                value => value.clone(),
            };
        }
        self.once(Name::Parameter(key.clone()), name, deployment, || {
            match deployment.declared.get(&key).and_then(|declared| declared.member("defaultValue")) {
                Some(default) => self.node(default, &Frame::outermost(Rc::clone(deployment))),
                None => Unknown::new(format!("parameters('{name}')"), Cause::Parameter(name.into())).into(),
            }
        })
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str, frame: &Frame<'_>) -> Value {
        let deployment = &frame.deployment;
        let key = name.to_ascii_lowercase();
        let outermost = || Frame::outermost(Rc::clone(deployment));
        self.once(Name::Variable(key.clone()), name, deployment, || match deployment.variables.get(&key) {
            Some(Variable::Value(node)) => self.node(node, &outermost()),
            Some(Variable::Loop(item)) => self.unroll(item, &outermost()),
            None => Unknown::fault(format!("variables('{name}'), which the template does not have")).into(),
        })
    }

    /// Evaluates what has a name once, and finds names that refer to themselves.
    fn once(&self, key: Name, name: &str, deployment: &Deployment<'_>, evaluate: impl FnOnce() -> Value) -> Value {
        let known = deployment.known.borrow().get(&key).cloned();
        match known {
            Some(Some(value)) => return value,
            Some(None) => {
                let kind = if matches!(key, Name::Variable(_)) { "variables" } else { "parameters" };
                return Unknown::fault(format!("{kind}('{name}'), which refers to itself")).into();
            }
            None => {}
        }
        deployment.known.borrow_mut().insert(key.clone(), None);
        let value = evaluate();
        deployment.known.borrow_mut().insert(key, Some(value.clone()));
        value
    }
}

/// What stands for a value when there is no work left.
pub(super) fn exhausted() -> Value {
    Unknown::fault("the template asks for more work than is done for one").into()
}

/// An unknown value of an expression, for the reasons that its parts have.
pub(super) fn unknown_of<'v>(source: &str, parts: impl IntoIterator<Item = &'v Value>) -> Value {
    let mut causes = Default::default();
    parts.into_iter().for_each(|part| part.causes(&mut causes));
    Unknown { expression: source.into(), causes: Rc::new(causes) }.into()
}

/// An expression as a message shows it.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
