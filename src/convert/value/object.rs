//! Objects: names without case, in the order of the alphabet.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Value;

/// Names and values, with what has been added up over them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Object {
    /// By the name in lower case; beside the value, the name as it was written.
    members: BTreeMap<String, (Rc<str>, Value)>,
    size: usize,
    is_open: bool,
}

impl Object {
    /// The value of a name, without case. `null` is no value.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(&name.to_ascii_lowercase()).map(|(_, value)| value).filter(|value| **value != Value::Null)
    }

    /// Names as they were written, and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Rc<str>, &Value)> {
        self.members.values().map(|(name, value)| (name, value))
    }

    /// An element of ARM without the level of `properties`: what stands there, and what stands beside it.
    pub(crate) fn flat(&self) -> Self {
        let copied = |(name, value): (&Rc<str>, &Value)| (Rc::clone(name), value.clone());
        match self.member("properties") {
            Some(Value::Object(properties)) => {
                let beside = self.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("properties"));
                properties.iter().chain(beside).map(copied).collect()
            }
            _ => self.iter().map(copied).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }
}

impl FromIterator<(Rc<str>, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (Rc<str>, Value)>>(members: I) -> Self {
        let by_name = members.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), (name, value)));
        let members: BTreeMap<_, _> = by_name.collect();
        let sizes = members.values().map(|(name, value)| name.len().saturating_add(value.size()));
        let size = sizes.fold(16, usize::saturating_add);
        let is_open = members.values().any(|(_, value)| value.is_open());
        Self { members, size, is_open }
    }
}
