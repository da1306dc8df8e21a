//! Values of a template once it has been evaluated: JSON, of which a part may be unknown.
//!
//! What is unknown says why, and stays unknown in everything that is made of it. Values share their parts, and none is larger than
//! [`MAX_VALUE_BYTES`] when written out, however it was put together.

mod object;
mod unknown;

use std::rc::Rc;

pub(super) use object::Object;
pub(super) use unknown::{Cause, Causes, Part, Partial, Unknown};

use super::json::{Node, NodeKind};

/// Largest value, in bytes as [`Value::size`] counts them.
const MAX_VALUE_BYTES: usize = 32 << 20;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(Rc<str>),
    /// A text of which parts are unknown.
    Partial(Rc<Partial>),
    List(Rc<List>),
    Object(Rc<Object>),
    Unknown(Unknown),
}

/// Items, with what has been added up over them.
#[derive(Debug, PartialEq)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
    size: usize,
    /// Whether something in it is unknown, however deep.
    is_open: bool,
}

impl Value {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    pub(super) fn int(number: i64) -> Self {
        Self::Number(number.into())
    }

    /// A list, unless it would be too large.
    pub(super) fn list(items: Vec<Self>) -> Self {
        let size = items.iter().map(Self::size).fold(16, usize::saturating_add);
        if size > MAX_VALUE_BYTES {
            return Self::too_large();
        }
        let is_open = items.iter().any(Self::is_open);
        Self::List(Rc::new(List { items, size, is_open }))
    }

    /// An object of these members, of which a later one replaces an earlier one of its name; unless it would be too large.
    pub(super) fn object(members: impl IntoIterator<Item = (Rc<str>, Self)>) -> Self {
        let object = Object::from_iter(members);
        if object.size() > MAX_VALUE_BYTES { Self::too_large() } else { Self::Object(Rc::new(object)) }
    }

    /// A text of parts, which is a plain one where all of them are known; unless it would be too large.
    pub(super) fn join(parts: impl IntoIterator<Item = Part>) -> Self {
        let partial = Partial::from_iter(parts);
        if partial.size() > MAX_VALUE_BYTES {
            return Self::too_large();
        }
        match partial.known() {
            Some(text) => Self::text(text),
            None => Self::Partial(Rc::new(partial)),
        }
    }

    fn too_large() -> Self {
        Self::Unknown(Unknown::fault(format!("a value of more than {} MiB", MAX_VALUE_BYTES >> 20)))
    }

    /// JSON as it stands, without expressions.
    pub(super) fn literal(node: &Node) -> Self {
        match &node.kind {
            NodeKind::Null => Self::Null,
            NodeKind::Bool(value) => Self::Bool(*value),
            NodeKind::Number(number) => Self::Number(number.clone()),
            NodeKind::Text(text) => Self::text(text),
            NodeKind::List(items) => Self::list(items.iter().map(Self::literal).collect()),
            NodeKind::Object(members) => {
                Self::object(members.iter().map(|member| (member.name.as_str().into(), Self::literal(&member.value))))
            }
        }
    }

    /// How much it is, in bytes: every part counts wherever it stands, shared or not.
    pub(super) fn size(&self) -> usize {
        16 + match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Unknown(_) => 0,
            Self::Text(text) => text.len(),
            Self::Partial(partial) => partial.size(),
            Self::List(list) => list.size,
            Self::Object(object) => object.size(),
        }
    }

    /// Whether something of it is unknown, however deep.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => false,
            Self::Partial(_) | Self::Unknown(_) => true,
            Self::List(list) => list.is_open,
            Self::Object(object) => object.is_open(),
        }
    }

    /// Adds why something of it is unknown.
    pub(super) fn causes(&self, causes: &mut Causes) {
        match self {
            Self::Partial(partial) => causes.extend(partial.causes()),
            Self::Unknown(unknown) => causes.extend(unknown.causes.iter().cloned()),
            Self::List(list) if list.is_open => list.items.iter().for_each(|item| item.causes(causes)),
            Self::Object(object) if object.is_open() => object.iter().for_each(|(_, value)| value.causes(causes)),
            _ => {}
        }
    }

    /// Its text, if it is one that is known.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Its items, if it is a list.
    pub(super) fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(&list.items) } else { None }
    }

    /// Its members, if it is an object.
    pub(super) fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The value of a name, without case; only of an object.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.as_object()?.member(name)
    }

    /// Whether it stands for nothing: `null`, and a list or object without content.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(list) => list.items.is_empty(),
            Self::Object(object) => object.is_empty(),
            _ => false,
        }
    }
}

impl From<Unknown> for Value {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}
