//! What expressions refer to: one template's parameters and variables, and the loops that they stand in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::convert::json::{Member, Node};
use crate::convert::value::Value;

/// One template, or a document that is none.
pub(super) struct Deployment<'a> {
    /// Whether texts in brackets are expressions whatever they say. In an export they may be anything, such as a pattern.
    pub(super) is_template: bool,
    /// The parameters that it declares, by their names in lower case.
    pub(super) declared: BTreeMap<String, &'a Node>,
    /// Values that were given to it, by the parameters' names in lower case.
    pub(super) given: BTreeMap<String, Value>,
    pub(super) variables: BTreeMap<String, Variable<'a>>,
    /// Parameters and variables that have been evaluated. `None`: one that is being evaluated.
    pub(super) known: RefCell<BTreeMap<Name, Option<Value>>>,
}

/// A variable.
#[derive(Debug, Clone, Copy)]
pub(super) enum Variable<'a> {
    Value(&'a Node),
    /// A loop among the variables: an object with `count` and `input`.
    Loop(&'a Node),
}

/// The name of something that has a value, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Parameter(String),
    Variable(String),
}

/// Where an expression stands.
#[derive(Clone)]
pub(super) struct Frame<'a> {
    pub(super) deployment: Rc<Deployment<'a>>,
    /// The loops around it, the innermost last.
    pub(super) loops: Vec<Loop>,
    /// The arguments of lambdas around it, the innermost last.
    pub(super) locals: Vec<(String, Value)>,
}

/// A loop in one of its turns.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) name: String,
    pub(super) index: i64,
    /// Whether it repeats a resource, and `copyIndex()` without a name means it.
    pub(super) is_of_resource: bool,
}

impl<'a> Deployment<'a> {
    /// Reads what a document declares.
    pub(super) fn new(document: &'a Node, is_template: bool, given: BTreeMap<String, Value>) -> Self {
        let members = |name: &str| document.member(name).map_or(&[][..], Node::members);
        let variables = members("variables");
        let mut by_name: BTreeMap<_, _> =
            variables.iter().map(|member| (lower(member), Variable::Value(&member.value))).collect();
        let loops = variables.iter().filter(|member| member.name.eq_ignore_ascii_case("copy"));
        for item in loops.flat_map(|member| member.value.items()) {
            if let Some(name) = item.member("name").and_then(Node::text) {
                by_name.insert(name.to_ascii_lowercase(), Variable::Loop(item));
            }
        }
        Self {
            is_template,
            declared: members("parameters").iter().map(|member| (lower(member), &member.value)).collect(),
            given,
            variables: by_name,
            known: RefCell::default(),
        }
    }
}

impl<'a> Frame<'a> {
    /// The outermost place of a deployment.
    pub(super) fn outermost(deployment: Rc<Deployment<'a>>) -> Self {
        Self { deployment, loops: Vec::new(), locals: Vec::new() }
    }

    /// One turn of a loop within this place.
    pub(super) fn turn(&self, turn: Loop) -> Self {
        let mut inner = self.clone();
        inner.loops.push(turn);
        inner
    }
}

fn lower(member: &Member) -> String {
    member.name.to_ascii_lowercase()
}
