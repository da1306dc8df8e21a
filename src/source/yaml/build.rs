//! Parser events to a value and the places of its fields, without recursion and within a budget.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Marker, ScalarStyle, ScanError, Span as Marks, Tag};
use serde_json::{Map, Value};

use super::scalar::{self, Refused};
use crate::source::span::{Inner, Place, Span};

/// How deep values may be nested. Kubernetes' own kinds need about 20.
const MAX_DEPTH: usize = 64;
/// How many values a file may hold, aliases expanded.
const MAX_NODES: usize = 1_000_000;
/// How much text a file may hold, aliases expanded.
const MAX_TEXT: usize = 64 << 20;

/// What a value costs.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    text: usize,
}

/// What a file has cost so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: Cost,
}

impl Budget {
    /// Whether nothing more may be read from the file.
    pub(super) fn is_spent(&self) -> bool {
        self.spent.nodes > MAX_NODES || self.spent.text > MAX_TEXT
    }

    fn spend(&mut self, cost: Cost) -> bool {
        self.spent.nodes = self.spent.nodes.saturating_add(cost.nodes);
        self.spent.text = self.spent.text.saturating_add(cost.text);
        !self.is_spent()
    }
}

/// Why reading a document stopped.
pub(super) struct Stop {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// A node that was read, and what it cost.
#[derive(Clone)]
struct Node {
    value: Value,
    span: Span,
    cost: Cost,
}

struct Frame {
    anchor: usize,
    place: Place,
    cost: Cost,
    inner: Open,
}

enum Open {
    Items(Vec<Value>, Vec<Span>),
    Fields { values: Map<String, Value>, spans: BTreeMap<Box<str>, Span>, key: Option<Key>, merged: Vec<Node> },
}

struct Key {
    text: String,
    place: Place,
    merge: bool,
}

/// Builds the documents of one run of text.
pub(super) struct Builder<'b> {
    first_line: u32,
    budget: &'b mut Budget,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    done: Option<(Value, Span)>,
}

impl<'b> Builder<'b> {
    /// A builder for text that begins on `first_line` of the file.
    pub(super) fn new(first_line: u32, budget: &'b mut Budget) -> Self {
        Self { first_line, budget, stack: Vec::new(), anchors: HashMap::new(), done: None }
    }

    /// Takes the next event; gives a document when it ends one.
    pub(super) fn event(&mut self, event: Event<'_>, marks: Marks) -> Result<Option<(Value, Span)>, Stop> {
        let place = self.place(&marks.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
            Event::DocumentEnd => {
                self.anchors.clear();
                return Ok(self.done.take());
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), place)?,
            Event::Alias(id) => self.alias(id, place)?,
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag, "seq", place)?;
                self.open(Frame {
                    anchor,
                    place,
                    cost: Cost { nodes: 1, text: 0 },
                    inner: Open::Items(Vec::new(), Vec::new()),
                })?;
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag, "map", place)?;
                let inner = Open::Fields { values: Map::new(), spans: BTreeMap::new(), key: None, merged: Vec::new() };
                self.open(Frame { anchor, place, cost: Cost { nodes: 1, text: 0 }, inner })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
        }
        Ok(None)
    }

    /// What the parser says of text that is not YAML.
    pub(super) fn scan_error(&self, error: &ScanError) -> Stop {
        let info = error.info();
        let remedy = if info.contains("tab") {
            "indent with spaces"
        } else if info.contains("mapping values are not allowed") {
            "check the indentation, and put a value with ': ' in it in quotes"
        } else if info.contains("recursion limit") {
            "nest less deeply"
        } else if info.contains("anchor") {
            "define the anchor before the alias, in the same document"
        } else if info.contains("quoted scalar") {
            "close the quotes, and write escapes as YAML has them"
        } else {
            "correct the text there, or just before; check indentation and quotes"
        };
        let message = format!("this is not YAML: {info}");
        Stop { place: self.place(error.marker()), message, remedy: remedy.to_owned() }
    }

    fn place(&self, marker: &Marker) -> Place {
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX).saturating_add(self.first_line - 1);
        Place { line, column: u32::try_from(marker.col()).unwrap_or(u32::MAX - 1) + 1 }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Place,
    ) -> Result<(), Stop> {
        if let Some(Frame { inner: Open::Fields { spans, key: key @ None, .. }, .. }) = self.stack.last_mut() {
            let merge = text == "<<" && style == ScalarStyle::Plain && tag.is_none();
            if text.is_empty() && style == ScalarStyle::Plain {
                return Err(stop(place, "a key is empty", "write the name of the field before the ':'"));
            }
            if let Some(first) = spans.get(text).filter(|_| !merge) {
                let line = first.key.unwrap_or(first.value).line;
                let message = format!("the key {} is written twice, on lines {line} and {}", quoted(text), place.line);
                return Err(stop(place, message, "keep one of the two"));
            }
            *key = Some(Key { text: text.to_owned(), place, merge });
            return self.spend(Cost { nodes: 1, text: text.len() }, place);
        }
        let value = scalar::resolve(text, style, tag).map_err(|refused| refused.at(place))?;
        let cost = Cost { nodes: 1, text: text.len() };
        self.spend(cost, place)?;
        self.finish(Node { value, span: Span::scalar(place), cost }, anchor, place)
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(), Stop> {
        if matches!(self.stack.last(), Some(Frame { inner: Open::Fields { key: None, .. }, .. })) {
            return Err(stop(place, "an alias can't be a key", "write the name of the field"));
        }
        let Some(cost) = self.anchors.get(&id).map(|node| node.cost) else {
            return Err(stop(place, "the alias refers to what it is part of", "write the value out"));
        };
        self.spend(cost, place)?;
        let Some(node) = self.anchors.get(&id).cloned() else { return Ok(()) };
        self.finish(node, 0, place)
    }

    fn open(&mut self, frame: Frame) -> Result<(), Stop> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("values are nested more than {MAX_DEPTH} deep");
            return Err(stop(frame.place, message, "nest less deeply"));
        }
        if matches!(self.stack.last(), Some(Frame { inner: Open::Fields { key: None, .. }, .. })) {
            return Err(stop(frame.place, "a key is a list or a mapping", "write a name as the key"));
        }
        self.spend(frame.cost, frame.place)?;
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let Frame { anchor, place, cost, inner } = frame;
        let (value, inner) = match inner {
            Open::Items(values, spans) => (Value::Array(values), Inner::Items(spans.into())),
            Open::Fields { mut values, mut spans, merged, .. } => {
                for node in merged {
                    merge(node, &mut values, &mut spans);
                }
                (Value::Object(values), Inner::Fields(spans.into_iter().collect()))
            }
        };
        self.finish(Node { value, span: Span { key: None, value: place, inner }, cost }, anchor, place)
    }

    /// Hands a finished node to what holds it.
    fn finish(&mut self, mut node: Node, anchor: usize, place: Place) -> Result<(), Stop> {
        if anchor > 0 {
            self.spend(node.cost, place)?;
            self.anchors.insert(anchor, node.clone());
        }
        node.span.key = None;
        let Some(frame) = self.stack.last_mut() else {
            self.done = Some((node.value, node.span));
            return Ok(());
        };
        frame.cost.nodes = frame.cost.nodes.saturating_add(node.cost.nodes);
        frame.cost.text = frame.cost.text.saturating_add(node.cost.text);
        match &mut frame.inner {
            Open::Items(values, spans) => {
                values.push(node.value);
                spans.push(node.span);
            }
            Open::Fields { values, spans, key, merged } => {
                let Some(key) = key.take() else { return Ok(()) };
                if key.merge {
                    if !is_mergeable(&node.value) {
                        let remedy = "merge an alias of a mapping, as in '<<: *name'";
                        return Err(stop(key.place, "'<<' merges mappings alone", remedy));
                    }
                    merged.push(node);
                    return Ok(());
                }
                node.span.key = Some(key.place);
                spans.insert(key.text.as_str().into(), node.span);
                values.insert(key.text, node.value);
            }
        }
        Ok(())
    }

    fn spend(&mut self, cost: Cost, place: Place) -> Result<(), Stop> {
        if self.budget.spend(cost) {
            return Ok(());
        }
        let message = format!("the file holds more than {MAX_NODES} values or {MAX_TEXT} bytes, aliases expanded");
        Err(stop(place, message, "split the file, and use aliases sparingly"))
    }
}

fn is_mergeable(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().all(Value::is_object),
        _ => false,
    }
}

/// Adds the fields of `node`, a mapping or several, that are not there yet.
fn merge(node: Node, values: &mut Map<String, Value>, spans: &mut BTreeMap<Box<str>, Span>) {
    match (node.value, node.span.inner) {
        (Value::Object(fields), Inner::Fields(places)) => {
            for (key, value) in fields {
                values.entry(key).or_insert(value);
            }
            for (key, span) in places {
                spans.entry(key).or_insert(span);
            }
        }
        (Value::Array(items), Inner::Items(places)) => {
            for (value, span) in items.into_iter().zip(places) {
                merge(Node { value, span, cost: Cost::default() }, values, spans);
            }
        }
        _ => {}
    }
}

fn check_tag(tag: Option<Cow<'_, Tag>>, expected: &str, place: Place) -> Result<(), Stop> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => Err(scalar::unknown_tag(&tag).at(place)),
        _ => Ok(()),
    }
}

impl Refused {
    fn at(self, place: Place) -> Stop {
        stop(place, self.message, self.remedy)
    }
}

fn stop(place: Place, message: impl Into<String>, remedy: &str) -> Stop {
    Stop { place, message: message.into(), remedy: remedy.to_owned() }
}

/// A key as a message quotes it: cut short where it is long.
fn quoted(key: &str) -> String {
    match key.char_indices().nth(64) {
        Some((end, _)) => format!("{:?}…", &key[..end]),
        None => format!("{key:?}"),
    }
}
