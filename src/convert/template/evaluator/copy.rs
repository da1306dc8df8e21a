//! Loops: `copy` among properties and variables, and on resources.

use super::{Evaluator, unknown_of};
use crate::convert::json::{Member, Node};
use crate::convert::template::deployment::{Frame, Loop};
use crate::convert::value::{Unknown, Value};

/// Most turns of a loop, as in ARM.
const MAX_TURNS: i64 = 800;

/// Whether a member of an object is a list of loops, each of which makes a member of its own.
pub(super) fn is_list_of_loops(member: &Member) -> bool {
    let items = member.value.items();
    let is_loop = |item: &Node| item.member("name").is_some() && item.member("count").is_some();
    member.name.eq_ignore_ascii_case("copy") && !items.is_empty() && items.iter().all(is_loop)
}

/// The name of a loop.
pub(in crate::convert::template) fn name(item: &Node) -> &str {
    item.member("name").and_then(Node::text).unwrap_or_default()
}

impl Evaluator {
    /// The list that a loop among properties or variables makes.
    pub(super) fn unroll(&self, item: &Node, frame: &Frame<'_>) -> Value {
        let Some(input) = item.member("input") else {
            return Unknown::fault(format!("the loop {:?}, which has no input", name(item))).into();
        };
        match self.turns(item, frame) {
            Ok(count) => {
                let turn = |index| Loop { name: name(item).to_owned(), index, is_of_resource: false };
                Value::list((0..count).map(|index| self.node(input, &frame.turn(turn(index)))).collect())
            }
            Err(unknown) => unknown,
        }
    }

    /// How many turns a loop has; or why that is unknown.
    pub(in crate::convert::template) fn turns(&self, item: &Node, frame: &Frame<'_>) -> Result<i64, Value> {
        let name = name(item);
        let count = match item.member("count") {
            Some(count) => self.node(count, frame),
            None => return Err(Unknown::fault(format!("the loop {name:?}, which has no count")).into()),
        };
        let number = match &count {
            Value::Number(number) => number.as_i64(),
            Value::Text(text) => text.trim().parse().ok(),
            open if open.is_open() => return Err(unknown_of(&format!("copy {name}"), [open])),
            _ => None,
        };
        match number {
            Some(number @ 0..=MAX_TURNS) => Ok(number),
            Some(number) => {
                Err(Unknown::fault(format!("the loop {name:?} of {number} turns; a loop has 0 to {MAX_TURNS}")).into())
            }
            None => Err(Unknown::fault(format!("the loop {name:?}, whose count is no number")).into()),
        }
    }
}
