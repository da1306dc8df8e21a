//! Parser events to a value and the positions of its fields, without recursion and within a budget.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Marker, ScalarStyle, ScanError, Span as Marks, Tag};
use serde_json::{Map, Value};

use super::scalar::{self, InvalidScalar};
use crate::source::span::{Position, Span, SpanContents};

/// How deep values may be nested. Kubernetes' own kinds need about 20.
const MAX_DEPTH: usize = 64;
/// How many values a file may hold, aliases expanded.
const MAX_NODES: usize = 1_000_000;
/// How much text a file may hold, aliases expanded.
const MAX_TEXT: usize = 64 << 20;

/// The cost of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    text: usize,
}

/// The budget of a file: its cost so far, which has a limit.
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
    pub(super) position: Position,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// A node that was read, and its cost.
#[derive(Clone)]
struct Node {
    value: Value,
    span: Span,
    cost: Cost,
}

struct OpenCollection {
    anchor: usize,
    position: Position,
    cost: Cost,
    open: CollectionContents,
}

enum CollectionContents {
    Items(Vec<Value>, Vec<Span>),
    Fields { values: Map<String, Value>, spans: BTreeMap<Box<str>, Span>, key: Option<FieldKey>, merged: Vec<Node> },
}

struct FieldKey {
    text: String,
    position: Position,
    merge: bool,
}

/// Builds the documents of one run of text.
pub(super) struct DocumentBuilder<'b> {
    first_line: u32,
    budget: &'b mut Budget,
    stack: Vec<OpenCollection>,
    anchors: HashMap<usize, Node>,
    done: Option<(Value, Span)>,
}

impl<'b> DocumentBuilder<'b> {
    /// A builder for text that begins on `first_line` of the file.
    pub(super) fn new(first_line: u32, budget: &'b mut Budget) -> Self {
        Self { first_line, budget, stack: Vec::new(), anchors: HashMap::new(), done: None }
    }

    /// Takes the next event; gives a document when it ends one.
    pub(super) fn event(&mut self, event: Event<'_>, marks: Marks) -> Result<Option<(Value, Span)>, Stop> {
        let position = self.position(&marks.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
            Event::DocumentEnd => {
                self.anchors.clear();
                return Ok(self.done.take());
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), position)?,
            Event::Alias(id) => self.alias(id, position)?,
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag, "seq", position)?;
                self.open(OpenCollection {
                    anchor,
                    position,
                    cost: Cost { nodes: 1, text: 0 },
                    open: CollectionContents::Items(Vec::new(), Vec::new()),
                })?;
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag, "map", position)?;
                let open = CollectionContents::Fields {
                    values: Map::new(),
                    spans: BTreeMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.open(OpenCollection { anchor, position, cost: Cost { nodes: 1, text: 0 }, open })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
        }
        Ok(None)
    }

    /// The fault in text that is not YAML, with a remedy for what the parser reports.
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
        Stop { position: self.position(error.marker()), message, remedy: remedy.to_owned() }
    }

    fn position(&self, marker: &Marker) -> Position {
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX).saturating_add(self.first_line - 1);
        Position { line, column: u32::try_from(marker.col()).unwrap_or(u32::MAX - 1) + 1 }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        position: Position,
    ) -> Result<(), Stop> {
        if let Some(OpenCollection { open: CollectionContents::Fields { spans, key: key @ None, .. }, .. }) =
            self.stack.last_mut()
        {
            let merge = text == "<<" && style == ScalarStyle::Plain && tag.is_none();
            if text.is_empty() && style == ScalarStyle::Plain {
                return Err(stop(position, "a key is empty", "write the name of the field before the ':'"));
            }
            if let Some(first) = spans.get(text).filter(|_| !merge) {
                let line = first.key.unwrap_or(first.value).line;
                let message =
                    format!("the key {} is written twice, on lines {line} and {}", quoted(text), position.line);
                return Err(stop(position, message, "keep one of the two"));
            }
            *key = Some(FieldKey { text: text.to_owned(), position, merge });
            return self.spend(Cost { nodes: 1, text: text.len() }, position);
        }
        let value = scalar::resolve(text, style, tag).map_err(|refused| refused.at(position))?;
        let cost = Cost { nodes: 1, text: text.len() };
        self.spend(cost, position)?;
        self.finish(Node { value, span: Span::scalar(position), cost }, anchor, position)
    }

    fn alias(&mut self, id: usize, position: Position) -> Result<(), Stop> {
        if matches!(self.stack.last(), Some(OpenCollection { open: CollectionContents::Fields { key: None, .. }, .. }))
        {
            return Err(stop(position, "an alias can't be a key", "write the name of the field"));
        }
        let Some(cost) = self.anchors.get(&id).map(|node| node.cost) else {
            return Err(stop(position, "the alias refers to what it is part of", "write the value out"));
        };
        self.spend(cost, position)?;
        let Some(node) = self.anchors.get(&id).cloned() else { return Ok(()) };
        self.finish(node, 0, position)
    }

    fn open(&mut self, frame: OpenCollection) -> Result<(), Stop> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("values are nested more than {MAX_DEPTH} deep");
            return Err(stop(frame.position, message, "nest less deeply"));
        }
        if matches!(self.stack.last(), Some(OpenCollection { open: CollectionContents::Fields { key: None, .. }, .. }))
        {
            return Err(stop(frame.position, "a key is a list or a mapping", "write a name as the key"));
        }
        self.spend(frame.cost, frame.position)?;
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let OpenCollection { anchor, position, cost, open } = frame;
        let (value, contents) = match open {
            CollectionContents::Items(values, spans) => (Value::Array(values), SpanContents::Items(spans.into())),
            CollectionContents::Fields { mut values, mut spans, merged, .. } => {
                for node in merged {
                    merge(node, &mut values, &mut spans);
                }
                (Value::Object(values), SpanContents::Fields(spans.into_iter().collect()))
            }
        };
        self.finish(Node { value, span: Span { key: None, value: position, contents }, cost }, anchor, position)
    }

    /// Adds a finished node to the collection around it.
    fn finish(&mut self, mut node: Node, anchor: usize, position: Position) -> Result<(), Stop> {
        if anchor > 0 {
            self.spend(node.cost, position)?;
            self.anchors.insert(anchor, node.clone());
        }
        node.span.key = None;
        let Some(frame) = self.stack.last_mut() else {
            self.done = Some((node.value, node.span));
            return Ok(());
        };
        frame.cost.nodes = frame.cost.nodes.saturating_add(node.cost.nodes);
        frame.cost.text = frame.cost.text.saturating_add(node.cost.text);
        match &mut frame.open {
            CollectionContents::Items(values, spans) => {
                values.push(node.value);
                spans.push(node.span);
            }
            CollectionContents::Fields { values, spans, key, merged } => {
                let Some(key) = key.take() else { return Ok(()) };
                if key.merge {
                    if !is_mergeable(&node.value) {
                        let remedy = "merge an alias of a mapping, as in '<<: *name'";
                        return Err(stop(key.position, "'<<' merges mappings alone", remedy));
                    }
                    merged.push(node);
                    return Ok(());
                }
                node.span.key = Some(key.position);
                spans.insert(key.text.as_str().into(), node.span);
                values.insert(key.text, node.value);
            }
        }
        Ok(())
    }

    fn spend(&mut self, cost: Cost, position: Position) -> Result<(), Stop> {
        if self.budget.spend(cost) {
            return Ok(());
        }
        let message = format!("the file holds more than {MAX_NODES} values or {MAX_TEXT} bytes, aliases expanded");
        Err(stop(position, message, "split the file, and use aliases sparingly"))
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
    match (node.value, node.span.contents) {
        (Value::Object(fields), SpanContents::Fields(positions)) => {
            for (key, value) in fields {
                values.entry(key).or_insert(value);
            }
            for (key, span) in positions {
                spans.entry(key).or_insert(span);
            }
        }
        (Value::Array(items), SpanContents::Items(positions)) => {
            for (value, span) in items.into_iter().zip(positions) {
                merge(Node { value, span, cost: Cost::default() }, values, spans);
            }
        }
        _ => {}
    }
}

fn check_tag(tag: Option<Cow<'_, Tag>>, expected: &str, position: Position) -> Result<(), Stop> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => {
            Err(scalar::unknown_tag(&tag).at(position))
        }
        _ => Ok(()),
    }
}

impl InvalidScalar {
    fn at(self, position: Position) -> Stop {
        stop(position, self.message, self.remedy)
    }
}

fn stop(position: Position, message: impl Into<String>, remedy: &str) -> Stop {
    Stop { position, message: message.into(), remedy: remedy.to_owned() }
}

/// A key as a message quotes it: cut short where it is long.
fn quoted(key: &str) -> String {
    match key.char_indices().nth(64) {
        Some((end, _)) => format!("{:?}…", &key[..end]),
        None => format!("{key:?}"),
    }
}
