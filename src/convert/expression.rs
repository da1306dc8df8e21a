//! Expressions of templates, `[concat('a', parameters('b'))]`, read into a tree. What they mean is written in `template`.
//!
//! Grammar and escapes are those of ARM's reference, "Syntax and expressions in ARM templates".

mod lexer;
mod parser;

use std::fmt;
use std::ops::Range;

pub(super) use parser::parse;

/// An expression: its tree, and the text that the spans of the tree point into.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression<'a> {
    pub(super) source: &'a str,
    pub(super) root: Term,
}

/// A part of an expression, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) span: Range<usize>,
    pub(super) kind: TermKind,
}

/// What a term is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TermKind {
    Text(String),
    Number(serde_json::Number),
    /// A function, its namespace before it if it has one.
    Call {
        name: String,
        arguments: Vec<Term>,
    },
    /// What lies inside a value. The steps are in a list, so that a long chain is not a deep tree.
    Access {
        base: Box<Term>,
        steps: Vec<Step>,
    },
}

/// One step into a value: `.name`, `[0]`, `['name']`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) key: Term,
    /// Whether it may lead nowhere, which is `null` then: `.?name`, `[?0]`.
    pub(super) may_miss: bool,
}

/// A text that is no expression, and the character at which it ceases to be one, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExpressionError {
    pub(super) character: usize,
    pub(super) message: String,
}

/// What a text of a template is.
#[derive(Debug, PartialEq)]
pub(super) enum TemplateText<'a> {
    /// Itself.
    Literal(&'a str),
    /// What stands between the brackets.
    Expression(&'a str),
}

/// Tells texts from expressions: these stand in brackets, and `[[` is the text `[`.
pub(super) fn classify(text: &str) -> TemplateText<'_> {
    if text.starts_with("[[") {
        return TemplateText::Literal(&text[1..]);
    }
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(inner) => TemplateText::Expression(inner),
        None => TemplateText::Literal(text),
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: {}", self.character, self.message)
    }
}
