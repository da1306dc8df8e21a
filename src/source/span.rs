//! Where each field of a manifest stands in its text. Holds names and positions, never values.

/// A position in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
}

/// The positions of a value of a manifest, of its key, and of the values within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where the key stands, for the value of a field.
    pub(crate) key: Option<Position>,
    /// Where the value stands.
    pub(crate) value: Position,
    /// The values within it.
    pub(crate) contents: SpanContents,
}

/// The spans of the values within a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SpanContents {
    /// No more values: it is a scalar.
    Scalar,
    /// The fields of a mapping, in the order of their names.
    Fields(Box<[(Box<str>, Span)]>),
    /// The items of a sequence.
    Items(Box<[Span]>),
}

/// Which end of a field a message points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldSide {
    /// Its name.
    Key,
    /// Its value, if that is a scalar; else its name.
    Value,
}

impl Span {
    /// A scalar at `value`.
    pub(crate) fn scalar(value: Position) -> Self {
        Self { key: None, value, contents: SpanContents::Scalar }
    }

    /// The position of the field at `path`, or of the nearest field around it that was written.
    pub(crate) fn locate(&self, path: &str, side: FieldSide) -> Position {
        let mut at = self;
        let mut rest = path;
        while let Some((inner, left)) = at.step(rest) {
            at = inner;
            rest = left;
        }
        match (side, &at.contents, rest.is_empty()) {
            (FieldSide::Value, SpanContents::Scalar, true) => at.value,
            _ => at.key.unwrap_or(at.value),
        }
    }

    /// The value of the field called `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let SpanContents::Fields(fields) = &self.contents else { return None };
        fields.binary_search_by(|(key, _)| (**key).cmp(name)).ok().map(|at| &fields[at].1)
    }

    /// One step down `path`: the inner value that its first part names, and the rest of the path. A key may have dots in it, as
    /// those of annotations have, so that the longest key that fits is taken.
    fn step<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a Self, &'p str)> {
        match &self.contents {
            SpanContents::Scalar => None,
            SpanContents::Fields(fields) => fields
                .iter()
                .filter_map(|(key, span)| Some((key.len(), span, after_key(path, key)?)))
                .max_by_key(|(length, _, _)| *length)
                .map(|(_, span, rest)| (span, rest)),
            SpanContents::Items(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                Some((items.get(index.parse::<usize>().ok()?)?, rest))
            }
        }
    }
}

/// The rest of `path` behind `key`, if the path begins with it: as `.key`, `[key]` or `["key"]`.
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

    fn position(line: u32, column: u32) -> Position {
        Position { line, column }
    }

    fn field(key: &str, at: u32, contents: SpanContents) -> (Box<str>, Span) {
        (key.into(), Span { key: Some(position(at, 1)), value: position(at, 9), contents })
    }

    #[test]
    fn a_path_leads_to_its_field_or_the_nearest_around_it() {
        let items = SpanContents::Items(Box::new([Span::scalar(position(7, 3)), Span::scalar(position(8, 3))]));
        let fields = SpanContents::Fields(Box::new([
            field("a", 2, SpanContents::Scalar),
            field("a.b/c", 3, SpanContents::Scalar),
            field("list", 6, items),
        ]));
        let root = Span { key: None, value: position(1, 1), contents: fields };
        for (path, expected) in [
            ("", position(1, 1)),
            ("a", position(2, 9)),
            ("[a.b/c]", position(3, 9)),
            ("[\"a.b/c\"]", position(3, 9)),
            ("a.b/c", position(3, 9)),
            ("list[1]", position(8, 3)),
            ("list[5].x", position(6, 1)),
            ("list", position(6, 1)),
            ("a.nothing", position(2, 1)),
            ("nowhere", position(1, 1)),
        ] {
            assert_eq!(root.locate(path, FieldSide::Value), expected, "{path}");
        }
        assert_eq!(root.locate("a", FieldSide::Key), position(2, 1));
    }
}
