//! Where each field of a manifest stands in its text. Holds names and places, never values.

use std::sync::Arc;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
}

/// A value of a manifest: its place, that of its key, and those of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where the key stands, for the value of a field.
    pub(crate) key: Option<Place>,
    /// Where the value stands.
    pub(crate) value: Place,
    /// What it holds.
    pub(crate) inner: Inner,
}

/// What a value holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inner {
    /// A scalar.
    Nothing,
    /// The fields of a mapping, in the order of their names.
    Fields(Box<[(Box<str>, Span)]>),
    /// The items of a sequence.
    Items(Box<[Span]>),
}

/// A span, packed: there is one for each object that is served. For each value the lines that it and its key are below the
/// one before, their columns, and what it holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Packed(Arc<[u8]>);

impl Packed {
    /// Its fields, in full.
    pub(crate) fn unpack(&self) -> Span {
        let mut reader = Reader { bytes: &self.0, line: 0 };
        reader.span()
    }
}

struct Packer {
    bytes: Vec<u8>,
    line: u32,
}

impl Packer {
    /// A number, seven bits a byte, the least first.
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
            number >>= 7;
        }
        self.bytes.push(u8::try_from(number).unwrap_or_default());
    }

    fn place(&mut self, Place { line, column }: Place) {
        // Lines go down nearly always, and a field's value never stands far from its key.
        let below = i64::from(line) - i64::from(self.line);
        self.number(u64::try_from(below).map_or_else(|_| below.unsigned_abs() * 2 - 1, |below| below * 2));
        self.number(column.into());
        self.line = line;
    }

    fn span(&mut self, Span { key, value, inner }: &Span) {
        let what = match inner {
            Inner::Nothing => 0,
            Inner::Fields(_) => 1,
            Inner::Items(_) => 2,
        };
        self.number(what * 2 + u64::from(key.is_some()));
        key.iter().for_each(|key| self.place(*key));
        self.place(*value);
        match inner {
            Inner::Nothing => {}
            Inner::Fields(fields) => {
                self.number(fields.len() as u64);
                for (name, span) in fields {
                    self.number(name.len() as u64);
                    self.bytes.extend_from_slice(name.as_bytes());
                    self.span(span);
                }
            }
            Inner::Items(items) => {
                self.number(items.len() as u64);
                items.iter().for_each(|span| self.span(span));
            }
        }
    }
}

/// Reads what a [`Packer`] has written.
struct Reader<'a> {
    bytes: &'a [u8],
    line: u32,
}

impl Reader<'_> {
    fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some((byte, rest)) = self.bytes.split_first() else { break };
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte & 0x80 == 0 {
                break;
            }
        }
        number
    }

    fn place(&mut self) -> Place {
        let coded = self.number();
        let by = u32::try_from(coded.div_ceil(2)).unwrap_or_default();
        self.line = if coded.is_multiple_of(2) { self.line.saturating_add(by) } else { self.line.saturating_sub(by) };
        Place { line: self.line, column: u32::try_from(self.number()).unwrap_or_default() }
    }

    fn span(&mut self) -> Span {
        let what = self.number();
        let key = (what % 2 == 1).then(|| self.place());
        let value = self.place();
        let inner = match what / 2 {
            0 => Inner::Nothing,
            1 => {
                let count = self.number();
                let field = |_| {
                    let length = usize::try_from(self.number()).unwrap_or_default();
                    let (name, rest) = self.bytes.split_at(length.min(self.bytes.len()));
                    self.bytes = rest;
                    (String::from_utf8_lossy(name).into(), self.span())
                };
                Inner::Fields((0..count).map(field).collect())
            }
            _ => {
                let count = self.number();
                Inner::Items((0..count).map(|_| self.span()).collect())
            }
        };
        Span { key, value, inner }
    }
}

/// Which end of a field a message points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Its name.
    Key,
    /// Its value, if that is a scalar; else its name.
    Value,
}

impl Span {
    /// A scalar at `value`.
    pub(crate) fn scalar(value: Place) -> Self {
        Self { key: None, value, inner: Inner::Nothing }
    }

    /// The same in few bytes.
    pub(crate) fn pack(&self) -> Packed {
        let mut packer = Packer { bytes: Vec::new(), line: 0 };
        packer.span(self);
        Packed(packer.bytes.into())
    }

    /// The place of the field at `path`, or of the nearest field around it that was written.
    pub(crate) fn locate(&self, path: &str, side: Side) -> Place {
        let mut at = self;
        let mut rest = path;
        while let Some((inner, left)) = at.step(rest) {
            at = inner;
            rest = left;
        }
        match (side, &at.inner, rest.is_empty()) {
            (Side::Value, Inner::Nothing, true) => at.value,
            _ => at.key.unwrap_or(at.value),
        }
    }

    /// The value of the field called `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Inner::Fields(fields) = &self.inner else { return None };
        fields.binary_search_by(|(key, _)| (**key).cmp(name)).ok().map(|at| &fields[at].1)
    }

    /// One step down `path`: the inner value that it names first, and what is left of it. A key may itself
    /// have dots in it, as those of annotations do, so the longest that fits is taken.
    fn step<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a Self, &'p str)> {
        match &self.inner {
            Inner::Nothing => None,
            Inner::Fields(fields) => fields
                .iter()
                .filter_map(|(key, span)| Some((key.len(), span, after_key(path, key)?)))
                .max_by_key(|(length, _, _)| *length)
                .map(|(_, span, rest)| (span, rest)),
            Inner::Items(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                Some((items.get(index.parse::<usize>().ok()?)?, rest))
            }
        }
    }
}

/// What follows `key` in `path`, where it starts with it: as `.key`, `[key]` or `["key"]`.
fn after_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    if let Some(bracketed) = path.strip_prefix('[') {
        let (open, close) = if bracketed.starts_with('"') { ("\"", "\"]") } else { ("", "]") };
        return bracketed.strip_prefix(open)?.strip_prefix(key)?.strip_prefix(close);
    }
    let rest = path.strip_prefix('.').unwrap_or(path).strip_prefix(key)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// `path` with the field `key` of it appended, in the form that Kubernetes prints: `a.b`, and `a[b.c/d]`
/// where the key is not a plain name.
pub(crate) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: u32, column: u32) -> Place {
        Place { line, column }
    }

    fn field(key: &str, at: u32, inner: Inner) -> (Box<str>, Span) {
        (key.into(), Span { key: Some(place(at, 1)), value: place(at, 9), inner })
    }

    #[test]
    fn a_path_leads_to_its_field_or_the_nearest_around_it() {
        let items = Inner::Items(Box::new([Span::scalar(place(7, 3)), Span::scalar(place(8, 3))]));
        let fields = Inner::Fields(Box::new([
            field("a", 2, Inner::Nothing),
            field("a.b/c", 3, Inner::Nothing),
            field("list", 6, items),
        ]));
        let root = Span { key: None, value: place(1, 1), inner: fields };
        for (path, expected) in [
            ("", place(1, 1)),
            ("a", place(2, 9)),
            ("[a.b/c]", place(3, 9)),
            ("[\"a.b/c\"]", place(3, 9)),
            ("a.b/c", place(3, 9)),
            ("list[1]", place(8, 3)),
            ("list[5].x", place(6, 1)),
            ("list", place(6, 1)),
            ("a.nothing", place(2, 1)),
            ("nowhere", place(1, 1)),
        ] {
            assert_eq!(root.locate(path, Side::Value), expected, "{path}");
        }
        assert_eq!(root.locate("a", Side::Key), place(2, 1));
    }

    #[test]
    fn what_is_packed_is_unpacked_the_same() {
        let far = |line| Span::scalar(place(line, u32::MAX));
        let items = Inner::Items(Box::new([far(u32::MAX), far(1), far(7_000), far(0)]));
        let fields = Inner::Fields(Box::new([field(&"x".repeat(300), 5, items), field("", 6, Inner::Nothing)]));
        let root = Span { key: Some(place(3, 4)), value: place(2, 1), inner: fields };
        assert_eq!(root.pack().unpack(), root);
    }
}
