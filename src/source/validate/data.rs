//! The entries of a ConfigMap or a Secret.

use super::name;
use crate::source::problem::FieldProblems;
use crate::source::span::join;

/// How much a ConfigMap or a Secret may hold, in bytes.
const MAX_DATA_BYTES: usize = 1 << 20;

/// An entry: its key, and how much it holds.
pub(crate) struct DataEntry<'a> {
    /// The field that holds it: `data` or `binaryData`.
    pub(crate) field: &'static str,
    /// Its key.
    pub(crate) key: &'a str,
    /// Size of its value, in bytes.
    pub(crate) size: usize,
}

/// Checks the keys, and the size of all entries together.
pub(crate) fn check<'a>(entries: impl Iterator<Item = DataEntry<'a>>, problems: &mut FieldProblems) {
    let mut total = 0;
    for DataEntry { field, key, size } in entries {
        total += size;
        let valid = key.len() <= 253
            && !key.is_empty()
            && !key.starts_with("..")
            && key != "."
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !valid {
            let message = format!("{} is not a valid key", name::quoted(key));
            problems.refuse(join(field, key), message, "use letters, digits, '-', '_' and '.'");
        }
    }
    if total > MAX_DATA_BYTES {
        let message = format!("{total} bytes are held, and at most {MAX_DATA_BYTES} are allowed");
        problems.refuse("data", message, "split it into several objects");
    }
}
