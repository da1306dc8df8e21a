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

/// A span, packed: there is one for each object that is served. For each value what it holds, and how far its key is from
/// the place before, and it from its key. Objects that are written alike have the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Packed(Arc<[u8]>);

impl Packed {
    /// Its fields, in full; `line` is that of the value itself.
    pub(crate) fn unpack(&self, line: u32) -> Span {
        let mut reader = Reader { bytes: &self.0, at: Place { line, column: 0 } };
        reader.span("")
    }
}

/// Names of fields that there are very many of: each is its index here.
const NAMES: [&str; 48] = [
    "annotations",
    "apiVersion",
    "backend",
    "defaultBackend",
    "host",
    "hosts",
    "http",
    "ingressClassName",
    "kind",
    "labels",
    "metadata",
    "name",
    "namespace",
    "number",
    "path",
    "pathType",
    "paths",
    "port",
    "rules",
    "secretName",
    "service",
    "spec",
    "tls",
    "creationTimestamp",
    "generation",
    "resourceVersion",
    "uid",
    "status",
    "loadBalancer",
    "ports",
    "protocol",
    "selector",
    "targetPort",
    "type",
    "addressType",
    "addresses",
    "conditions",
    "endpoints",
    "ready",
    "serving",
    "terminating",
    "targetRef",
    "app.kubernetes.io/name",
    "cert-manager.io/cluster-issuer",
    "kubernetes.io/ingress.class",
    "nginx.ingress.kubernetes.io/proxy-read-timeout",
    "nginx.ingress.kubernetes.io/proxy-send-timeout",
    "steadygate.io/websocket-idle-timeout",
];

/// Where the value of a key stands, nearly always: behind `name: `, or behind `"name": `.
fn behind(key: Place, name: &str, quotes: u32) -> Place {
    let length = u32::try_from(name.chars().count()).unwrap_or(u32::MAX);
    Place { line: key.line, column: key.column.saturating_add(length).saturating_add(2 + quotes) }
}

struct Packer {
    bytes: Vec<u8>,
    at: Place,
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

    /// Columns from the place before; or lines, and the column.
    fn place(&mut self, place: Place) {
        let by = |before: u32, now: u32| {
            let by = i64::from(now) - i64::from(before);
            u64::try_from(by).map_or_else(|_| by.unsigned_abs() * 2 - 1, |by| by * 2)
        };
        if place.line == self.at.line {
            self.number(by(self.at.column, place.column) * 2);
        } else {
            self.number(by(self.at.line, place.line) * 2 + 1);
            self.number(place.column.into());
        }
        self.at = place;
    }

    fn span(&mut self, name: &str, Span { key, value, inner }: &Span) {
        let what = match inner {
            Inner::Nothing => 0,
            Inner::Fields(_) => 1,
            Inner::Items(_) => 2,
        };
        let usual = key.and_then(|key| [0, 2].iter().position(|quotes| *value == behind(key, name, *quotes)));
        let how = usual.map_or(u64::from(key.is_some()), |quotes| 2 + quotes as u64);
        self.number(how * 3 + what);
        key.iter().for_each(|key| self.place(*key));
        match usual {
            Some(_) => self.at = *value,
            None => self.place(*value),
        }
        match inner {
            Inner::Nothing => {}
            Inner::Fields(fields) => {
                self.number(fields.len() as u64);
                for (name, span) in fields {
                    match NAMES.iter().position(|known| **known == **name) {
                        Some(index) => self.number(index as u64),
                        None => {
                            self.number((NAMES.len() + name.len()) as u64);
                            self.bytes.extend_from_slice(name.as_bytes());
                        }
                    }
                    self.span(name, span);
                }
            }
            Inner::Items(items) => {
                self.number(items.len() as u64);
                items.iter().for_each(|span| self.span("", span));
            }
        }
    }
}

/// Reads what a [`Packer`] has written.
struct Reader<'a> {
    bytes: &'a [u8],
    at: Place,
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
        let after = |before: u32, by: u64| {
            let distance = u32::try_from(by.div_ceil(2)).unwrap_or_default();
            if by.is_multiple_of(2) { before.saturating_add(distance) } else { before.saturating_sub(distance) }
        };
        let coded = self.number();
        if coded.is_multiple_of(2) {
            self.at.column = after(self.at.column, coded / 2);
        } else {
            self.at.line = after(self.at.line, coded / 2);
            self.at.column = u32::try_from(self.number()).unwrap_or_default();
        }
        self.at
    }

    fn name(&mut self) -> Box<str> {
        let coded = usize::try_from(self.number()).unwrap_or_default();
        if let Some(known) = NAMES.get(coded) {
            return (*known).into();
        }
        let (name, rest) = self.bytes.split_at((coded - NAMES.len()).min(self.bytes.len()));
        self.bytes = rest;
        String::from_utf8_lossy(name).into()
    }

    fn span(&mut self, name: &str) -> Span {
        let coded = self.number();
        let (how, what) = (coded / 3, coded % 3);
        let key = (how > 0).then(|| self.place());
        let value = match (key, how) {
            (Some(key), 2) => behind(key, name, 0),
            (Some(key), 3) => behind(key, name, 2),
            _ => self.place(),
        };
        self.at = value;
        let inner = match what {
            0 => Inner::Nothing,
            1 => {
                let count = self.number();
                let field = |_| {
                    let name = self.name();
                    let span = self.span(&name);
                    (name, span)
                };
                Inner::Fields((0..count).map(field).collect())
            }
            _ => {
                let count = self.number();
                Inner::Items((0..count).map(|_| self.span("")).collect())
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

    /// The same in few bytes, but for the line of the value itself.
    pub(crate) fn pack(&self) -> Packed {
        let mut packer = Packer { bytes: Vec::new(), at: Place { line: self.value.line, column: 0 } };
        packer.span("", self);
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
        let at = |line, column| Span { key: Some(place(line, 3)), ..Span::scalar(place(line, column)) };
        let fields = Inner::Fields(Box::new([
            field(&"x".repeat(300), 5, items),
            field("", 6, Inner::Nothing),
            ("host".into(), at(7, 9)),
            ("hosts".into(), at(7, 12)),
            ("hösts".into(), at(7, 12)),
            ("http".into(), Span { value: place(8, 1), ..at(7, 1) }),
        ]));
        let root = Span { key: Some(place(3, 4)), value: place(2, 1), inner: fields };
        assert_eq!(root.pack().unpack(2), root);
    }
}
