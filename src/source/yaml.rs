//! Manifest text to values: YAML 1.2 with several documents, and JSON, which is read by the same rules.
//!
//! Each document is read on its own, so that a mistake in one does not affect the next. The cost of a text is bounded: its
//! size, its depth, and its nodes with aliases expanded. This module knows nothing of Kubernetes.

mod build;
mod scalar;
mod split;

use std::borrow::Cow;

use saphyr_parser::Parser;
use serde_json::Value;

use super::span::{Position, Span};
use build::{Budget, DocumentBuilder};

/// The largest file that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// A document that was read.
#[derive(Clone)]
pub(crate) struct Document {
    /// Which one of the file, from 1; those that are empty don't count.
    pub(crate) number: usize,
    /// Its value.
    pub(crate) value: Value,
    /// The positions of its values.
    pub(crate) span: Span,
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentFault {
    /// Which document of the file, from 1.
    pub(crate) document: usize,
    /// Where reading stopped.
    pub(crate) position: Position,
    /// The problem, for people.
    pub(crate) message: String,
    /// A remedy.
    pub(crate) remedy: String,
}

/// Reads the documents of a file and calls `each` with one after the other, since values take many times the room of their
/// text. Gives the faults of the documents that can't be read.
pub(crate) fn parse(bytes: &[u8], each: &mut dyn FnMut(Document)) -> Vec<DocumentFault> {
    let mut faults = Vec::new();
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(fault) => return vec![fault],
    };
    let mut budget = Budget::default();
    let mut number = 1;
    for chunk in split::chunks(&text) {
        let before = faults.len();
        number = parse_chunk(chunk, number, &mut budget, each, &mut faults);
        if faults.len() > before && budget.is_spent() {
            break;
        }
    }
    faults
}

/// Reads the documents between two `---`: one, or several where `...` ends them. Gives the number of the
/// next.
fn parse_chunk(
    chunk: split::Chunk<'_>,
    first: usize,
    budget: &mut Budget,
    each: &mut dyn FnMut(Document),
    faults: &mut Vec<DocumentFault>,
) -> usize {
    let mut number = first;
    let mut builder = DocumentBuilder::new(chunk.line, budget);
    for event in Parser::new_from_str(chunk.text) {
        let step = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(builder.scan_error(&error)),
        };
        match step {
            Ok(None) => {}
            Ok(Some((Value::Null, _))) => {}
            Ok(Some((value, span))) => {
                each(Document { number, value, span });
                number += 1;
            }
            Err(stop) => {
                faults.push(DocumentFault {
                    document: number,
                    position: stop.position,
                    message: stop.message,
                    remedy: stop.remedy,
                });
                return number + 1;
            }
        }
    }
    number
}

/// The text of a file: UTF-8, without a byte order mark, and with JSON's surrogate pairs written as the
/// characters they are, since YAML has no such pairs.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, DocumentFault> {
    let refuse = |line: usize, message: String, remedy: &str| DocumentFault {
        document: 1,
        position: Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 },
        message,
        remedy: remedy.to_owned(),
    };
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has more than {MAX_BYTES} bytes, and is not read");
        return Err(refuse(1, message, "split it into several files"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        refuse(line, "the text is not UTF-8".to_owned(), "save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(if text.trim_start().starts_with(['{', '[']) { split::join_surrogates(text) } else { Cow::Borrowed(text) })
}

/// The documents of a file, and the faults of those that can't be read.
#[cfg(test)]
pub(crate) fn parse_all(bytes: &[u8]) -> (Vec<Document>, Vec<DocumentFault>) {
    let mut documents = Vec::new();
    let faults = parse(bytes, &mut |document| documents.push(document));
    (documents, faults)
}

#[cfg(test)]
mod tests;
