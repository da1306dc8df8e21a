//! JSON as people have it: a reader that keeps positions, and takes comments, trailing commas and bare fragments.
//!
//! It knows nothing of ARM but the names of a gateway's collections, by which it finds fragments on a page of text. Depth, size and the number of
//! values are bounded, so any text is read in bounded time.

mod decode;
mod reader;

use std::fmt;

pub(super) use decode::decode;
pub(super) use reader::{COLLECTIONS, read};

/// Largest input, in bytes. ARM takes templates of up to 4 MB.
pub(crate) const MAX_INPUT_BYTES: usize = 16 << 20;
/// How deep values may lie in each other.
const MAX_DEPTH: usize = 100;
/// How many values one input may have.
const MAX_VALUES: usize = 1_000_000;

/// A place in a text, counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A text that is not JSON, and where it ceases to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", position.line, position.column)]
pub(crate) struct SyntaxError {
    pub(crate) position: Position,
    pub(crate) message: String,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) kind: NodeKind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeKind {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A name of an object and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) position: Position,
    pub(super) value: Node,
}

/// What was read: one value, and the names that stand twice in an object, of which the last counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) root: Node,
    pub(super) duplicates: Vec<(String, Position)>,
}

impl Node {
    /// The value of a name, without case. Of several the last counts, as in every reader of JSON.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.members().iter().rev().find(|member| member.name.eq_ignore_ascii_case(name)).map(|member| &member.value)
    }

    /// Its names and values; none unless it is an object.
    pub(super) fn members(&self) -> &[Member] {
        if let NodeKind::Object(members) = &self.kind { members } else { &[] }
    }

    /// Its items; none unless it is a list.
    pub(super) fn items(&self) -> &[Self] {
        if let NodeKind::List(items) = &self.kind { items } else { &[] }
    }

    /// Its text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let NodeKind::Text(text) = &self.kind { Some(text) } else { None }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
