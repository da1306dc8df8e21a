//! Ports and their protocols, and words of which one must be written.

use super::name;
use crate::source::problem::{FieldProblems, nearest};

/// Protocols of ports.
pub(crate) const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Reports a number that no port has.
pub(crate) fn check_port_number(field: &str, number: i32, problems: &mut FieldProblems) {
    if !(1..=65535).contains(&number) {
        problems.refuse(field, format!("{number} is not a port"), "write a number between 1 and 65535");
    }
}

/// Reports a word that is none of those allowed.
pub(crate) fn check_one_of(field: &str, word: &str, allowed: &[&str], problems: &mut FieldProblems) {
    if allowed.contains(&word) {
        return;
    }
    let remedy = match nearest(word, allowed.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("write one of {}", allowed.join(", ")),
    };
    problems.refuse(field, format!("{} is none of {}", name::quoted(word), allowed.join(", ")), remedy);
}
