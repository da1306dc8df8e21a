//! Which parameters decide a condition: those that it refers to, through variables too.

use std::collections::BTreeSet;

use super::deployment::{Deployment, Variable};
use crate::convert::expression::{self, TemplateText, Term, TermKind};
use crate::convert::json::{Node, NodeKind};

/// The parameters that a part of a template refers to, by the names with which it does.
pub(super) fn parameters(node: &Node, deployment: &Deployment<'_>) -> BTreeSet<String> {
    let mut found = References { deployment, parameters: BTreeSet::new(), variables: BTreeSet::new() };
    found.node(node);
    // A variable may refer to others, which are read as they are found.
    let mut read = BTreeSet::new();
    while let Some(name) = found.variables.difference(&read).next().cloned() {
        if let Some(Variable::Value(node) | Variable::Loop(node)) = deployment.variables.get(&name) {
            found.node(node);
        }
        read.insert(name);
    }
    found.parameters
}

struct References<'a> {
    deployment: &'a Deployment<'a>,
    parameters: BTreeSet<String>,
    /// Names in lower case.
    variables: BTreeSet<String>,
}

impl References<'_> {
    fn node(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Text(text) => {
                if let TemplateText::Expression(inner) = expression::classify(text)
                    && self.deployment.is_template
                    && let Ok(expression) = expression::parse(inner)
                {
                    self.term(&expression.root);
                }
            }
            NodeKind::List(items) => items.iter().for_each(|item| self.node(item)),
            NodeKind::Object(members) => members.iter().for_each(|member| self.node(&member.value)),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => {}
        }
    }

    fn term(&mut self, term: &Term) {
        match &term.kind {
            TermKind::Text(_) | TermKind::Number(_) => {}
            TermKind::Access { base, steps } => {
                self.term(base);
                steps.iter().for_each(|step| self.term(&step.key));
            }
            TermKind::Call { name, arguments } => {
                if let [Term { kind: TermKind::Text(argument), .. }] = &arguments[..] {
                    if name.eq_ignore_ascii_case("parameters") {
                        self.parameters.insert(argument.clone());
                    } else if name.eq_ignore_ascii_case("variables") {
                        self.variables.insert(argument.to_ascii_lowercase());
                    }
                }
                arguments.iter().for_each(|argument| self.term(argument));
            }
        }
    }
}
