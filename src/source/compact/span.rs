//! The positions of the fields of an object, in few bytes.
//!
//! A directory keeps a span for each object that is served. Where a field stands is hardly ever asked, so that a span is read
//! anew whenever it is. Objects that are written in the same layout have the same bytes, which are kept once a file.
//!
//! ```text
//! span  = head [key position] [value position] contents
//! head  = 3 * layout + contents kind          (numbers: seven bits a byte, the least first)
//! position = columns from the position before, or lines from it and the column
//! ```

use std::sync::Arc;

use crate::source::span::{Position, Span, SpanContents};

/// A span in few bytes, but for the line of the value itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::source) struct PackedSpan(Arc<[u8]>);

/// Names of fields that occur very often. Each is written as its index here.
const COMMON_NAMES: [&str; 48] = [
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

/// How key and value stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// There is no key: an item of a sequence, or a document.
    NoKey,
    /// The value stands somewhere after its key.
    Apart,
    /// The value stands behind `name: `, as nearly always.
    Plain,
    /// The value stands behind `"name": `.
    Quoted,
}

impl Layout {
    const ALL: [Self; 4] = [Self::NoKey, Self::Apart, Self::Plain, Self::Quoted];

    fn of(name: &str, key: Option<Position>, value: Position) -> Self {
        let Some(key) = key else { return Self::NoKey };
        let usual = [Self::Plain, Self::Quoted];
        usual.into_iter().find(|layout| layout.value_position(name, key) == Some(value)).unwrap_or(Self::Apart)
    }

    /// Where the value stands, if the position of the key tells.
    fn value_position(self, name: &str, key: Position) -> Option<Position> {
        let quotes = match self {
            Self::NoKey | Self::Apart => return None,
            Self::Plain => 0,
            Self::Quoted => 2,
        };
        let length = u32::try_from(name.chars().count()).unwrap_or(u32::MAX);
        Some(Position { line: key.line, column: key.column.saturating_add(length).saturating_add(2 + quotes) })
    }
}

impl PackedSpan {
    /// Packs a span. The line of its value is left out, so that objects of the same layout give the same bytes.
    pub(in crate::source) fn pack(span: &Span) -> Self {
        let mut packer = Packer { bytes: Vec::new(), last: Position { line: span.value.line, column: 0 } };
        packer.span("", span);
        let packed = Self(packer.bytes.into());
        debug_assert!(packed.unpack(span.value.line) == *span, "a span is not the same once it was packed: {span:?}");
        packed
    }

    /// The span in full; `line` is that of its value.
    pub(in crate::source) fn unpack(&self, line: u32) -> Span {
        let mut unpacker = Unpacker { bytes: &self.0, last: Position { line, column: 0 } };
        unpacker.span("")
    }
}

struct Packer {
    bytes: Vec<u8>,
    /// The position that was written last.
    last: Position,
}

impl Packer {
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    fn position(&mut self, position: Position) {
        // Twice the distance; odd where it goes backwards.
        let distance = |before: u32, now: u32| {
            let by = i64::from(now) - i64::from(before);
            u64::try_from(by).map_or_else(|_| by.unsigned_abs() * 2 - 1, |by| by * 2)
        };
        if position.line == self.last.line {
            self.number(distance(self.last.column, position.column) * 2);
        } else {
            self.number(distance(self.last.line, position.line) * 2 + 1);
            self.number(position.column.into());
        }
        self.last = position;
    }

    fn name(&mut self, name: &str) {
        match COMMON_NAMES.iter().position(|common| *common == name) {
            Some(index) => self.number(index as u64),
            None => {
                self.number((COMMON_NAMES.len() + name.len()) as u64);
                self.bytes.extend_from_slice(name.as_bytes());
            }
        }
    }

    fn span(&mut self, name: &str, Span { key, value, contents }: &Span) {
        let contents_kind = match contents {
            SpanContents::Scalar => 0,
            SpanContents::Fields(_) => 1,
            SpanContents::Items(_) => 2,
        };
        let layout = Layout::of(name, *key, *value);
        self.number(layout as u64 * 3 + contents_kind);
        key.iter().for_each(|key| self.position(*key));
        match layout {
            Layout::NoKey | Layout::Apart => self.position(*value),
            Layout::Plain | Layout::Quoted => self.last = *value,
        }
        match contents {
            SpanContents::Scalar => {}
            SpanContents::Fields(fields) => {
                self.number(fields.len() as u64);
                for (name, span) in fields {
                    self.name(name);
                    self.span(name, span);
                }
            }
            SpanContents::Items(items) => {
                self.number(items.len() as u64);
                items.iter().for_each(|span| self.span("", span));
            }
        }
    }
}

/// Reads what a [`Packer`] has written.
struct Unpacker<'a> {
    bytes: &'a [u8],
    /// The position that was read last.
    last: Position,
}

impl Unpacker<'_> {
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

    fn position(&mut self) -> Position {
        let after = |before: u32, distance: u64| {
            let by = u32::try_from(distance.div_ceil(2)).unwrap_or(u32::MAX);
            if distance.is_multiple_of(2) { before.saturating_add(by) } else { before.saturating_sub(by) }
        };
        let coded = self.number();
        if coded.is_multiple_of(2) {
            self.last.column = after(self.last.column, coded / 2);
        } else {
            self.last.line = after(self.last.line, coded / 2);
            self.last.column = u32::try_from(self.number()).unwrap_or(u32::MAX);
        }
        self.last
    }

    fn name(&mut self) -> Box<str> {
        let coded = usize::try_from(self.number()).unwrap_or(usize::MAX);
        if let Some(common) = COMMON_NAMES.get(coded) {
            return (*common).into();
        }
        let (name, rest) = self.bytes.split_at((coded - COMMON_NAMES.len()).min(self.bytes.len()));
        self.bytes = rest;
        String::from_utf8_lossy(name).into()
    }

    fn span(&mut self, name: &str) -> Span {
        let coded = self.number();
        let layout = usize::try_from(coded / 3).ok().and_then(|layout| Layout::ALL.get(layout).copied());
        let layout = layout.unwrap_or(Layout::NoKey);
        let key = (layout != Layout::NoKey).then(|| self.position());
        let value = key.and_then(|key| layout.value_position(name, key));
        let value = value.unwrap_or_else(|| self.position());
        self.last = value;
        let contents = match coded % 3 {
            0 => SpanContents::Scalar,
            1 => {
                let count = self.number();
                let field = |_| {
                    let name = self.name();
                    let span = self.span(&name);
                    (name, span)
                };
                SpanContents::Fields((0..count).map(field).collect())
            }
            _ => {
                let count = self.number();
                SpanContents::Items((0..count).map(|_| self.span("")).collect())
            }
        };
        Span { key, value, contents }
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
    fn what_is_packed_is_unpacked_the_same() {
        let far = |line| Span::scalar(position(line, u32::MAX));
        let items = SpanContents::Items(Box::new([far(u32::MAX), far(1), far(7_000), far(0)]));
        let at = |line, column| Span { key: Some(position(line, 3)), ..Span::scalar(position(line, column)) };
        let fields = SpanContents::Fields(Box::new([
            field(&"x".repeat(300), 5, items),
            field("", 6, SpanContents::Scalar),
            ("host".into(), at(7, 9)),
            ("hosts".into(), at(7, 12)),
            ("hösts".into(), at(7, 12)),
            ("http".into(), Span { value: position(8, 1), ..at(7, 1) }),
        ]));
        let root = Span { key: Some(position(3, 4)), value: position(2, 1), contents: fields };
        assert_eq!(PackedSpan::pack(&root).unpack(2), root);
    }
}
